"""What the test kit's market does: figures worked out by hand."""

import tempfile
import unittest
from decimal import Decimal
from pathlib import Path
from unittest import mock

import glm
from glm import testkit

RULES = glm.Instrument("BNB/USDT", Decimal("0.01"), Decimal("0.001"), Decimal(5))


class Script(glm.Strategy):
    """Does on each tick what its parameters say for its number."""

    def __init__(self, *start):
        super().__init__(*start)
        self.updates = []

    def on_tick(self, tick, context):
        for call, *arguments in self.parameters.get(str(tick.index), ()):
            getattr(context, call)(*arguments)

    def on_order(self, update, context):
        self.updates.append([update.id, update.status, update.reason])

    def save(self):
        return self.updates

    def restore(self, state):
        self.updates = state


def run(script, *prices, **more):
    ticks = [price if isinstance(price, dict) else {"price": price} for price in prices]
    ticks = [{"type": "tick", "index": n, "time": 1000 * n, "symbol": "BNB/USDT", **tick} for n, tick in enumerate(ticks)]
    parameters = {str(index): actions for index, actions in script.items()}
    more = {"capital": {"USDT": "1000", "BNB": "2"}, **more}
    return testkit.run(Script, ticks, parameters=parameters, instrument=RULES, **more)


def buy(quantity, price=None):
    return ("place", "Buy", Decimal(quantity), price and Decimal(price))


def sell(quantity, price=None):
    return ("place", "Sell", Decimal(quantity), price and Decimal(price))


def shown(result):
    return [f"{t.index} {t.side} {t.quantity} @ {t.price}, fee {t.fee}" for t in result.trades]


