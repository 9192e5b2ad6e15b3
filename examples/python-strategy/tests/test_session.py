"""What a strategy answers, message by message."""

import io
import json
import sys
import unittest
from decimal import Decimal
from unittest import mock

import glm
from glm.session import Session

START = {
    "v": 1,
    "type": "start",
    "strategy": "counted",
    "mode": "Paper",
    "parameters": {"every": 3},
    "instruments": [{"symbol": "BTC/USDT", "tickSize": "0.01", "lotSize": "0.001", "minNotional": "5"}],
    "state": None,
}


def events(batch, *told):
    """A message with these events."""
    position = {"BTC": {"free": "1", "reserved": "0.5"}, "USDT": {"free": "100", "reserved": "0"}}
    orders = [{"id": 7, "tag": "b", "symbol": "BTC/USDT", "side": "Sell", "price": "30", "quantity": "0.5", "filled": "0"}]
    risk = {"state": "AllowAll", "reason": ""}
    message = {"v": 1, "type": "events", "batch": batch, "position": position, "equity": "130", "orders": orders}
    return {**message, "risk": risk, "events": list(told)}


def tick(index, price="20"):
    return {"type": "tick", "index": index, "time": 1000 * index, "symbol": "BTC/USDT", "price": price}


class Counted(glm.Strategy):
    """Buys on each nth tick, and notes all it is told."""

    def __init__(self, *start):
        super().__init__(*start)
        self.seen = 0
        self.told = []

    def bars(self):
        return [glm.Bars("BTC/USDT", "4h", 42)]

    def timers(self):
        return [60]

    def on_tick(self, tick, context):
        self.seen += 1
        if self.seen % self.parameters["every"] == 0:
            context.place("Buy", Decimal("1E+1"), tick.price, post_only=True, tag="a")

    def on_bar(self, bar, context):
        self.told.append(bar)

    def on_order(self, update, context):
        self.told.append(update)

    def on_timer(self, timer, context):
        context.cancel(7)
        context.replace(7, Decimal("0.25"), Decimal("31"))
        context.say("Timed", "a minute is over")

    def on_gap(self, symbol, context):
        self.seen = 0

    def save(self):
        return {"seen": self.seen, "half": Decimal("0.50")}

    def restore(self, state):
        self.seen = state["seen"]


class Messages(unittest.TestCase):
    def setUp(self):
        self.session = Session(Counted)
        self.ready = self.session.handle(START)

    def test_it_says_what_it_needs(self):
        bars = [{"symbol": "BTC/USDT", "interval": "4h", "lookBack": 42}]
        self.assertEqual(self.ready, {"v": 1, "type": "ready", "bars": bars, "timers": [{"everySeconds": 60}]})

    def test_what_there_is_not_is_not_asked_for(self):
        for bars, timers, words in (
            (["BTCUSDT", "4h", 1], [], "symbol 'BTCUSDT': write 'BTC/USDT'"),
            (["BTC/USDT", "4x", 1], [], "interval '4x': write '1m' or '5m'"),
            (["BTC/USDT", "4h", -3], [], "look_back -3: write 1 to 1000"),
            (["BTC/USDT", "4h", 1001], [], "look_back 1001: write 1 to 1000"),
            (None, ["1d"], "timers.. asks for seconds '1d': write 1 to 86400"),
            (None, [60, 60], "timers.. asks for .60, 60.: ask for each once, and for at most 16"),
        ):
            class Asks(glm.Strategy):
                def bars(self):
                    return [glm.Bars(*bars)] if bars else []

                def timers(self):
                    return timers

            with self.assertRaisesRegex(ValueError, words):
                Session(Asks).handle(START)

    def test_it_stops_at_the_first_event_on_which_it_acts(self):
        answer = self.session.handle(events(5, *(tick(index) for index in range(9))))
        self.assertEqual((answer["batch"], answer["consumed"]), (5, 3))
        self.assertEqual(answer["state"], {"seen": 3, "half": "0.50"})
        order = {"tag": "a", "side": "Buy", "quantity": "10", "price": "20", "postOnly": True}
        self.assertEqual(answer["actions"], [{"place": order}])

    def test_all_is_consumed_where_it_does_not_act(self):
        answer = self.session.handle(events(1, tick(0), tick(1)))
        self.assertEqual((answer["consumed"], answer["actions"]), (2, []))

    def test_each_kind_of_event_reaches_its_callback(self):
        bar = {"type": "bar", "symbol": "BTC/USDT", "interval": "4h", "openTime": 0, "open": "1", "high": "3"}
        bar.update(low="0.5", close="2", volume="9")
        update = {"type": "order", "id": 7, "tag": "b", "status": "Filled", "reason": "", "quantity": "0.5"}
        update.update(price="30", fee="0.01", feeAsset="USDT")
        unknown = {"type": "later", "of": "a later worker"}
        answer = self.session.handle(events(1, tick(0), bar, update, unknown, {"type": "gap", "symbol": "BTC/USDT"}))
        self.assertEqual((answer["consumed"], answer["state"]["seen"]), (5, 0))
        decimals = [Decimal(text) for text in ("1", "3", "0.5", "2", "9")]
        filled = glm.OrderUpdate(
            7, "b", "Filled", "", Decimal("0.5"), Decimal("30"), Decimal("0.01"), "USDT"
        )
        self.assertEqual(self.session.strategy.told, [glm.Bar("BTC/USDT", "4h", 0, *decimals), filled])

    def test_cancel_replace_and_say(self):
        answer = self.session.handle(events(1, {"type": "timer", "time": 60000, "everySeconds": 60}, tick(0)))
        self.assertEqual(answer["consumed"], 1)
        replace = {"id": 7, "quantity": "0.25", "price": "31"}
        said = {"reason": "Timed", "message": "a minute is over"}
        self.assertEqual(answer["actions"], [{"cancel": {"id": 7}}, {"replace": replace}, {"say": said}])

    def test_it_goes_on_from_its_state(self):
        session = Session(Counted)
        session.handle({**START, "state": {"seen": 2, "half": "0.50"}})
        self.assertEqual(session.handle(events(1, tick(0), tick(1)))["consumed"], 1)

    def test_another_version_is_refused(self):
        with self.assertRaises(ValueError):
            self.session.handle({**events(1, tick(0)), "v": 2})


