"""The stock grid with a fixed grid size, rule by rule, with the same parameters: it makes the same trades, byte for byte.

In the sell zone, at or above base × (1 + g), it tracks the high and sells once the price has fallen by θ = factor × g from
it and still lies in the zone; the buy side mirrors it. Leaving a zone forgets that side. The base moves once for each
order, to the average price of what traded.

The bounds of its position, which the stock grid has in `risk`, are parameters too: `minPositionPercent` (10) and
`maxPositionPercent` (90) of the equity in coins.
"""

from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal

import glm

ENDED = ("Filled", "Canceled", "Expired")
DIGITS_OF_AVERAGE = Decimal("1e-8")


class Grid(glm.Strategy):
    def __init__(self, *start):
        super().__init__(*start)
        self.size = self.decimal("gridSizePercent", 2) / 100
        self.turn = self.size * self.decimal("flipThresholdFactor", "0.2")
        self.share = self.decimal("orderPercent", 10) / 100
        self.slippage = self.decimal("maxSlippagePercent", "0.1") / 100
        self.least = self.decimal("minPositionPercent", 10) / 100
        self.most = self.decimal("maxPositionPercent", 90) / 100
        self.interval = self.integer("minTradeIntervalSeconds", 30) * 1000
        # Without one the first price is the base.
        self.base = self.decimal("basePrice", 0) or None
        self.high = self.low = self.last_fill = None
        # Of each order that has traded and not ended: how much, and for how much.
        self.traded = {}
        self.time = None

    def on_tick(self, tick, context):
        self.time = tick.time
        if self.base is None:
            self.base = tick.price
        self.track(tick.price, self.allowed(tick.price, context))
        if context.orders:
            return
        side = self.turned(tick.price)
        if side and (self.last_fill is None or tick.time - self.last_fill >= self.interval):
            self.trade(side, tick, context)

    def allowed(self, price, context):
        """Too many coins are not added to, too few not sold; nor is what the worker would deny."""
        worth, equity = context.position(self.instrument.base).total * price, context.equity(price)
        within = {"Buy": worth <= self.most * equity, "Sell": worth >= self.least * equity}
        return [side for side in within if within[side] and context.risk.allows(side)]

    def track(self, price, allowed):
        sells = price >= self.base * (1 + self.size) and "Sell" in allowed
        buys = price <= self.base * (1 - self.size) and "Buy" in allowed
        self.high = max(price, self.high or price) if sells else None
        self.low = min(price, self.low or price) if buys else None

    def turned(self, price):
        if self.high is not None and price <= self.high * (1 - self.turn):
            return "Sell"
        if self.low is not None and price >= self.low * (1 + self.turn):
            return "Buy"
        return None

    def trade(self, side, tick, context):
        """An order at the best price there is, of the whole lots that its share of the equity pays for."""
        buys, rules = side == "Buy", self.instrument
        best, outward = (tick.ask, ROUND_CEILING) if buys else (tick.bid, ROUND_FLOOR)
        if best == 0 or abs(best - tick.price) > self.slippage * tick.price:
            return
        limit = (best / rules.tick_size).to_integral_value(outward) * rules.tick_size
        worth = context.equity(tick.price) * self.share
        quantity = worth // (limit * rules.lot_size) * rules.lot_size
        if quantity > 0:
            context.place(side, quantity, limit, time_in_force="IOC")

    def on_order(self, update, context):
        if update.quantity is not None:
            quantity, worth = self.traded.get(update.id, (Decimal(0), Decimal(0)))
            self.traded[update.id] = quantity + update.quantity, worth + update.quantity * update.price
            # What trades arrives on the tick that it was sent on, or on a later one that has been told.
            self.last_fill = self.time
        if update.status in ENDED and update.id in self.traded:
            quantity, worth = self.traded.pop(update.id)
            self.base = (worth / quantity).quantize(DIGITS_OF_AVERAGE, ROUND_HALF_EVEN)
            self.high = self.low = None

    def on_gap(self, symbol, context):
        self.high = self.low = None

    def save(self):
        remembered = ("base", "high", "low", "last_fill", "time")
        traded = {id: list(both) for id, both in self.traded.items()}
        return {**{name: getattr(self, name) for name in remembered}, "traded": traded}

    def restore(self, state):
        for name in ("base", "high", "low"):
            setattr(self, name, glm.decimal(state[name]))
        self.last_fill, self.time = state["last_fill"], state["time"]
        self.traded = {int(id): tuple(Decimal(part) for part in both) for id, both in state["traded"].items()}


if __name__ == "__main__":
    glm.run(Grid)