class Trading(unittest.TestCase):
    def test_a_market_order_takes_the_best_price(self):
        quoted = {"price": "100", "bid": "99.99", "ask": "100.01"}
        result = run({0: [buy("1")], 1: [sell("2.0009")]}, quoted, quoted, fee_percent="0.1")
        self.assertEqual(shown(result), ["0 Buy 1.000 @ 100.01, fee 0.10001000", "1 Sell 2.000 @ 99.99, fee 0.19998000"])
        # 1000 - 100.01 - 0.10001 + 199.98 - 0.19998
        self.assertEqual(result.position, {"USDT": Decimal("1099.67001"), "BNB": 1})
        self.assertEqual(result.equity, Decimal("1199.67001"))

    def test_what_waits_trades_at_its_own_price_once_it_is_passed(self):
        result = run({0: [buy("1", "99"), sell("1", "101")]}, "100", "99", "98.5", "101", "101.01")
        self.assertEqual(shown(result), ["2 Buy 1.000 @ 99.00, fee 0.00000", "4 Sell 1.000 @ 101.00, fee 0.00000"])

    def test_with_quotes_it_trades_as_soon_as_they_meet_it(self):
        quoted = {"price": "99.5", "bid": "98.9", "ask": "99"}
        self.assertEqual(shown(run({0: [buy("1", "99")]}, "100", quoted)), ["1 Buy 1.000 @ 99.00, fee 0.00000"])

    def test_an_order_that_crosses_trades_at_the_best_price(self):
        self.assertEqual(shown(run({0: [buy("1", "110")]}, "100")), ["0 Buy 1.000 @ 100.00, fee 0.00000"])

    def test_a_replacement_needs_what_it_takes_beyond_the_order_it_replaces(self):
        # 900 are reserved: one that replaces may take 1,000, a second one of the same order only the 100 that are free.
        script = {0: [buy("10", "90")], 1: [("replace", 1, Decimal(10), Decimal(100)), ("replace", 1, Decimal(2), Decimal(90))]}
        self.assertEqual(run(script, "101", "101").denied, [(1, "InsufficientFunds")])
        script[1][0] = ("replace", 1, Decimal("10.001"), Decimal(100))
        self.assertEqual(run(script, "101", "101").denied, [(1, "InsufficientFunds")])

    def test_what_is_not_covered_is_denied(self):
        # What waits reserves its worth and fee; coins that an open order sells are not sold again.
        result = run(
            {0: [buy("10", "90"), buy("1.2", "90"), sell("2", "110"), sell("0.1"), buy("0.0004"), buy("0.01")]},
            "100",
        )
        self.assertEqual([reason for _, reason in result.denied], ["InsufficientFunds"] * 2 + ["BelowLotSize", "BelowMinNotional"])

    def test_a_cancel_and_a_replacement(self):
        result = run({0: [buy("1", "90"), buy("1", "91")], 1: [("cancel", 1), ("replace", 2, Decimal(2), Decimal(95))]}, "100", "100", "94")
        self.assertEqual(shown(result), ["2 Buy 2.000 @ 95.00, fee 0.00000"])
        told = [[1, "Accepted", ""], [2, "Accepted", ""], [1, "Canceled", ""], [2, "Canceled", ""], [3, "Accepted", ""]]
        self.assertEqual(result.state, [*told, [3, "Filled", ""]])

    def test_an_order_at_the_best_price_that_slips_too_far_is_denied(self):
        ticks = [{"price": "100", "ask": ask} for ask in ("100.5", "100.51")]
        result = run({0: [buy("1")], 1: [buy("1")]}, *ticks)
        self.assertEqual((len(result.trades), result.denied), (1, [(1, "SlippageTooHigh")]))

    def test_more_orders_in_a_minute_than_the_worker_sends_are_denied(self):
        # A replacement is an order as well; a cancel is none, and what was denied counts for nothing.
        script = {0: [buy("0.1", "90"), buy("0.01"), buy("0.1", "90")], 1: [("replace", 1, Decimal("0.1"), Decimal(91))]}
        script.update({59: [("cancel", 2), buy("0.1", "90")], 60: [buy("0.1", "90")]})
        result = run(script, *61 * ["100"], max_orders_per_minute=3)
        expected = [(0, "BelowMinNotional"), (59, "OrderRateExceeded")]
        self.assertEqual(result.denied, expected)
        # Ten where nothing is said.
        result = run({0: 11 * [buy("0.1", "90")]}, "100")
        self.assertEqual(result.denied, [(0, "OrderRateExceeded")])

    def test_an_answer_that_takes_longer_than_a_worker_waits_is_told(self):
        # Without alarms, as in another thread: two looks at the clock for each of two answers, and for each start before.
        with mock.patch("threading.current_thread"):
            for took, allowed in ((1.0, 1000), (0.02, 20)):
                with mock.patch("time.monotonic", side_effect=[5] * 8 + [7, 7 + took]):
                    run({}, "100", "100", timeout_ms=allowed)
                with mock.patch("time.monotonic", side_effect=[5] * 8 + [7, 7 + took + 0.001]):
                    words = f"tick 1: no answer to events within {allowed} ms"
                    with self.assertRaisesRegex(TimeoutError, words):
                        run({}, "100", "100", timeout_ms=allowed)

    def test_one_that_never_answers_is_interrupted(self):
        class Endless(Script):
            def on_tick(self, tick, context):
                while True:
                    try:
                        self.updates.append(len(self.updates)) or self.updates.clear()
                    except ValueError:
                        pass

        ticks = [{"type": "tick", "index": 0, "time": 0, "symbol": "BNB/USDT", "price": "100"}]
        with self.assertRaisesRegex(TimeoutError, "tick 0: no answer to events within 20 ms"):
            testkit.run(Endless, ticks, capital={"USDT": "1"}, instrument=RULES, timeout_ms=20)

    def test_what_halts_with_a_worker_raises(self):
        for act, words in {
            ("cancel", 7): "tick 0: no order has id 7",
            ("replace", 0, 1, 1): "tick 0: no order has id 0",
            ("place", "Buy", Decimal(-1)): "quantity -1: write 0 or more and below 10.15",
            ("say", "no word", ""): "say.'no word', '..: a word of at most 64 letters",
        }.items():
            with self.assertRaisesRegex(ValueError, words):
                run({0: [act]}, "100")

        class Keeps(Script):
            def save(self):
                return self.parameters["letters"] * "x"

            def restore(self, state):
                pass

        ticks = [{"type": "tick", "index": 0, "time": 0, "symbol": "BNB/USDT", "price": "100"}]
        more = {"capital": {"USDT": "1"}, "instrument": RULES}
        testkit.run(Keeps, ticks, parameters={"letters": 65534}, **more)
        with self.assertRaisesRegex(ValueError, "tick 0: its state has 65537 bytes; keep at most 65536"):
            testkit.run(Keeps, ticks, parameters={"letters": 65535}, **more)

    def test_a_market_that_it_does_not_trade_is_refused(self):
        class Elsewhere(Script):
            def on_tick(self, tick, context):
                context.place("Buy", Decimal(1), symbol="ETH/USDT")

        ticks = [{"type": "tick", "index": 0, "time": 0, "symbol": "BNB/USDT", "price": "100"}]
        with self.assertRaisesRegex(ValueError, "symbol 'ETH/USDT': write None or 'BNB/USDT'"):
            testkit.run(Elsewhere, ticks, capital={"USDT": "1"}, instrument=RULES)

    def test_what_it_says(self):
        self.assertEqual(run({1: [("say", "Waits", "for more")]}, "100", "100").said, [(1, "Waits", "for more")])


