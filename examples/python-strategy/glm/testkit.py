"""Runs a strategy on a CSV without a worker, for tests of its rules.

    result = testkit.run(Mean, "prices.csv", parameters={"window": 20}, capital={"USDT": "3000", "BTC": "0.34"})
    assert result.trades[0].price == Decimal("8620.00")

One market, whose orders arrive at once: one without a price, or that crosses, trades whole at the best price; one that
waits trades at its own price once the market passes it. No sizes on offer, no latency, and of risk only slippage, lots, the
least worth of an order, funds and the orders of a minute. What would halt it with a worker raises here. What `worker
backtest` says decides.
"""

from __future__ import annotations

import csv
import gzip
import json
import signal
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from pathlib import Path
from typing import Any, Iterator, Mapping, NamedTuple, NoReturn, Optional, Sequence, Type, Union

from .messages import MINUTES, Instrument, Json, Order, fields
from .session import Session
from .strategy import Strategy, number

ROUNDS_MAX = 16
RETRIES_MAX = 16
RATE_WINDOW_MS = 60_000
SLIPPAGE_MAX = Decimal("0.005")
STATE_MAX = 64 * 1024
START_MS = 30_000


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
    """What came of a run. `said` and `denied` begin with the number of their tick."""

    trades: list[Trade]
    position: dict[str, Decimal]
    equity: Decimal
    said: list[tuple[int, str, str]]
    denied: list[tuple[int, str]]
    state: Any


def told(values: Json) -> dict[str, Any]:
    """As messages have it: decimals as texts, without needless zeros."""
    return {name: number(value.normalize()) if isinstance(value, Decimal) else value for name, value in values.items()}


def ticks(path: Union[str, Path], symbol: str) -> Iterator[dict[str, Any]]:
    """The ticks of a CSV or CSV.gz: `time,price[,bid,ask][,volume]`, or candles, each of which is four."""
    with gzip.open(path, "rt") if str(path).endswith(".gz") else open(path, newline="") as file:
        for index, row in enumerate(moments(list(csv.DictReader(file)))):
            values = {name: Decimal(value) for name, value in row.items() if name != "time" and value}
            yield {"type": "tick", "index": index, "time": int(row["time"]), "symbol": symbol, **told(values)}


def moments(rows: list[dict[str, str]]) -> Iterator[dict[str, str]]:
    """Rows with a time and a price; of a candle open, low, high, close, or open, high, low, close where it fell."""
    if not rows or "open_time_ms" not in rows[0]:
        yield from rows
        return
    times = [int(row["open_time_ms"]) for row in rows]
    quarter = min((later - earlier for earlier, later in zip(times, times[1:])), default=4) // 4
    for start, row in zip(times, rows):
        rose = Decimal(row["close"]) >= Decimal(row["open"])
        for place, name in enumerate(("open", "low", "high", "close") if rose else ("open", "high", "low", "close")):
            volume = {"volume": row["volume"]} if name == "close" else {}
            yield {"time": str(start + place * quarter), "price": row[name], **volume}


