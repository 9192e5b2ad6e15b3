"""The protocol: one JSON document a line from the worker on stdin, and one to it on stdout."""

from __future__ import annotations

import decimal
import json
import os
import sys
import traceback
from decimal import Decimal
from typing import Any, Callable, Optional, Type

from .messages import Bar, Instrument, Json, OrderUpdate, Tick, Timer
from .strategy import Context, Strategy

VERSION = 1


class ProtocolError(Exception):
    """The worker said what this package does not understand."""


class Session:
    """One strategy and its worker, message by message: what `run` does with stdin and stdout, and tests without."""

    def __init__(self, kind: Type[Strategy]) -> None:
        # Products of money are exact at 60 digits, and a float among them is an error.
        traps = [decimal.InvalidOperation, decimal.DivisionByZero, decimal.Overflow, decimal.FloatOperation]
        decimal.setcontext(decimal.Context(prec=60, rounding=decimal.ROUND_HALF_EVEN, traps=traps))
        self.kind = kind
        self.strategy: Optional[Strategy] = None
        # What a strategy without `save` held before its first event; None once nobody needs to be warned.
        self.begun: Optional[dict[str, str]] = {} if kind.save is Strategy.save else None

    def handle(self, message: Json) -> Optional[dict[str, Any]]:
        """The answer to a message; None where there is none to give."""
        if message.get("v") != VERSION:
            raise ProtocolError(f"message of version {message.get('v')!r}; this package speaks {VERSION}")
        kind = message.get("type")
        if kind == "start":
            return self._start(message)
        if kind == "events":
            if self.strategy is None:
                raise ProtocolError("events before start")
            return self._events(self.strategy, message)
        # What a later worker says beside these asks for no answer.
        return None

    def _start(self, message: Json) -> dict[str, Any]:
        instruments = [Instrument.read(given) for given in message["instruments"]]
        strategy = self.kind(message["strategy"], message["mode"], message["parameters"], instruments)
        if message.get("state") is not None:
            strategy.restore(message["state"])
        self.strategy = strategy
        self.begun = None if self.begun is None else shown(strategy)
        bars = [{"symbol": of.symbol, "interval": of.interval, "lookBack": of.look_back} for of in strategy.bars()]
        timers = [{"everySeconds": seconds} for seconds in strategy.timers()]
        return {"v": VERSION, "type": "ready", "bars": bars, "timers": timers}

    def _events(self, strategy: Strategy, message: Json) -> dict[str, Any]:
        context = Context(message, strategy.instruments)
        consumed = 0
        for event in message["events"]:
            consumed += 1
            tell(strategy, event, context)
            if context.actions:
                break
        self._warn(strategy)
        answer = {"v": VERSION, "type": "answer", "batch": message["batch"], "consumed": consumed}
        return {**answer, "actions": context.actions, "state": exact(strategy.save())}


    def _warn(self, strategy: Strategy) -> None:
        """Says once what a restart would lose."""
        changed = [] if self.begun is None else [name for name, held in shown(strategy).items() if self.begun.get(name) != held]
        if changed:
            self.begun = None
            lost = f"{self.kind.__name__} keeps {', '.join(changed)} and has no save(): a restart loses that"
            print(lost, file=sys.stderr, flush=True)


def shown(strategy: Strategy) -> dict[str, str]:
    """What it holds, by name."""
    return {name: repr(value) for name, value in vars(strategy).items()}


def tell(strategy: Strategy, event: Json, context: Context) -> None:
    """Calls what an event calls. One that this package does not know is passed over."""
    kind = event["type"]
    if kind == "tick":
        strategy.on_tick(Tick.read(event), context)
    elif kind == "bar":
        strategy.on_bar(Bar.read(event), context)
    elif kind == "order":
        strategy.on_order(OrderUpdate.read(event), context)
    elif kind == "timer":
        strategy.on_timer(Timer.read(event), context)
    elif kind == "gap":
        strategy.on_gap(event["symbol"], context)


def exact(state: Any) -> Any:
    """State as JSON that reads back as it was."""
    if state is None or isinstance(state, (str, bool, int)):
        return state
    if isinstance(state, Decimal):
        return str(state)
    if isinstance(state, dict):
        return {str(name): exact(value) for name, value in state.items()}
    if isinstance(state, (list, tuple)):
        return [exact(value) for value in state]
    raise TypeError(f"state holds {state!r}: keep Decimals, whole numbers, texts, lists and dicts; a float is not exact")


def run(kind: Type[Strategy]) -> None:
    """Serves a worker until it says stop or is gone. Ends with what the strategy raises: the worker then halts it."""
    try:
        serve(kind)
    except Exception as error:
        sys.exit(explained(error))


def explained(error: Exception) -> str:
    """What was raised, where in the strategy, and what to do about a float: without the frames of this package."""
    told = traceback.TracebackException.from_exception(error)
    told.stack[:] = [frame for frame in told.stack if os.path.dirname(frame.filename) != os.path.dirname(__file__)]
    words = "".join(told.format()).rstrip()
    if isinstance(error, decimal.FloatOperation) or ("'float'" in words and "'decimal.Decimal'" in words):
        words += '\nMoney is Decimal: write Decimal("0.95") for 0.95, and Decimal(str(x)) for a float x that was computed'
    return words


def serve(kind: Type[Strategy]) -> None:
    """Answers a worker line by line."""
    session, answers = Session(kind), sys.stdout
    # Whatever the strategy prints is its log, and never a half answer.
    sys.stdout = sys.stderr
    # A number with a point, as parameters may hold it, is as exact as it was written.
    read: Callable[[str], Any] = json.JSONDecoder(parse_float=Decimal).decode
    for line in iter(sys.stdin.readline, ""):
        message = read(line)
        if message.get("type") == "stop":
            return
        answer = session.handle(message)
        if answer is not None:
            answers.write(json.dumps(answer, separators=(",", ":")) + "\n")
            answers.flush()