class Parameters(unittest.TestCase):
    def started(self, parameters, ask=lambda strategy: strategy.integer("window", 20, 1, 500)):
        class Asks(glm.Strategy):
            def __init__(self, *start):
                super().__init__(*start)
                self.share = self.decimal("usePercent", 50) / 100
                self.asked = ask(self)

        session = Session(Asks)
        session.handle({**START, "parameters": parameters})
        return session.strategy.asked

    def test_they_are_as_written_or_their_default(self):
        for parameters, window in (({}, 20), ({"window": 5, "usePercent": "2.5"}, 5), ({"window": "500"}, 500)):
            self.assertEqual(self.started(parameters), window)

    def test_one_that_is_not_asked_for_is_refused(self):
        words = "parameter usePrecent is not asked for by __init__, which asks for usePercent, window; did you mean usePercent?"
        for name, refused in (("usePrecent", words), ("x", words.split(";")[0].replace("usePrecent", "x"))):
            with self.assertRaises(ValueError) as raised:
                self.started({name: 5})
            self.assertEqual(str(raised.exception), refused)

    def test_who_reads_them_all_checks_them(self):
        self.assertEqual(self.started({"usePrecent": 5}, lambda strategy: strategy.parameters["usePrecent"]), 5)

    def test_one_that_is_no_number_or_beyond_its_bounds_is_named_with_its_value(self):
        for window, words in {
            "abc": "parameter window is 'abc'; write an integer or a quoted decimal",
            True: "parameter window is True; write an integer or a quoted decimal",
            None: "parameter window is None; write",
            "NaN": "parameter window is 'NaN'; write",
            0.5: "parameter window is 0.5; write",
            (): "parameter window is (); write",
            0: "parameter window is 0; write at least 1 and at most 500",
            501: "parameter window is 501; write at least 1 and at most 500",
            "1.5": "parameter window is 1.5; write a whole number",
        }.items():
            with self.assertRaises(ValueError) as raised:
                self.started({"window": window})
            self.assertIn(words, str(raised.exception))
        with self.assertRaisesRegex(ValueError, "parameter share is -1; write at least 0$"):
            self.started({"share": -1}, lambda strategy: strategy.decimal("share", 1, 0))


