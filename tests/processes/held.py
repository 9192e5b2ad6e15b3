"""A strategy for tests: it remembers each tick that it is told, buys and sells by turns on each third, and is held on one of
them: there it says so in a file, and answers once another one is there. It may be held on its first one too.

Parameters: quantity; hold, with at (the index of a tick), folder and first (whether it is held there).
"""

import json
import os
import sys
import time


def wait(hold, which):
    asked, released = (os.path.join(hold["folder"], which + name) for name in ("asked", "released"))
    open(asked, "w", encoding="utf-8").close()
    while not os.path.exists(released):
        time.sleep(0.001)


start = json.loads(sys.stdin.readline())
parameters = start["parameters"]
ticks = start["state"] or []
is_held = parameters["hold"]["first"]
print('{"v":1,"type":"ready"}', flush=True)
for line in sys.stdin:
    told = json.loads(line)
    if told["type"] == "stop":
        break
    consumed, actions = 0, []
    while consumed < len(told["events"]) and not actions:
        event = told["events"][consumed]
        consumed += 1
        if event["type"] != "tick":
            continue
        ticks.append(event["index"])
        if is_held:
            wait(parameters["hold"], "first-")
            is_held = False
        if event["index"] == parameters["hold"]["at"]:
            wait(parameters["hold"], "")
        if event["index"] % 3 == 0:
            side = "Sell" if event["index"] % 2 else "Buy"
            actions = [{"place": {"side": side, "quantity": parameters["quantity"]}}]
    answer = {"v": 1, "type": "answer", "batch": told["batch"], "consumed": consumed, "actions": actions, "state": ticks}
    print(json.dumps(answer), flush=True)
