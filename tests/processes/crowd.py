"""A strategy for tests: orders of both sides that wait, are moved and cancelled, and now and then more of them in a minute
than are sent."""

from decimal import Decimal

import glm


class Crowd(glm.Strategy):
    def __init__(self, *start):
        super().__init__(*start)
        self.ticks = 0

    def on_tick(self, tick, context):
        self.ticks += 1
        if self.ticks % 16 > 1:
            # Two ticks of many are enough, and the second of them meets what the first has left.
            return
        for place, order in enumerate(context.orders):
            offset = Decimal(self.ticks % 7) / 1000
            if (self.ticks + place) % 3 == 0:
                context.cancel(order.id)
            elif (self.ticks + place) % 3 == 1:
                context.replace(order.id, order.quantity, tick.price * (1 - offset if order.side == "Buy" else 1 + offset))
        for step in range(1 + self.ticks % 13):
            away = Decimal(step) / 1000
            context.place("Buy", Decimal("0.004"), tick.price * (1 - away), tag=f"b{step}")
            context.place("Sell", Decimal("0.003"), tick.price * (1 + away), post_only=step == 0, tag=f"s{step}")
        if self.ticks % 50 == 0:
            context.place("Buy", Decimal("0.02"))

    def save(self):
        return self.ticks

    def restore(self, state):
        self.ticks = state


if __name__ == "__main__":
    glm.run(Crowd)
