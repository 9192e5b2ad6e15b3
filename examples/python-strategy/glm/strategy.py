"""What a strategy is, and what it may do when it is called."""

from __future__ import annotations

from decimal import ROUND_DOWN, Decimal
from difflib import get_close_matches
from functools import cached_property
from typing import Any, Mapping, Optional, Sequence, Union

from .messages import Bar, Bars, Instrument, Json, Order, OrderUpdate, Position, Risk, Tick, Timer, read

# Messages hold no finer amounts.
SMALLEST = Decimal("1e-18")
# What an answer holds at most: actions, letters of a tag or a reason, and of a message.
ACTIONS_MAX, WORD_MAX, MESSAGE_MAX = 256, 64, 512
Amount = Union[Decimal, int]


class Strategy:
    """A trading strategy. Override what you need; whatever it must remember, `save` returns and `restore` takes."""

    def __init_subclass__(cls) -> None:
        callbacks = [name for name in dir(Strategy) if name.startswith("on_")]
        for name in vars(cls):
            # Nobody would call it, and nobody would notice.
            if name.startswith("on_") and name not in callbacks:
                raise TypeError(f"{cls.__name__}.{name} is never called; there are {', '.join(callbacks)}")

    def __init__(self, name: str, mode: str, parameters: Json, instruments: Sequence[Instrument]) -> None:
        self.name, self.mode, self.instruments = name, mode, instruments
        self._given = parameters
        # The names it has asked for; None once it reads all by itself.
        self._asked: Optional[list[str]] = []

    @property
    def parameters(self) -> Json:
        """All of them, as the manifest has them: whoever reads them here checks their names."""
        self._asked = None
        return self._given

    @property
    def instrument(self) -> Instrument:
        """The first market: the only one of a strategy that trades one."""
        return self.instruments[0]

    def decimal(
        self, name: str, default: Union[str, Amount], low: Optional[Amount] = None, high: Optional[Amount] = None
    ) -> Decimal:
        """The parameter of this name, within these bounds. Manifests write integers or quoted decimals. Ask in `__init__`:
        one that is given and not asked for there is an error."""
        if self._asked is not None:
            self._asked.append(name)
        given = self._given.get(name, default)
        try:
            value = Decimal("NaN" if isinstance(given, bool) else given)
        except (ArithmeticError, TypeError, ValueError):
            value = Decimal("NaN")
        if not value.is_finite():
            raise ValueError(f"parameter {name} is {given!r}; write an integer or a quoted decimal")
        if (low is not None and value < low) or (high is not None and value > high):
            bounds = [f"{word} {bound}" for word, bound in (("at least", low), ("at most", high)) if bound is not None]
            raise ValueError(f"parameter {name} is {given}; write {' and '.join(bounds)}")
        return value

    def integer(self, name: str, default: int, low: Optional[int] = None, high: Optional[int] = None) -> int:
        """The parameter of this name, which is a whole number within these bounds."""
        value = self.decimal(name, default, low, high)
        if value != value.to_integral_value():
            raise ValueError(f"parameter {name} is {value}; write a whole number")
        return int(value)

    def check_parameters(self) -> None:
        """Refuses a parameter that `__init__` did not ask for: a misspelt one would leave its default in force. Who asks for
        none there is not judged."""
        asked = self._asked or ()
        for name in self._given if asked else ():
            if name not in asked:
                near = "".join(f"; did you mean {one}?" for one in get_close_matches(name, asked, 1))
                raise ValueError(f"parameter {name} is not asked for by __init__, which asks for {', '.join(asked)}{near}")

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

    def restore(self, state: Any) -> None:
        """Takes what `save` returned. Called once before the first event, not for a fresh start."""


