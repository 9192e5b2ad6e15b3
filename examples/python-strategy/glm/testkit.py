"""Runs a strategy on a CSV without a worker, for tests of its rules.

    result = testkit.run(Mean, "prices.csv", parameters={"window": 20}, capital={"USDT": "3000", "BTC": "0.34"})
    assert result.trades[0].price == Decimal("8620.00")

One market, whose orders arrive at once: one without a price, or that crosses, trades whole at the best price; one that
waits trades at its own price once the market passes it. No sizes on offer, no latency, and of risk only funds, lots and
the least worth of an order. What `worker backtest` says decides.
"""

from __future__ import annotations

import csv
import gzip
import json
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from pathlib import Path
from typing import Any, Iterator, Mapping, NamedTuple, Optional, Sequence, Type, Union

from .messages import Instrument, Json
from .session import Session
from .strategy import Strategy, number

ROUNDS_MAX = 16
RETRIES_MAX = 16
UNITS_MS = {"m": 60_000, "h": 3_600_000, "d": 86_400_000}


@dataclass(frozen=True)
class Trade:
    """One trade, with the number and the time of its tick."""

    index: int
    time: int
    side: str
    price: Decimal
    quantity: Decimal
    fee: Decimal


class Result(NamedTuple):
    """What came of a run."""

    trades: list[Trade]
    position: dict[str, Decimal]
    equity: Decimal
    said: list[tuple[int, str, str]]
    denied: list[tuple[int, str]]
    state: Any


def ticks(path: Union[str, Path], symbol: str) -> Iterator[dict[str, Any]]:
    """The ticks of a CSV or CSV.gz: `time,price[,bid,ask][,volume]`, or candles, each of which is four."""
    opened = gzip.open(path, "rt") if str(path).endswith(".gz") else open(path, newline="")
    with opened as file:
        index = 0
        for row in moments(list(csv.DictReader(file))):
            values = {name: number(Decimal(value)) for name, value in row.items() if name != "time" and value}
            yield {"type": "tick", "index": index, "time": int(row["time"]), "symbol": symbol, **values}
            index += 1


def moments(rows: list[dict[str, str]]) -> Iterator[dict[str, str]]:
    """Rows with a time and a price; of a candle open, low, high, close, or open, high, low, close where it fell."""
    if not rows or "open_time_ms" not in rows[0]:
        yield from rows
        return
    times = [int(row["open_time_ms"]) for row in rows]
    quarter = min((later - earlier for earlier, later in zip(times, times[1:])), default=4) // 4
    for start, row in zip(times, rows):
        rose = Decimal(row["close"]) >= Decimal(row["open"])
        path = ("open", "low", "high", "close") if rose else ("open", "high", "low", "close")
        for place, name in enumerate(path):
            volume = {"volume": row["volume"]} if place == 3 else {}
            yield {"time": str(start + place * quarter), "price": row[name], **volume}


