"""How fast two known engines take market data on this machine: `measure.py hftbacktest|nautilus [TICKS]`.

Prints one JSON object a line in the form of `worker bench --json`. The data are made before the clock starts: a walk of
prices in steps of a cent, a quote of one cent around each. What is timed is the run alone; of three runs the fastest
counts, so that what is compiled on the first one is not timed.
"""

import json
import sys
import time

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND
STEP = SECOND // 10
RUNS = 3


def walk(ticks):
    """Prices in cents: the walk of `worker bench`, that stays between the bands of a grid around 600."""
    state, cents, prices = 0x9E3779B97F4A7C15, 60_000, []
    for _ in range(ticks):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        step = (state >> 59) - 15
        following = cents + (step or 1)
        cents = following if 58_900 <= following <= 61_100 else cents - step
        prices.append(cents)
    return prices


def told(name, count, seconds):
    figure = {"name": name, "perSecond": int(count / min(seconds)), "instructions": None}
    print(json.dumps(figure, separators=(",", ":")), flush=True)


def hftbacktest(ticks):
    """A replay that only looks, and one that quotes both sides every 100 ms. Counted are events: a trade, or a level of
    the book that changes; a tick of ours is up to five of them."""
    import numpy as np
    from hftbacktest import BUY, GTX, LIMIT, SELL, BacktestAsset, HashMapMarketDepthBacktest
    from hftbacktest import BUY_EVENT, DEPTH_EVENT, EXCH_EVENT, LOCAL_EVENT, SELL_EVENT, TRADE_EVENT
    from hftbacktest.types import event_dtype
    from numba import njit

    both = EXCH_EVENT | LOCAL_EVENT
    rows, bid = [], None
    for place, cents in enumerate(walk(ticks)):
        at = START + place * STEP
        if bid != cents - 1:
            if bid is not None:
                rows.append((DEPTH_EVENT | BUY_EVENT | both, at, bid, 0.0))
                rows.append((DEPTH_EVENT | SELL_EVENT | both, at, bid + 2, 0.0))
            bid = cents - 1
            rows.append((DEPTH_EVENT | BUY_EVENT | both, at, bid, 10.0))
            rows.append((DEPTH_EVENT | SELL_EVENT | both, at, bid + 2, 10.0))
        side = BUY_EVENT if place % 2 else SELL_EVENT
        rows.append((TRADE_EVENT | side | both, at, cents + (1 if place % 2 else -1), 0.01))
    data = np.zeros(len(rows), dtype=event_dtype)
    for field, column in zip(("ev", "exch_ts", "px", "qty"), zip(*rows)):
        data[field] = column
    data["local_ts"] = data["exch_ts"]
    data["px"] = np.round(data["px"] / 100, 2)

    @njit
    def look(backtest):
        seen = 0
        while backtest.elapse(100_000_000) == 0:
            seen += backtest.depth(0).best_bid_tick > 0
        return seen

    @njit
    def quote(backtest):
        order, sent = 1, 0
        while backtest.elapse(100_000_000) == 0:
            backtest.clear_inactive_orders(0)
            depth, orders = backtest.depth(0), backtest.orders(0)
            bid, ask = depth.best_bid - 0.05, depth.best_ask + 0.05
            has_bid, has_ask = False, False
            values = orders.values()
            while values.has_next():
                open_order = values.get()
                wanted = bid if open_order.side == BUY else ask
                if abs(open_order.price - wanted) > 0.1:
                    if open_order.cancellable:
                        backtest.cancel(0, open_order.order_id, False)
                elif open_order.side == BUY:
                    has_bid = True
                else:
                    has_ask = True
            if not has_bid:
                backtest.submit_buy_order(0, order, bid, 0.01, GTX, LIMIT, False)
                order, sent = order + 1, sent + 1
            if not has_ask:
                backtest.submit_sell_order(0, order, ask, 0.01, GTX, LIMIT, False)
                order, sent = order + 1, sent + 1
        return sent

    for name, loop in (("hftbacktest-quiet", look), ("hftbacktest-quoting", quote)):
        seconds = []
        for _ in range(RUNS):
            asset = (
                BacktestAsset()
                .data([data])
                .linear_asset(1.0)
                .constant_order_latency(0, 0)
                .risk_adverse_queue_model()
                .no_partial_fill_exchange()
                .trading_value_fee_model(0.001, 0.001)
                .tick_size(0.01)
                .lot_size(0.001)
            )
            backtest = HashMapMarketDepthBacktest([asset])
            begin = time.perf_counter()
            done = loop(backtest)
            seconds.append(time.perf_counter() - begin)
            backtest.close()
            if done < ticks / 100:
                sys.exit(f"{name}: only {done} steps did anything")
        told(name, len(rows), seconds)


def nautilus(ticks):
    """A replay of quotes to a strategy that only looks."""
    from decimal import Decimal

    from nautilus_trader.backtest.config import BacktestEngineConfig
    from nautilus_trader.backtest.engine import BacktestEngine
    from nautilus_trader.config import LoggingConfig
    from nautilus_trader.model.currencies import BTC, USDT
    from nautilus_trader.model.data import QuoteTick
    from nautilus_trader.model.enums import AccountType, OmsType
    from nautilus_trader.model.identifiers import Venue
    from nautilus_trader.model.objects import Money, Price, Quantity
    from nautilus_trader.test_kit.providers import TestInstrumentProvider
    from nautilus_trader.trading.strategy import Strategy

    instrument = TestInstrumentProvider.btcusdt_binance()
    size = Quantity(10, instrument.size_precision)
    digits = instrument.price_precision
    quotes = [
        QuoteTick(instrument.id, Price((cents - 1) / 100, digits), Price((cents + 1) / 100, digits), size, size, at, at)
        for at, cents in ((START + place * STEP, cents) for place, cents in enumerate(walk(ticks)))
    ]

    class Look(Strategy):
        seen = 0

        def on_start(self):
            self.subscribe_quote_ticks(instrument.id)

        def on_quote_tick(self, tick):
            self.seen += 1

    seconds = []
    for _ in range(RUNS):
        engine = BacktestEngine(config=BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True)))
        engine.add_venue(
            venue=Venue("BINANCE"),
            oms_type=OmsType.NETTING,
            account_type=AccountType.CASH,
            base_currency=None,
            starting_balances=[Money(1_000_000, USDT), Money(10, BTC)],
        )
        engine.add_instrument(instrument)
        engine.add_data(quotes)
        strategy = Look()
        engine.add_strategy(strategy)
        begin = time.perf_counter()
        engine.run()
        seconds.append(time.perf_counter() - begin)
        if strategy.seen != ticks:
            sys.exit(f"nautilus: {strategy.seen} of {ticks} quotes were seen")
        engine.dispose()
    told("nautilus-quiet", ticks, seconds)


if __name__ == "__main__":
    names = {"hftbacktest": hftbacktest, "nautilus": nautilus}
    if len(sys.argv) < 2 or sys.argv[1] not in names:
        sys.exit(__doc__)
    names[sys.argv[1]](int(sys.argv[2]) if len(sys.argv) > 2 else 400_000)