class Contexts(unittest.TestCase):
    def setUp(self):
        Session(Counted)
        self.instruments = [glm.Instrument("BTC/USDT", Decimal("0.01"), Decimal("0.001"), Decimal(5))]
        self.context = glm.Context(events(1), self.instruments)

    def test_what_is_held(self):
        self.assertEqual(self.context.position("BTC"), glm.Position(Decimal(1), Decimal("0.5")))
        self.assertEqual(self.context.position("ETH").total, 0)
        self.assertEqual(self.context.equity(Decimal("20.02")), Decimal("130.03"))
        self.assertEqual(self.context.equity({"BTC/USDT": Decimal(20)}), 130)
        self.assertEqual([order.id for order in self.context.orders], [7])

    def test_risk_allows_sides(self):
        for state, sides in (("AllowAll", "BuySell"), ("BuyOnly", "Buy"), ("SellOnly", "Sell"), ("Halted", "")):
            risk = glm.Risk(state, "")
            self.assertEqual([side for side in ("Buy", "Sell") if risk.allows(side)], [s for s in ("Buy", "Sell") if s in sides])

    def test_a_float_is_no_money(self):
        for quantity in (0.1, True, "1", None, Decimal("NaN"), Decimal("Infinity")):
            with self.assertRaises(TypeError):
                self.context.place("Buy", quantity)
        with self.assertRaises(Exception):
            Decimal("0.1") * Decimal(0.1)

    def test_an_amount_is_whole_or_decimal_and_a_quotient_is_cut_to_what_messages_hold(self):
        cases = {1: "1", Decimal("1E+2"): "100", Decimal("0.10"): "0.10", Decimal(2) / 3: "0." + 18 * "6"}
        for quantity, text in {**cases, Decimal("1e-40"): "0." + 18 * "0"}.items():
            self.context.actions.clear()
            self.context.place("Buy", quantity, 1)
            self.context.replace(7, quantity, 1)
            amounts = [next(iter(action.values())) for action in self.context.actions]
            self.assertEqual([(of["quantity"], of["price"]) for of in amounts], 2 * [(text, "1")])
            if text in cases.values():
                self.context.replace(7, 0, quantity)
                self.assertEqual(self.context.actions[-1]["replace"]["price"], text)

    def test_what_a_worker_would_not_take_raises_at_the_call(self):
        place, one = self.context.place, Decimal(1)
        for words, call in {
            "quantity -1: write 0 or more and below 10^15": lambda: place("Buy", -1),
            "quantity 1000000000000000: write": lambda: self.context.replace(7, 10**15, 1),
            "price 0: write more than 0 and below 10^12": lambda: place("Buy", 1, 0),
            "price 0.000000000000000000: write": lambda: place("Buy", 1, Decimal("1e-19")),
            "price 1000000000000: write": lambda: place("Buy", 1, 10**12),
            "symbol 'ETH/USDT': write None or 'BTC/USDT'": lambda: place("Buy", one, symbol="ETH/USDT"),
            "time_in_force 'DAY': write None or 'GTC' or 'IOC' or 'FOK'": lambda: place("Buy", 1, 1, time_in_force="DAY"),
            "time_in_force 'GTC': write None or 'IOC'": lambda: place("Buy", 1, time_in_force="GTC"),
            "time_in_force 'FOK': write None or 'GTC'": lambda: place("Buy", 1, 1, time_in_force="FOK", post_only=True),
            "post_only without a price": lambda: place("Buy", 1, post_only=True),
            "write at most 64 letters": lambda: place("Buy", 1, tag=65 * "x"),
            "no order has id None": lambda: self.context.cancel(None),
            "a word of at most 64 letters and digits": lambda: self.context.say("", "why"),
            "a message of at most 512": lambda: self.context.say("Waits", 513 * "x"),
        }.items():
            with self.assertRaises((ValueError, TypeError)) as raised:
                call()
            self.assertIn(words, str(raised.exception))
        self.assertEqual(self.context.actions, [])
        for _ in range(256):
            self.context.cancel(7)
        with self.assertRaisesRegex(ValueError, "more than 256 actions on one event"):
            self.context.cancel(7)

    def test_of_several_markets_an_order_names_one(self):
        other = glm.Instrument("ETH/USDT", Decimal("0.01"), Decimal("0.001"), Decimal(5))
        context = glm.Context(events(1), [*self.instruments, other])
        with self.assertRaisesRegex(ValueError, "symbol None: write 'BTC/USDT' or 'ETH/USDT'"):
            context.place("Buy", Decimal(1))
        context.place("Buy", Decimal(1), symbol="ETH/USDT")
        self.assertEqual(context.actions[0]["place"]["symbol"], "ETH/USDT")

    def test_a_callback_that_nobody_calls_is_refused(self):
        with self.assertRaisesRegex(TypeError, "Misspelt.on_candle is never called; there are on_bar, on_gap, on_order"):

            class Misspelt(glm.Strategy):
                def on_candle(self, bar, context):
                    pass

    def test_a_side_is_buy_or_sell(self):
        with self.assertRaises(ValueError):
            self.context.place("buy", Decimal(1))

    def test_without_a_price_it_takes_what_there_is(self):
        self.context.place("Sell", Decimal(1), reduce_only=True)
        placed = {"tag": "", "side": "Sell", "quantity": "1", "reduceOnly": True}
        self.assertEqual(self.context.actions, [{"place": placed}])


