"""A moving average of the last ticks: in the market while the price is above it, out of it below.

Parameters: `window`, in ticks (default 20); `bandPercent`, by how much the price must be beyond the average (default 1);
`usePercent`, how much of the equity is bought (default 50).
"""

from collections import deque
from decimal import Decimal

import glm


class Mean(glm.Strategy):
    def __init__(self, *start):
        super().__init__(*start)
        self.band = self.decimal("bandPercent", 1) / 100
        self.share = self.decimal("usePercent", 50) / 100
        self.prices = deque(maxlen=self.integer("window", 20, 1))

    def on_tick(self, tick, context):
        self.prices.append(tick.price)
        count = len(self.prices)
        if count < self.prices.maxlen or context.orders:
            return
        # Compared without a division, so exactly: price × count against the sum.
        total, price = sum(self.prices), tick.price * count
        held = context.position(self.instrument.base).free
        if held < self.instrument.lot_size and price > total * (1 + self.band):
            lot = self.instrument.lot_size
            quantity = context.equity(tick.price) * self.share // (tick.ask * lot) * lot
            context.say("AboveAverage", f"{tick.price} is above the average of {count} ticks")
            context.place("Buy", quantity)
        elif held >= self.instrument.lot_size and price < total * (1 - self.band):
            context.say("BelowAverage", f"{tick.price} is below the average of {count} ticks")
            context.place("Sell", held)

    def on_gap(self, symbol, context):
        self.prices.clear()

    def save(self):
        return {"prices": list(self.prices)}

    def restore(self, state):
        self.prices.extend(Decimal(price) for price in state["prices"])


if __name__ == "__main__":
    glm.run(Mean)