class Context:
    """What a strategy sees and may do. Actions leave when the callback returns; the worker may still deny each."""

    def __init__(self, message: Json, instruments: Sequence[Instrument]) -> None:
        self._message, self._instruments = message, instruments
        self.actions: list[dict[str, Any]] = []

    def position(self, asset: str) -> Position:
        """What is held of an asset, before the actions of this callback."""
        return read(Position, self._message["position"].get(asset, {"free": 0, "reserved": 0}))

    def equity(self, prices: Union[Decimal, Mapping[str, Decimal]]) -> Decimal:
        """What all is worth, in quote: at this price, or of several markets at these prices by symbol."""
        given = prices if isinstance(prices, Mapping) else {self._instruments[0].symbol: prices}
        worth = {instrument.base: given[instrument.symbol] for instrument in self._instruments}
        held = ((asset, self.position(asset).total) for asset in self._message["position"])
        return sum((amount * worth.get(asset, 1) for asset, amount in held), Decimal(0))

    @cached_property
    def orders(self) -> Sequence[Order]:
        """The orders that are not closed, the oldest first."""
        return [read(Order, order) for order in self._message["orders"]]

    @property
    def risk(self) -> Risk:
        """Which sides are allowed now."""
        return read(Risk, self._message["risk"])

    def place(
        self, side: str, quantity: Amount, price: Optional[Amount] = None, *, symbol: Optional[str] = None, tag: str = "",
        time_in_force: Optional[str] = None, post_only: bool = False, reduce_only: bool = False,
    ) -> None:  # fmt: skip
        """Sends an order, Buy or Sell. Without a price it takes the best one there is now and drops the rest; with one it
        waits (GTC) unless `time_in_force` is IOC or FOK. The worker rounds the quantity down to lots, and the price to ticks.
        `tag` is your own mark of it, at most 64 letters."""
        choose("side", side, ["Buy", "Sell"])
        symbols: list[Any] = [instrument.symbol for instrument in self._instruments]
        choose("symbol", symbol, symbols if len(symbols) > 1 else [None, *symbols])
        waits = [None, "GTC"] if post_only else [None, "GTC", "IOC", "FOK"]
        choose("time_in_force", time_in_force, [None, "IOC"] if price is None else waits)
        if post_only and price is None:
            raise ValueError("post_only without a price: write the price at which it waits")
        if len(tag) > WORD_MAX:
            raise ValueError(f"tag {tag!r}: write at most {WORD_MAX} letters")
        self._act(
            "place", tag=tag, symbol=symbol, side=side, quantity=amount("quantity", quantity),
            price=None if price is None else amount("price", price), timeInForce=time_in_force,
            postOnly=post_only or None, reduceOnly=reduce_only or None,
        )  # fmt: skip

    def cancel(self, id: int) -> None:
        """Cancels an order."""
        self._act("cancel", id=known(id))

    def replace(self, id: int, quantity: Amount, price: Amount) -> None:
        """Sends an order in the place of another, which is placed only if no more of the old one trades meanwhile."""
        self._act("replace", id=known(id), quantity=amount("quantity", quantity), price=amount("price", price))

    def say(self, reason: str, message: str) -> None:
        """Says why it acts or does not: a stable word, and a sentence, for status. Ends the batch, so say what changed."""
        is_word = reason.isascii() and reason.isalnum() and reason[0].isalpha() and len(reason) <= WORD_MAX
        if not is_word or len(message) > MESSAGE_MAX:
            raise ValueError(f"say({reason!r}, {message!r}): a word of at most {WORD_MAX} letters and digits, a letter first, "
                             f"and a message of at most {MESSAGE_MAX}")  # fmt: skip
        self._act("say", reason=reason, message=message)

    def _act(self, kind: str, **wanted: Any) -> None:
        if len(self.actions) == ACTIONS_MAX:
            raise ValueError(f"more than {ACTIONS_MAX} actions on one event: do the rest on a later one")
        self.actions.append({kind: {name: value for name, value in wanted.items() if value is not None}})


def choose(name: str, value: Any, allowed: Sequence[Any]) -> None:
    """Refuses what is none of these."""
    if value not in allowed:
        words = f"{allowed[0]} to {allowed[-1]}" if isinstance(allowed, range) else " or ".join(map(repr, allowed))
        raise ValueError(f"{name} {value!r}: write {words}")


def known(id: int) -> int:
    """The id of an order; what was denied has none."""
    if not isinstance(id, int):
        raise TypeError(f"no order has id {id!r}: take that of an order or of news of one; what was denied has none")
    return id


def amount(name: str, value: Amount) -> str:
    """A quantity or a price, in its range."""
    text = number(value)
    least, digits = (SMALLEST, 12) if name == "price" else (0, 15)
    if not least <= Decimal(text) < 10**digits:
        raise ValueError(f"{name} {text}: write {'more than 0' if least else '0 or more'} and below 10^{digits}")
    return text


def number(value: Amount) -> str:
    """An amount as messages hold it, without an exponent: a quotient's digits beyond the 18th after the point are cut off."""
    if not isinstance(value, (Decimal, int)) or isinstance(value, bool) or not Decimal(value).is_finite():
        raise TypeError(f'{value!r} is no number of money; make it a finite Decimal, such as Decimal("0.25")')
    exact = Decimal(value)
    return format(exact.quantize(SMALLEST, ROUND_DOWN) if exact % SMALLEST else exact, "f")