class Loop(unittest.TestCase):
    """`glm.run` on lines, as a worker has it."""

    def answers(self, kind, *messages):
        lines = "".join(json.dumps(m) + "\n" for m in messages)
        out, log = io.StringIO(), io.StringIO()
        with mock.patch.multiple(sys, stdin=io.StringIO(lines), stdout=out, stderr=log):
            glm.run(kind)
        return [json.loads(line) for line in out.getvalue().splitlines()], log.getvalue()

    def test_one_line_each_and_nothing_after_stop(self):
        answers, _ = self.answers(Counted, START, events(1, tick(0)), {"v": 1, "type": "stop"}, events(2, tick(1)))
        self.assertEqual([answer["type"] for answer in answers], ["ready", "answer"])

    def test_what_it_prints_is_its_log(self):
        class Talks(Counted):
            def on_tick(self, tick, context):
                print("tick", tick.index)

        answers, log = self.answers(Talks, START, events(1, tick(0)))
        self.assertEqual((len(answers), log), (2, "tick 0\n"))

    def ended(self, act):
        """The words with which a strategy ends that does this on a tick."""

        class Acts(Counted):
            def on_tick(self, tick, context):
                act(tick)

        with self.assertRaises(SystemExit) as ended:
            self.answers(Acts, START, events(1, tick(0)))
        return ended.exception.code

    def test_an_error_of_the_strategy_ends_it_with_its_own_lines_alone(self):
        words = self.ended(lambda tick: {}["signal"]).splitlines()
        self.assertEqual((words[0], words[-1]), ("Traceback (most recent call last):", "KeyError: 'signal'"))
        self.assertEqual([line for line in words if "session.py" in line and "test_" not in line], [])
        self.assertTrue(any("test_session.py" in line for line in words), words)

    def test_who_computes_with_a_float_is_told_what_to_write(self):
        for act in (lambda tick: tick.price * 0.95, lambda tick: tick.price > 0.5, lambda tick: Decimal(0.95)):
            self.assertIn("Money is Decimal", self.ended(act).splitlines()[-1])
        self.assertEqual(self.ended(lambda tick: 1 / 0).splitlines()[-1], "ZeroDivisionError: division by zero")

    def test_who_keeps_what_a_restart_loses_is_warned_once(self):
        class Forgets(glm.Strategy):
            def __init__(self, *start):
                super().__init__(*start)
                self.prices, self.size = [], 3

            def on_tick(self, tick, context):
                self.prices.append(tick.price)

        _, log = self.answers(Forgets, START, events(1, tick(0)), events(2, tick(1)))
        self.assertEqual(log, "Forgets keeps prices and has no save(): a restart loses that\n")
        for kind in (glm.Strategy, Counted):
            self.assertEqual(self.answers(kind, START, events(1, tick(0)), events(2, tick(1)))[1], "")

    def test_a_number_with_a_point_is_as_exact_as_it_was_written(self):
        class Shows(Counted):
            def save(self):
                return self.parameters

        answers, _ = self.answers(Shows, {**START, "parameters": {"every": 3, "share": 1.10}}, events(1, tick(0)))
        self.assertEqual(answers[1]["state"], {"every": 3, "share": "1.1"})

    def test_a_float_in_state_is_refused(self):
        class Floats(Counted):
            def save(self):
                return {"mean": [Decimal(1), 0.5]}

        with self.assertRaisesRegex(SystemExit, "state holds 0.5"):
            self.answers(Floats, START, events(1, tick(0)))


if __name__ == "__main__":
    unittest.main()
