"""What a strategy is told: plain values, with decimals as `Decimal` and times in milliseconds UTC."""

from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any, Mapping, NamedTuple, Optional, Type, TypeVar, cast

Json = Mapping[str, Any]
Told = TypeVar("Told")


# The lengths that bars have.
MINUTES = {"1m": 1, "5m": 5, "15m": 15, "30m": 30, "1h": 60, "2h": 120, "4h": 240, "6h": 360, "12h": 720, "1d": 1440}


class Instrument(NamedTuple):
    """A market and its rules for orders."""

    symbol: str
    tick_size: Decimal
    lot_size: Decimal
    min_notional: Decimal

    @property
    def base(self) -> str:
        """The asset that is traded."""
        return self.symbol.partition("/")[0]

    @property
    def quote(self) -> str:
        """The asset that it is paid in."""
        return self.symbol.partition("/")[2].partition(":")[0]


@dataclass(frozen=True)
class Tick:
    """A price. Without quotes, bid and ask are the price."""

    index: int
    time: int
    symbol: str
    price: Decimal
    bid: Decimal
    ask: Decimal
    bid_size: Optional[Decimal]
    ask_size: Optional[Decimal]
    volume: Optional[Decimal]


class Bars(NamedTuple):
    """Bars that a strategy asks for: of which market, how long (such as 4h), how many it looks back on."""

    symbol: str
    interval: str
    look_back: int


class Bar(NamedTuple):
    """A bar that has closed."""

    symbol: str
    interval: str
    open_time: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal


class Timer(NamedTuple):
    """A timer that is due: a multiple of its interval has passed."""

    time: int
    every_seconds: int


class Order(NamedTuple):
    """An order that is not closed."""

    id: int
    tag: str
    symbol: str
    side: str
    price: Decimal
    quantity: Decimal
    filled: Decimal


class OrderUpdate(NamedTuple):
    """News of an order: Accepted, PartiallyFilled, Filled, Canceled, Expired, Rejected or Denied. Quantity, price and fee
    are those of one trade, where it tells of one; what was denied has no id."""

    id: Optional[int]
    tag: str
    status: str
    reason: str
    quantity: Optional[Decimal]
    price: Optional[Decimal]
    fee: Optional[Decimal]
    fee_asset: Optional[str]


class Position(NamedTuple):
    """What is held of an asset."""

    free: Decimal
    reserved: Decimal

    @property
    def total(self) -> Decimal:
        """With what orders reserve."""
        return self.free + self.reserved


class Risk(NamedTuple):
    """Which sides are allowed now (AllowAll, BuyOnly, SellOnly, ReduceOnly, Halted), and why."""

    state: str
    reason: str

    def allows(self, side: str) -> bool:
        """Whether an order of this side may open. Advice: the worker holds it on every order."""
        return self.state in ("AllowAll", f"{side}Only")


def decimal(text: Optional[str]) -> Optional[Decimal]:
    """The decimal of its text, as messages and saved state have it; None where there is none."""
    return None if text is None else Decimal(text)


@lru_cache(maxsize=None)
def fields(kind: Any) -> list[tuple[str, bool]]:
    """The names that its fields have in messages, and which are decimals."""
    names = ((name.split("_"), "Decimal" in str(hint)) for name, hint in kind.__annotations__.items())
    return [(first + "".join(map(str.title, rest)), exact) for (first, *rest), exact in names]


def read(kind: Type[Told], given: Json) -> Told:
    """This kind of value, from what a message tells; what it leaves out is None."""
    named = fields(cast(Any, kind))
    return kind(*[Decimal(given[name]) if exact and name in given else given.get(name) for name, exact in named])


def read_tick(given: Json) -> Tick:
    """A tick; without quotes the price stands for them."""
    return read(Tick, {"bid": given["price"], "ask": given["price"], **given})