class Market:
    """The exchange and the money of one strategy."""

    def __init__(self, instrument: Instrument, capital: Mapping[str, str], fee: Decimal, orders_per_minute: int) -> None:
        self.instrument, self.fee, self.orders_per_minute = instrument, fee, orders_per_minute
        self.held = {instrument.base: Decimal(0), instrument.quote: Decimal(0)}
        self.held.update((asset, Decimal(amount)) for asset, amount in capital.items())
        self.open: list[dict[str, Any]] = []
        # What each that was sent ends by its id, and what it brings.
        self.sent: list[tuple[Optional[int], Optional[dict[str, Any]]]] = []
        self.news: list[dict[str, Any]] = []
        # Denials, told before what happens next.
        self.waiting: list[dict[str, Any]] = []
        self.trades: list[Trade] = []
        self.denied: list[tuple[int, str]] = []
        # When orders of the last minute were made.
        self.made: list[int] = []
        self.next_id = 1
        self.tick: dict[str, Any] = {}
        self.price = Decimal(0)

    def take(self, tick: dict[str, Any]) -> None:
        """A tick: what waits and is passed by it trades, buys from the highest price down, then sells from the lowest."""
        self.tick, self.price = tick, Decimal(tick["price"])
        for order in sorted(self.open, key=lambda of: (of["side"], -of["price"] if of["side"] == "Buy" else of["price"])):
            is_quoted = ("ask" if order["side"] == "Buy" else "bid") in tick
            if self.crosses(order) and (is_quoted or self.price != order["price"]):
                self.open.remove(order)
                self._trade(order, order["price"])

    def best(self, side: str) -> Decimal:
        """The price at which an order of this side trades at once."""
        return Decimal(self.tick.get("ask" if side == "Buy" else "bid", self.price))

    def crosses(self, order: Json) -> bool:
        """Whether it trades at once."""
        limit: Decimal = order["price"]
        return self.best("Buy") <= limit if order["side"] == "Buy" else self.best("Sell") >= limit

    def cost(self, order: Json) -> tuple[str, Decimal]:
        """What it may take, and of which asset."""
        quantity: Decimal = order["quantity"]
        if order["side"] == "Sell":
            return self.instrument.base, quantity
        return self.instrument.quote, order["price"] * quantity * (1 + self.fee)

    def reserved(self, asset: str) -> Decimal:
        """What open orders, and those on their way, may take; one that takes another's place only what it takes beyond that."""
        costs = ((*self.cost(order), order["lent"]) for order in self.orders())
        return sum((max(amount - lent, Decimal(0)) for of, amount, lent in costs if of == asset), Decimal(0))

    def lent(self, old: Optional[Json]) -> Decimal:
        """What an open order lends to the first that is to take its place."""
        is_asked = any(order is not None and old is not None and ends == old["id"] for ends, order in self.sent)
        return self.cost(old)[1] if old is not None and old in self.open and not is_asked else Decimal(0)

    def equity(self) -> Decimal:
        """What all is worth at the last price."""
        return self.held[self.instrument.quote] + self.held[self.instrument.base] * self.price

    def orders(self) -> list[dict[str, Any]]:
        """What is open or on its way, by id."""
        return sorted(self.open + [order for _, order in self.sent if order is not None], key=lambda order: order["id"])

    def act(self, action: Json) -> None:
        """Sends what an action wants, as of the last tick. It arrives once the tick is told."""
        if "place" in action:
            self._place(action["place"])
            return
        change = action.get("cancel") or action.get("replace") or {"id": None}
        old = next((order for order in self.orders() if order["id"] == change["id"]), None)
        if old is not None and "replace" in action:
            self._place({**old, **change}, old)
        elif old is not None:
            self.sent.append((old["id"], None))
        elif "replace" in action:
            self._deny("", "NothingToReplace")

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

    def take_denials(self) -> list[dict[str, Any]]:
        """Those that were not told yet."""
        denials, self.waiting = self.waiting, []
        return denials

    def _place(self, wanted: Json, old: Optional[Json] = None) -> None:
        asked, side = wanted.get("price"), wanted["side"]
        step, lot = self.instrument.tick_size, self.instrument.lot_size
        # A best price off the tick is rounded so that it still crosses, a limit so that it is no worse than asked.
        outward = ROUND_CEILING if (side == "Buy") == (asked is None) else ROUND_FLOOR
        steps = (Decimal(self.best(side) if asked is None else asked) / step).to_integral_value(outward)
        price, quantity = (steps * step).quantize(step), Decimal(wanted["quantity"]) // lot * lot
        order = {**wanted, "symbol": self.instrument.symbol, "id": self.next_id, "price": price, "quantity": quantity}
        waits = asked is not None and wanted.get("timeInForce", "GTC") == "GTC"
        order.update(filled=Decimal(0), rests=waits, lent=self.lent(old))
        refusal = self._refusal(order, asked is None)
        if refusal:
            self._deny(order["tag"], refusal)
            return
        self.next_id += 1
        self.made.append(self.tick["time"])
        self.sent.append((None if old is None else old["id"], order))

    def _refusal(self, order: Json, at_best: bool) -> str:
        """Why the worker would not send it, by the first check that it fails."""
        asset, needed = self.cost(order)
        self.made = [made for made in self.made if self.tick["time"] - made < RATE_WINDOW_MS]
        checks = {
            "SlippageTooHigh": at_best and abs(self.best(order["side"]) - self.price) > SLIPPAGE_MAX * self.price,
            "BelowLotSize": order["quantity"] <= 0,
            "BelowMinNotional": order["price"] * order["quantity"] < self.instrument.min_notional,
            "InsufficientFunds": needed - order["lent"] > self.held[asset] - self.reserved(asset),
            "OrderRateExceeded": len(self.made) >= self.orders_per_minute,
        }
        return next((reason for reason, fails in checks.items() if fails), "")

    def _deny(self, tag: str, reason: str) -> None:
        """Told with what happens next."""
        self.denied.append((self.tick["index"], reason))
        self.waiting.append({"type": "order", "tag": tag, "status": "Denied", "reason": reason})

    def _enter(self, order: dict[str, Any]) -> None:
        order["lent"], crosses = Decimal(0), self.crosses(order)
        if crosses and order.get("postOnly"):
            self._tell(order, "Rejected", "PostOnlyWouldTake")
        elif crosses:
            self._trade(order, self.best(order["side"]).quantize(self.instrument.tick_size))
        elif order["rests"]:
            self.open.append(order)
            self._tell(order, "Accepted", "")
        else:
            self._tell(order, "Expired", "NotMarketable")

    def _trade(self, order: Json, price: Decimal) -> None:
        quantity, sign = order["quantity"], 1 if order["side"] == "Buy" else -1
        fee = price * quantity * self.fee
        self.held[self.instrument.base] += sign * quantity
        self.held[self.instrument.quote] -= sign * price * quantity + fee
        self.trades.append(Trade(self.tick["index"], self.tick["time"], order["side"], price, quantity, fee))
        trade = told({"quantity": quantity, "fee": fee, "feeAsset": self.instrument.quote})
        self._tell(order, "Filled", "", {**trade, "price": number(price)})

    def _tell(self, order: Json, status: str, reason: str, trade: Optional[Json] = None) -> None:
        update = {"type": "order", "id": order["id"], "tag": order["tag"], "status": status, "reason": reason}
        self.news += [*self.take_denials(), {**update, **(trade or {})}]