class Market:
    """The exchange and the money of one strategy."""

    def __init__(self, instrument: Instrument, capital: Mapping[str, Decimal], fees: tuple[Decimal, Decimal]) -> None:
        self.instrument = instrument
        self.held = {instrument.base: Decimal(0), instrument.quote: Decimal(0), **capital}
        self.maker, self.taker = fees
        self.open: list[dict[str, Any]] = []
        # What each that was sent ends by its id, and what it brings.
        self.sent: list[tuple[Optional[int], Optional[dict[str, Any]]]] = []
        self.news: list[dict[str, Any]] = []
        # Denials, told before what happens next.
        self.waiting: list[dict[str, Any]] = []
        self.trades: list[Trade] = []
        self.denied: list[tuple[int, str]] = []
        self.next_id = 1
        self.tick: dict[str, Any] = {}
        self.bid = self.ask = self.price = Decimal(0)

    def take(self, tick: dict[str, Any]) -> None:
        """A tick: what waits and is passed by it trades, buys from the highest price down, then sells from the lowest."""
        self.tick, self.price = tick, Decimal(tick["price"])
        self.bid, self.ask = Decimal(tick.get("bid", tick["price"])), Decimal(tick.get("ask", tick["price"]))
        buys = sorted((order for order in self.open if order["side"] == "Buy"), key=lambda order: -order["price"])
        sells = sorted((order for order in self.open if order["side"] == "Sell"), key=lambda order: order["price"])
        for order in buys + sells:
            if self._passes(order):
                self._trade(order, order["price"], self.maker)

    def _passes(self, order: Json) -> bool:
        limit: Decimal = order["price"]
        if order["side"] == "Buy":
            return self.ask <= limit if "ask" in self.tick else self.price < limit
        return self.bid >= limit if "bid" in self.tick else self.price > limit

    def reserved(self, asset: str, without: Optional[Json] = None) -> Decimal:
        """What open orders, and those on their way, may take; without the one that is replaced."""
        instrument, total = self.instrument, Decimal(0)
        for order in self.orders():
            if order is without:
                continue
            if order["side"] == "Buy" and asset == instrument.quote:
                total += order["price"] * order["quantity"] * (1 + max(self.maker, self.taker))
            elif order["side"] == "Sell" and asset == instrument.base:
                total += order["quantity"]
        return total

    def act(self, action: Json) -> None:
        """Sends what an action wants, as of the last tick. It arrives once the tick is told."""
        if "place" in action:
            self._place(action["place"])
        elif "cancel" in action and self.order(action["cancel"]["id"]) is not None:
            self.sent.append((action["cancel"]["id"], None))
        elif "replace" in action:
            change = action["replace"]
            old = self.order(change["id"])
            if old is None:
                self._deny("", "NothingToReplace")
            else:
                changed = {name: change[name] for name in ("quantity", "price") if change.get(name) is not None}
                self._place({**old, **changed}, old)

    def orders(self) -> list[dict[str, Any]]:
        """What is open or on its way, by id."""
        on_its_way = [order for _, order in self.sent if order is not None]
        return sorted(self.open + on_its_way, key=lambda order: order["id"])

    def order(self, id: int) -> Optional[dict[str, Any]]:
        """That of an id; None where it is closed."""
        return next((order for order in self.orders() if order["id"] == id), None)

    def arrive(self) -> None:
        """What was sent acts, in its order."""
        while self.sent:
            ends, order = self.sent.pop(0)
            ended = next((order for order in self.open if order["id"] == ends), None)
            if ended is not None:
                self.open.remove(ended)
                self._tell(ended, "Canceled", "")
            if order is not None:
                self._enter(order)

    def _place(self, wanted: Json, old: Optional[Json] = None) -> None:
        buys, tick_size, lot = wanted["side"] == "Buy", self.instrument.tick_size, self.instrument.lot_size
        best, asked = (self.ask if buys else self.bid), wanted.get("price")
        # A best price off the tick is rounded so that it still crosses, a limit so that it is no worse than asked.
        outward = ROUND_CEILING if buys == (asked is None) else ROUND_FLOOR
        steps = ((best if asked is None else Decimal(asked)) / tick_size).to_integral_value(outward)
        price, quantity = (steps * tick_size).quantize(tick_size), Decimal(wanted["quantity"]) // lot * lot
        order = {**wanted, "symbol": self.instrument.symbol, "id": self.next_id, "price": price, "quantity": quantity, "filled": Decimal(0)}
        crosses = best <= price if buys else best >= price
        order["rests"] = not crosses and asked is not None and wanted.get("timeInForce", "GTC") == "GTC"
        refusal = self._refusal(order, old)
        if refusal:
            self._deny(order["tag"], refusal)
            return
        self.next_id += 1
        self.sent.append((None if old is None else old["id"], order))

    def _deny(self, tag: str, reason: str) -> None:
        """Told with what happens next."""
        self.denied.append((self.tick["index"], reason))
        self.waiting.append({"type": "order", "tag": tag, "status": "Denied", "reason": reason})

    def _enter(self, order: dict[str, Any]) -> None:
        buys, price = order["side"] == "Buy", order["price"]
        best = self.ask if buys else self.bid
        crosses = best <= price if buys else best >= price
        if crosses and order.get("postOnly"):
            self._tell(order, "Rejected", "WouldTrade")
        elif crosses:
            self._trade(order, best.quantize(self.instrument.tick_size), self.taker)
        elif order["rests"]:
            self.open.append(order)
            self._tell(order, "Accepted", "")
        else:
            self._tell(order, "Expired", "NotMarketable")

    def _refusal(self, order: Json, old: Optional[Json]) -> str:
        instrument, worth = self.instrument, order["price"] * order["quantity"]
        if order["quantity"] <= 0:
            return "BelowLotSize"
        if worth < instrument.min_notional:
            return "BelowMinNotional"
        fee = max(self.maker, self.taker) if order["rests"] else self.taker
        buys = order["side"] == "Buy"
        asset, needed = (instrument.quote, worth * (1 + fee)) if buys else (instrument.base, order["quantity"])
        return "InsufficientFunds" if needed > self.held[asset] - self.reserved(asset, old) else ""

    def _trade(self, order: dict[str, Any], price: Decimal, rate: Decimal) -> None:
        if order in self.open:
            self.open.remove(order)
        quantity, sign = order["quantity"], 1 if order["side"] == "Buy" else -1
        fee = price * quantity * rate
        self.held[self.instrument.base] += sign * quantity
        self.held[self.instrument.quote] -= sign * price * quantity + fee
        trade = Trade(self.tick["index"], self.tick["time"], order["side"], price, quantity, fee)
        self.trades.append(trade)
        told = {"quantity": number(quantity), "price": number(price), "fee": number(fee)}
        self._tell(order, "Filled", "", {**told, "feeAsset": self.instrument.quote})

    def _tell(self, order: Json, status: str, reason: str, trade: Optional[Json] = None) -> None:
        known = {name: order[name] for name in ("id", "tag") if name in order}
        self.news += self.take_denials()
        self.news.append({"type": "order", **known, "status": status, "reason": reason, **(trade or {})})

    def take_denials(self) -> list[dict[str, Any]]:
        """Those that were not told yet."""
        denials, self.waiting = self.waiting, []
        return denials