class Timed(glm.Strategy):
    def __init__(self, *start):
        super().__init__(*start)
        self.told = []

    def bars(self):
        return [glm.Bars("BNB/USDT", "1m", 1)]

    def timers(self):
        return [30]

    def on_bar(self, bar, context):
        self.told.append([bar.open_time, *map(str, bar[3:])])

    def on_timer(self, timer, context):
        self.told.append(timer.time)

    def save(self):
        return self.told

    def restore(self, state):
        self.told = state


class Time(unittest.TestCase):
    def test_bars_close_and_timers_are_due_with_the_first_tick_that_is_later(self):
        rows = ((61000, "10", "1"), (62000, "12", "2"), (91000, "9", "1"), (130000, "11", "5"))
        ticks = [
            {"type": "tick", "index": n, "time": time, "symbol": "BNB/USDT", "price": price, "volume": volume}
            for n, (time, price, volume) in enumerate(rows)
        ]
        result = testkit.run(Timed, ticks, capital={"USDT": "1"}, instrument=RULES)
        # The timer at 90 s was due before the first bar had closed, and nothing was told until then.
        self.assertEqual(result.state, [[60000, "10", "12", "9", "9", "4"]])
        later = {"type": "tick", "index": 4, "time": 185000, "symbol": "BNB/USDT", "price": "12"}
        result = testkit.run(Timed, [*ticks, later], capital={"USDT": "1"}, instrument=RULES)
        self.assertEqual(result.state[1:], [[120000, "11", "11", "11", "11", "5"], 180000])


class Early(Script):
    """Acts on a timer, and again on the tick that made it due."""

    def timers(self):
        return [1]

    def on_timer(self, timer, context):
        context.place("Buy", Decimal(1), tag="timer")

    def on_tick(self, tick, context):
        self.updates.append([order.tag for order in context.orders] + [int(context.position("USDT").free)])


class Sending(unittest.TestCase):
    def run_early(self, script, count, **more):
        ticks = [{"type": "tick", "index": n, "time": 1000 * n, "symbol": "BNB/USDT", "price": "100"} for n in range(count)]
        return testkit.run(script, ticks, capital={"USDT": "1000", "BNB": "2"}, instrument=RULES, **more)

    def test_what_is_sent_on_a_timer_arrives_behind_the_tick(self):
        result = self.run_early(Early, 2)
        # The tick shows the order on its way and what it reserves; its trade is news of the round after.
        self.assertEqual(result.state, [[1000], ["timer", 900], [1, "Filled", ""]])

    def test_orders_that_are_sent_again_on_each_denial_end_as_with_a_worker(self):
        class Again(Early):
            def on_timer(self, timer, context):
                for _ in range(3):
                    context.place("Buy", Decimal(50))

            def on_order(self, update, context):
                self.on_timer(None, context)

        with self.assertRaisesRegex(RuntimeError, "ordered again on 16 denials"):
            self.run_early(Again, 9)


class Files(unittest.TestCase):
    def read(self, text):
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "data.csv"
            file.write_text(text)
            return list(testkit.ticks(file, "BNB/USDT"))

    def test_ticks_with_quotes(self):
        (tick,) = self.read("time,price,bid,ask,volume\n5,1.50,1.4,1.6,\n")
        named = {"type": "tick", "index": 0, "time": 5, "symbol": "BNB/USDT"}
        self.assertEqual(tick, {**named, "price": "1.5", "bid": "1.4", "ask": "1.6"})

    def test_a_candle_is_four_ticks(self):
        head = "open_time_ms,open,high,low,close,volume\n"
        read = self.read(f"{head}0,5,9,1,6,7\n60000,6,9,1,5,8\n")
        self.assertEqual([tick["price"] for tick in read], ["5", "1", "9", "6", "6", "9", "1", "5"])
        self.assertEqual([tick["time"] for tick in read][:5], [0, 15000, 30000, 45000, 60000])
        self.assertEqual([tick.get("volume") for tick in read][3::4], ["7", "8"])


if __name__ == "__main__":
    unittest.main()