class Clock:
    """The bars and timers that a strategy asked for."""

    def __init__(self, ready: Json) -> None:
        self.bars = {of["interval"]: of["lookBack"] for of in ready["bars"]}
        # Bars that closed before the strategy is told anything, by interval; None once it is.
        self.early: Optional[dict[str, list[dict[str, Any]]]] = {interval: [] for interval in self.bars}
        self.timers = [of["everySeconds"] * 1000 for of in ready["timers"]]
        self.making: dict[str, dict[str, Any]] = {}
        self.last: Optional[int] = None

    def events(self, tick: dict[str, Any]) -> list[dict[str, Any]]:
        """What a tick closes, what is due with it, and the tick; nothing before the bars looked back on are there."""
        closed = [bar for interval in self.bars for bar in self._closed(interval, tick)]
        if self.early is not None:
            for bar in closed:
                self.early[bar["interval"]].append(bar)
            if any(len(self.early[interval]) < look_back for interval, look_back in self.bars.items()):
                return []
            closed = [bar for interval, look_back in self.bars.items() for bar in self.early[interval][-look_back:]]
            self.early = None
        due = [(every, tick["time"] // every * every) for every in self.timers]
        before, self.last = self.last, tick["time"]
        passed = [(every, at) for every, at in due if before is not None and before < at]
        timers = [{"type": "timer", "time": at, "everySeconds": every // 1000} for every, at in passed]
        return [*closed, *timers, tick]

    def _closed(self, interval: str, tick: Json) -> Iterator[dict[str, Any]]:
        every, price = MINUTES[interval] * 60_000, Decimal(tick["price"])
        start, bar = tick["time"] // every * every, self.making.get(interval)
        if bar is None or bar["openTime"] != start:
            if bar is not None:
                yield {"type": "bar", **told(bar)}
            bar = {"symbol": tick["symbol"], "interval": interval, "openTime": start, "volume": Decimal(0)}
            bar.update(dict.fromkeys(("open", "high", "low", "close"), price))
            self.making[interval] = bar
        bar.update(high=max(bar["high"], price), low=min(bar["low"], price), close=price)
        bar["volume"] += Decimal(tick.get("volume", 0))


@contextmanager
def alarm(seconds: float, late: Any) -> Iterator[None]:
    """Calls this after so long, in the middle of whatever runs; never where the system or the thread has no alarms."""
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGALRM, late)
    # Again and again: what it raises may be caught.
    signal.setitimer(signal.ITIMER_REAL, seconds, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class Kit:
    """Asks a strategy, as a worker does, and goes on from its saved state each time."""

    def __init__(self, session: Session, market: Market, start: dict[str, Any], timeout_ms: int) -> None:
        self.session, self.market, self.start, self.timeout_ms = session, market, start, timeout_ms
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
            self.handle(self.start)
            answer = self._checked(self.handle(self._message(events)))
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

    def handle(self, message: Json) -> Any:
        """Its answer, in its time: who takes longer is interrupted where there are alarms, else told once it has answered."""
        index = self.market.tick.get("index", 0)
        most_ms = max(START_MS, self.timeout_ms) if message is self.start else self.timeout_ms

        def late(*_: Any) -> NoReturn:
            raise TimeoutError(f"tick {index}: no answer to {message['type']} within {most_ms} ms, and no worker waits longer")

        begun = time.monotonic()
        with alarm(most_ms / 1000, late):
            answer = json.loads(json.dumps(self.session.handle(message)))
        if time.monotonic() - begun > most_ms / 1000:
            late()
        return answer

    def _checked(self, answer: Any) -> Any:
        """What a worker takes, apart from what the package itself refuses."""
        index, size = self.market.tick["index"], len(json.dumps(answer["state"], separators=(",", ":")))
        if size > STATE_MAX:
            raise ValueError(f"tick {index}: its state has {size} bytes; keep at most {STATE_MAX}")
        for id in (wanted["id"] for action in answer["actions"] for wanted in action.values() if "id" in wanted):
            if not 1 <= id < self.market.next_id:
                raise ValueError(f"tick {index}: no order has id {id}; take that of an order or of news of one")
        return answer

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
            position[asset] = told({"free": amount - reserved, "reserved": reserved})
        orders = [told({name: order[name] for name, _ in fields(Order)}) for order in market.orders()]
        message = {"v": 1, "type": "events", "batch": self.batch, "position": position, **told({"equity": market.equity()})}
        return {**message, "orders": orders, "risk": {"state": "AllowAll", "reason": ""}, "events": events}


def run(
    kind: Type[Strategy],
    data: Union[str, Path, Sequence[dict[str, Any]]],
    *,
    capital: Mapping[str, str],
    parameters: Optional[Mapping[str, Any]] = None,
    instrument: Instrument = Instrument("BTC/USDT", Decimal("0.01"), Decimal("0.00001"), Decimal(0)),
    fee_percent: str = "0",
    max_orders_per_minute: int = 10,
    timeout_ms: int = 1000,
) -> Result:
    """Runs a strategy on the ticks of a file, or on these, and saves and restores it after each one. An order above the rate
    is denied with OrderRateExceeded; an answer that takes longer than a worker would wait raises TimeoutError, and one that it
    would not take ValueError."""
    session = Session(kind)
    market = Market(instrument, capital, Decimal(fee_percent) / 100, max_orders_per_minute)
    rules = told(dict(zip((name for name, _ in fields(Instrument)), instrument)))
    start = {"v": 1, "type": "start", "strategy": "test", "mode": "Backtest", "instruments": [rules], "state": None}
    start["parameters"] = dict(parameters or {})
    kit = Kit(session, market, start, timeout_ms)
    clock = Clock(kit.handle(start))
    for tick in ticks(data, instrument.symbol) if isinstance(data, (str, Path)) else data:
        market.take(tick)
        kit.ask(clock.events(tick))
        for round in range(ROUNDS_MAX + 1):
            if not market.news:
                break
            if round == ROUNDS_MAX:
                raise RuntimeError(f"tick {tick['index']}: orders of one tick have made news {ROUNDS_MAX} times on it")
            kit.ask([])
    return Result(market.trades, market.held, market.equity(), kit.said, market.denied, start["state"])