class Clock:
    """The bars and timers that a strategy asked for."""

    def __init__(self, ready: Json) -> None:
        self.bars = [(of["symbol"], of["interval"], of["lookBack"]) for of in ready["bars"]]
        # Bars that closed before the strategy is told anything, by interval; None once it is.
        self.waiting: Optional[dict[str, list[dict[str, Any]]]] = {interval: [] for _, interval, _ in self.bars}
        self.timers = [of["everySeconds"] * 1000 for of in ready["timers"]]
        self.making: dict[str, dict[str, Any]] = {}
        self.last: Optional[int] = None

    def events(self, tick: dict[str, Any]) -> list[dict[str, Any]]:
        """What a tick closes, what is due with it, and the tick; nothing before the bars looked back on are there."""
        closed = [bar for symbol, interval, _ in self.bars for bar in self._closed(symbol, interval, tick)]
        if self.waiting is not None:
            for bar in closed:
                self.waiting[bar["interval"]].append(bar)
            if any(len(self.waiting[interval]) < look_back for _, interval, look_back in self.bars):
                return []
            closed = [bar for _, interval, look_back in self.bars for bar in self.waiting[interval][-look_back:]]
            self.waiting = None
        due = [(every, tick["time"] // every * every) for every in self.timers]
        before, self.last = self.last, tick["time"]
        timers = [
            {"type": "timer", "time": time, "everySeconds": every // 1000}
            for every, time in due
            if before is not None and before < time
        ]
        return [*closed, *timers, tick]

    def _closed(self, symbol: str, interval: str, tick: Json) -> Iterator[dict[str, Any]]:
        bar = self._bar(symbol, interval, tick)
        if bar is not None:
            yield {"type": "bar", **{name: number(v) if isinstance(v, Decimal) else v for name, v in bar.items()}}

    def _bar(self, symbol: str, interval: str, tick: Json) -> Optional[dict[str, Any]]:
        every, price = int(interval[:-1]) * UNITS_MS[interval[-1]], Decimal(tick["price"])
        start, bar = tick["time"] // every * every, self.making.get(interval)
        closed = None if bar is None or bar["openTime"] == start else bar
        if bar is None or closed is not None:
            same = dict.fromkeys(("open", "high", "low", "close"), price)
            bar = {"symbol": symbol, "interval": interval, "openTime": start, **same, "volume": Decimal(0)}
            self.making[interval] = bar
        bar.update(high=max(bar["high"], price), low=min(bar["low"], price), close=price)
        bar["volume"] += Decimal(tick.get("volume", 0))
        return closed


def run(
    kind: Type[Strategy],
    data: Union[str, Path, Sequence[dict[str, Any]]],
    *,
    capital: Mapping[str, str],
    parameters: Optional[Mapping[str, Any]] = None,
    instrument: Instrument = Instrument("BTC/USDT", Decimal("0.01"), Decimal("0.00001"), Decimal(0)),
    fee_percent: str = "0",
) -> Result:
    """Runs a strategy on the ticks of a file, or on these, and saves and restores it after each one."""
    session, fee = Session(kind), Decimal(fee_percent) / 100
    market = Market(instrument, {asset: Decimal(amount) for asset, amount in capital.items()}, (fee, fee))
    steps = {"tickSize": instrument.tick_size, "lotSize": instrument.lot_size, "minNotional": instrument.min_notional}
    rules = {"symbol": instrument.symbol, **{name: number(value) for name, value in steps.items()}}
    start = {"v": 1, "type": "start", "strategy": "test", "mode": "Backtest", "instruments": [rules], "state": None}
    start["parameters"] = dict(parameters or {})
    clock = Clock(session.handle(start) or {})
    kit = Kit(session, market, start)
    for tick in ticks(data, instrument.symbol) if isinstance(data, (str, Path)) else data:
        market.take(tick)
        kit.ask(clock.events(tick))
        rounds = 0
        while market.news:
            rounds += 1
            if rounds > ROUNDS_MAX:
                raise RuntimeError(f"tick {tick['index']}: orders of one tick have made news {ROUNDS_MAX} times on it")
            kit.ask([])
    equity = market.held[instrument.quote] + market.held[instrument.base] * market.price
    return Result(market.trades, market.held, equity, kit.said, market.denied, start["state"])


class Kit:
    """Asks a strategy, as a worker does, and goes on from its saved state each time."""

    def __init__(self, session: Session, market: Market, start: dict[str, Any]) -> None:
        self.session, self.market, self.start = session, market, start
        self.said: list[tuple[int, str, str]] = []
        self.batch = 0
        # The last tick with retries of denied orders, and how many.
        self.retried = (-1, 0)

    def ask(self, events: list[dict[str, Any]]) -> None:
        """Tells the news of orders and these events, and carries out what the strategy wants."""
        market = self.market
        denials = market.take_denials() if events else []
        events, market.news = market.news + denials + events, []
        while events:
            self.batch += 1
            self.session.handle(self.start)
            answer = json.loads(json.dumps(self.session.handle(self._message(events))))
            last = events[answer["consumed"] - 1]
            events, self.start["state"] = events[answer["consumed"] :], answer["state"]
            denied = len(market.denied)
            for action in answer["actions"]:
                if "say" in action:
                    self.said.append((market.tick["index"], action["say"]["reason"], action["say"]["message"]))
                market.act(action)
            if last.get("status") == "Denied" and len(market.denied) > denied:
                self._count_retry()
        market.arrive()

    def _count_retry(self) -> None:
        """An order that answers a denial was denied: what is told of that must not grow without end."""
        index = self.market.tick["index"]
        at, count = self.retried
        self.retried = (index, count + 1 if at == index else 1)
        if self.retried[1] > RETRIES_MAX:
            raise RuntimeError(f"tick {index}: ordered again on {RETRIES_MAX} denials and was denied each time")

    def _message(self, events: list[dict[str, Any]]) -> dict[str, Any]:
        market, position = self.market, {}
        for asset, amount in market.held.items():
            reserved = market.reserved(asset)
            position[asset] = {"free": number(amount - reserved), "reserved": number(reserved)}
        orders = []
        for order in market.orders():
            decimals = {name: number(order[name]) for name in ("price", "quantity", "filled")}
            orders.append({**{name: order[name] for name in ("id", "tag", "symbol", "side")}, **decimals})
        equity = market.held[market.instrument.quote] + market.held[market.instrument.base] * market.price
        message = {"v": 1, "type": "events", "batch": self.batch, "position": position, "equity": number(equity)}
        return {**message, "orders": orders, "risk": {"state": "AllowAll", "reason": ""}, "events": events}
