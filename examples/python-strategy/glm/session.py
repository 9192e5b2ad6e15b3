"""The protocol: one JSON document a line from the worker on stdin, and one to it on stdout."""

from __future__ import annotations

import decimal
import json
import os
import sys
import traceback
from decimal import Decimal
from typing import Any, Optional, Type

from .messages import MINUTES, Bar, Instrument, Json, OrderUpdate, Timer, read, read_tick
from .strategy import Context, Strategy, choose

TOLD = {"bar": Bar, "order": OrderUpdate, "timer": Timer}


class Session:
    """One strategy and its worker, message by message: what `run` does with stdin and stdout, and tests without."""

    def __init__(self, kind: Type[Strategy]) -> None:
        # Products of money are exact at 60 digits, and a float among them is an error.
        traps = [decimal.InvalidOperation, decimal.DivisionByZero, decimal.Overflow, decimal.FloatOperation]
        decimal.setcontext(decimal.Context(prec=60, rounding=decimal.ROUND_HALF_EVEN, traps=traps))
        self.kind = kind
        # What a strategy without `save` held before its first event; None once nobody needs to be warned.
        self.begun: Optional[dict[str, str]] = None

    def handle(self, message: Json) -> Optional[dict[str, Any]]:
        """The answer to a message; None for one that asks for none, such as a later worker may say."""
        if message["v"] != 1:
            raise ValueError(f"a message of version {message['v']}, and this package speaks 1: take the worker's own")
        answer = {"start": self._start, "events": self._events}.get(message["type"])
        return None if answer is None else {"v": 1, **answer(message)}

    def _start(self, message: Json) -> Json:
        instruments = [read(Instrument, given) for given in message["instruments"]]
        self.strategy = self.kind(message["strategy"], message["mode"], message["parameters"], instruments)
        self.strategy.check_parameters()
        if message["state"] is not None:
            self.strategy.restore(message["state"])
        self.begun = shown(self.strategy) if self.kind.save is Strategy.save else None
        return {"type": "ready", **needs(self.strategy)}

    def _events(self, message: Json) -> Json:
        context, consumed = Context(message, self.strategy.instruments), 0
        for consumed, event in enumerate(message["events"], 1):
            tell(self.strategy, event, context)
            if context.actions:
                break
        self._warn()
        answer = {"type": "answer", "batch": message["batch"], "consumed": consumed}
        return {**answer, "actions": context.actions, "state": exact(self.strategy.save())}

    def _warn(self) -> None:
        """Says once what a restart would lose."""
        if self.begun is not None and self.begun != shown(self.strategy):
            lost = [name for name, held in shown(self.strategy).items() if self.begun.get(name) != held]
            self.begun = None
            print(f"{self.kind.__name__} keeps {', '.join(lost)} and has no save(): a restart loses that", file=sys.stderr)


def needs(strategy: Strategy) -> Json:
    """What it asks for, of what there is."""
    bars, timers = strategy.bars(), strategy.timers()
    for of in bars:
        choose(f"bars() asks for {of}; symbol", of.symbol, [instrument.symbol for instrument in strategy.instruments])
        choose(f"bars() asks for {of}; interval", of.interval, list(MINUTES))
        choose(f"bars() asks for {of}; look_back", of.look_back, range(1, 1001))
    for every in timers:
        choose("timers() asks for seconds", every, range(1, 86401))
    for name, asked in (("bars", [of[:2] for of in bars]), ("timers", list(timers))):
        if len(set(asked)) < len(asked) or len(asked) > 16:
            raise ValueError(f"{name}() asks for {asked}: ask for each once, and for at most 16")
    told = [{"symbol": of.symbol, "interval": of.interval, "lookBack": of.look_back} for of in bars]
    return {"bars": told, "timers": [{"everySeconds": every} for every in timers]}


def shown(strategy: Strategy) -> dict[str, str]:
    """What it holds, by name."""
    return {name: repr(value) for name, value in vars(strategy).items() if name != "_asked"}


def tell(strategy: Strategy, event: Json, context: Context) -> None:
    """Calls what an event calls. One that this package does not know is passed over."""
    kind = event["type"]
    if kind == "tick":
        strategy.on_tick(read_tick(event), context)
    elif kind == "gap":
        strategy.on_gap(event["symbol"], context)
    elif kind in TOLD:
        getattr(strategy, f"on_{kind}")(read(TOLD[kind], event), context)


def exact(state: Any) -> Any:
    """State as JSON that reads back as it was."""
    if isinstance(state, dict):
        return {str(name): exact(value) for name, value in state.items()}
    if isinstance(state, (list, tuple)):
        return [exact(value) for value in state]
    if state is None or isinstance(state, (str, int, Decimal)):
        return str(state) if isinstance(state, Decimal) else state
    raise TypeError(f"state holds {state!r}: keep Decimals, whole numbers, texts, lists and dicts; a float is not exact")


def run(kind: Type[Strategy]) -> None:
    """Serves a worker until it says stop or is gone. Ends with what the strategy raises: the worker then halts it."""
    session, answers = Session(kind), sys.stdout
    # Whatever the strategy prints is its log, and never a half answer.
    sys.stdout = sys.stderr
    try:
        for line in sys.stdin:
            # A number with a point, as parameters may hold it, is as exact as it was written.
            message = json.loads(line, parse_float=Decimal)
            if message["type"] == "stop":
                return
            answer = session.handle(message)
            if answer is not None:
                print(json.dumps(answer, separators=(",", ":")), file=answers, flush=True)
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
