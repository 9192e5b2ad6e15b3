"""A strategy that leaves an order at rest and then does what its parameter `how` says. Without the package: it speaks the
protocol badly on purpose."""

import json
import os
import sys
import time


def line(document):
    sys.stdout.write(json.dumps({"v": 1, **document}) + "\n")
    sys.stdout.flush()


def answer(asked, consumed, *actions, state=None):
    return {"type": "answer", "batch": asked["batch"], "consumed": consumed, "actions": list(actions), "state": state}


def raw(text):
    sys.stdout.write(text)
    sys.stdout.flush()


def order(**fields):
    return {"place": {"side": "Buy", "quantity": "0.1", "price": "500", **fields}}


def flood(file):
    for number in range(50_000):
        file.write(f"line {number} of a flood, as long as some lines are\n")
    file.flush()


def lasting(*_):
    time.sleep(600)


def reach():
    """Whatever of its worker is within reach."""
    worker, got = os.getppid(), []
    for what in ("environ", "mem", "maps", "fd/0", "cwd/prices.csv"):
        try:
            with open(f"/proc/{worker}/{what}", "rb") as file:
                got.append(f"{what}: {file.read(1)!r}")
        except OSError:
            pass
    for what in (lambda: os.kill(worker, 0), os.fork, lambda: open("prices.csv").read()):
        try:
            got.append(repr(what()))
        except OSError:
            pass
    sys.exit(f"reached {got}, environment {sorted(os.environ)}")


def misbehave(how, asked):
    """Does it; whoever comes back has no more to say."""
    many = [{"cancel": {"id": 1}}] * 100_000
    acts = {
        "exits": lambda: sys.exit(0),
        "fails": lambda: 1 // 0,
        "stalls": lasting,
        "half": lambda: lasting(raw('{"v":1,"type":"ans')),
        "half-and-exits": lambda: sys.exit(raw('{"v":1,"type":"ans')),
        "long": lambda: lasting(raw("x" * (2 << 20) + "\n")),
        "nan": lambda: line(answer(asked, 1, state=float("nan"))),
        "nan-price": lambda: line(answer(asked, 1, order(price="NaN"))),
        "instrument": lambda: line(answer(asked, 1, order(symbol="ETH/USDT"))),
        "actions": lambda: line(answer(asked, 1, *many)),
        "consumed": lambda: line(answer(asked, 1_000_000)),
        "batch": lambda: line(answer({"batch": 77}, 1)),
        "text": lambda: raw("hello\n"),
        "bytes": lambda: os.write(1, b"\xff\xfe\n"),
        "floods-stdout": lambda: flood(sys.stdout),
        "floods-stderr": lambda: (flood(sys.stderr), sys.exit("the last line")),
        "memory": lambda: bytearray(4 << 30),
        "forks": lambda: [os.fork() for _ in range(1000)],
        "reach": reach,
    }
    acts[how]()


how, begun = None, False
for text in iter(sys.stdin.readline, ""):
    asked = json.loads(text)
    if asked["type"] == "start":
        how = asked["parameters"]["how"]
        line({"type": "ready"})
    elif asked["type"] == "stop":
        break
    elif not begun:
        begun = True
        line(answer(asked, 1, order()))
    elif any(event["type"] == "tick" for event in asked["events"]):
        misbehave(how, asked)
    else:
        line(answer(asked, len(asked["events"])))
