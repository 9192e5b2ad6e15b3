"""What a strategy is, and what it may do when it is called."""

from __future__ import annotations

from decimal import ROUND_DOWN, Decimal
from typing import Any, Mapping, Optional, Sequence, Union

from .messages import Bar, Bars, Instrument, Json, Order, OrderUpdate, Position, Risk, Tick, Timer

ZERO = Position(Decimal(0), Decimal(0))
# Messages hold no finer amounts.
SMALLEST = Decimal("1e-18")


class Strategy:
    """A trading strategy. Override what you need; whatever it must remember, `save` returns and `restore` takes."""

    def __init_subclass__(cls) -> None:
        callbacks = [name for name in dir(Strategy) if name.startswith("on_")]
        for name in vars(cls):
            # Nobody would call it, and nobody would notice.
            if name.startswith("on_") and name not in callbacks:
                raise TypeError(f"{cls.__name__}.{name} is never called; there are {', '.join(callbacks)}")

    def __init__(self, name: str, mode: str, parameters: Json, instruments: Sequence[Instrument]) -> None:
        self.name = name
        self.mode = mode
        self.parameters = parameters
        self.instruments = instruments

    @property
    def instrument(self) -> Instrument:
        """The first market: the only one of a strategy that trades one."""
        return self.instruments[0]

    def decimal(self, name: str, default: Union[str, int]) -> Decimal:
        """The parameter of this name. Manifests write integers or quoted decimals."""
        return Decimal(self.parameters.get(name, default))

    def bars(self) -> Sequence[Bars]:
        """The bars that it needs."""
        return ()

    def timers(self) -> Sequence[int]:
        """Every how many seconds of event time `on_timer` is called."""
        return ()

    def on_tick(self, tick: Tick, context: Context) -> None:
        """A tick has arrived; all news of orders before it has been told."""

    def on_bar(self, bar: Bar, context: Context) -> None:
        """A bar that it needs has closed, by the tick that it gets next."""

    def on_order(self, update: OrderUpdate, context: Context) -> None:
        """There is news of one of its orders."""

    def on_timer(self, timer: Timer, context: Context) -> None:
        """A timer is due."""

    def on_gap(self, symbol: str, context: Context) -> None:
        """Ticks of a market are missing: forget what depends on having seen each one."""

    def save(self) -> Any:
        """All state, as JSON; a Decimal becomes its text. Kept with the money, so nothing is lost at a restart."""
        return None

    def restore(self, state: Any) -> None:
        """Takes what `save` returned. Called once before the first event, not for a fresh start."""


class Context:
    """What a strategy sees and may do. Actions leave when the callback returns; the worker may still deny each."""

    def __init__(self, message: Json, instruments: Sequence[Instrument]) -> None:
        self._message = message
        self._instruments = {instrument.symbol: instrument for instrument in instruments}
        self._orders: Optional[Sequence[Order]] = None
        self.actions: list[dict[str, Any]] = []

    def position(self, asset: str) -> Position:
        """What is held of an asset, before the actions of this callback."""
        held = self._message["position"].get(asset)
        return ZERO if held is None else Position(Decimal(held["free"]), Decimal(held["reserved"]))

    def equity(self, prices: Union[Decimal, Mapping[str, Decimal]]) -> Decimal:
        """What all is worth, in quote: at this price, or of several markets at these prices by symbol."""
        if isinstance(prices, Decimal):
            (symbol,) = self._instruments
            prices = {symbol: prices}
        held = {asset: self.position(asset).total for asset in self._message["position"]}
        worth = {self._instruments[symbol].base: price for symbol, price in prices.items()}
        return sum((amount * worth.get(asset, 1) for asset, amount in held.items()), Decimal(0))

    @property
    def orders(self) -> Sequence[Order]:
        """The orders that are not closed, the oldest first."""
        if self._orders is None:
            self._orders = [Order.read(order) for order in self._message["orders"]]
        return self._orders

    @property
    def risk(self) -> Risk:
        """Which sides are allowed now."""
        return Risk(self._message["risk"]["state"], self._message["risk"].get("reason", ""))

    def place(
        self,
        side: str,
        quantity: Union[Decimal, int],
        price: Union[Decimal, int, None] = None,
        *,
        symbol: Optional[str] = None,
        time_in_force: Optional[str] = None,
        post_only: bool = False,
        reduce_only: bool = False,
        tag: str = "",
    ) -> None:
        """Sends an order, Buy or Sell. Without a price it takes the best one there is now and drops the rest; with one it
        waits (GTC) unless `time_in_force` is IOC or FOK. The worker rounds the quantity down to lots, and the price to ticks.
        `tag` is your own mark of it, at most 64 letters."""
        if side not in ("Buy", "Sell"):
            raise ValueError(f"side {side!r}: write Buy or Sell")
        order: dict[str, Any] = {"tag": tag, "side": side, "quantity": number(quantity)}
        limit = None if price is None else number(price)
        given = {"symbol": symbol, "price": limit, "timeInForce": time_in_force}
        order.update({name: value for name, value in given.items() if value is not None})
        order.update({name: True for name, on in (("postOnly", post_only), ("reduceOnly", reduce_only)) if on})
        self.actions.append({"place": order})

    def cancel(self, id: int) -> None:
        """Cancels an order."""
        self.actions.append({"cancel": {"id": id}})

    def replace(self, id: int, quantity: Union[Decimal, int], price: Union[Decimal, int]) -> None:
        """Sends an order in the place of another, which is placed only if no more of the old one trades meanwhile."""
        self.actions.append({"replace": {"id": id, "quantity": number(quantity), "price": number(price)}})

    def say(self, reason: str, message: str) -> None:
        """Says why it acts or does not: a stable word, and a sentence, for status. Ends the batch, so say what changed."""
        self.actions.append({"say": {"reason": reason, "message": message}})


def number(value: Union[Decimal, int]) -> str:
    """An amount as messages hold it, without an exponent: a quotient's digits beyond the 18th after the point are cut off."""
    exact = Decimal(value) if isinstance(value, (Decimal, int)) and not isinstance(value, bool) else None
    if exact is None or not exact.is_finite():
        raise TypeError(f'{value!r} is no number of money; make it a finite Decimal, such as Decimal("0.25")')
    return format(exact.quantize(SMALLEST, ROUND_DOWN) if exact % SMALLEST else exact, "f")
