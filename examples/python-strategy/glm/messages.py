"""What a strategy is told: plain values, with decimals as `Decimal` and times in milliseconds UTC."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Mapping, NamedTuple, Optional

Json = Mapping[str, Any]


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

    @classmethod
    def read(cls, given: Json) -> Instrument:
        return cls(
            given["symbol"], Decimal(given["tickSize"]), Decimal(given["lotSize"]), Decimal(given["minNotional"])
        )


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

    @classmethod
    def read(cls, given: Json) -> Tick:
        price = Decimal(given["price"])
        bid, ask = given.get("bid"), given.get("ask")
        return cls(
            given["index"],
            given["time"],
            given["symbol"],
            price,
            price if bid is None else Decimal(bid),
            price if ask is None else Decimal(ask),
            decimal(given.get("bidSize")),
            decimal(given.get("askSize")),
            decimal(given.get("volume")),
        )


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

    @classmethod
    def read(cls, given: Json) -> Bar:
        prices = (Decimal(given[name]) for name in ("open", "high", "low", "close", "volume"))
        return cls(given["symbol"], given["interval"], given["openTime"], *prices)


class Timer(NamedTuple):
    """A timer that is due: a multiple of its interval has passed."""

    time: int
    every_seconds: int

    @classmethod
    def read(cls, given: Json) -> Timer:
        return cls(given["time"], given["everySeconds"])


class Order(NamedTuple):
    """An order that is not closed."""

    id: int
    tag: str
    symbol: str
    side: str
    price: Decimal
    quantity: Decimal
    filled: Decimal

    @classmethod
    def read(cls, given: Json) -> Order:
        decimals = (Decimal(given[name]) for name in ("price", "quantity", "filled"))
        return cls(given["id"], given["tag"], given["symbol"], given["side"], *decimals)


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

    @classmethod
    def read(cls, given: Json) -> OrderUpdate:
        quantity, price, fee = (decimal(given.get(name)) for name in ("quantity", "price", "fee"))
        status, reason, fee_asset = given["status"], given.get("reason", ""), given.get("feeAsset")
        return cls(given.get("id"), given["tag"], status, reason, quantity, price, fee, fee_asset)


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
        return self.state == "AllowAll" or self.state == f"{side}Only"


def decimal(text: Optional[str]) -> Optional[Decimal]:
    """The decimal of its text, as messages and saved state have it; None where there is none."""
    return None if text is None else Decimal(text)
