"""A strategy for measuring: an average that depends on every tick, and no order."""

import json, sys
start = json.loads(sys.stdin.readline())
print('{"v":1,"type":"ready"}', flush=True)
mean = start["state"] or 0.0
for line in sys.stdin:
    told = json.loads(line)
    if told["type"] == "stop":
        break
    for event in told["events"]:
        if event["type"] == "tick":
            mean += (float(event["price"]) - mean) * 0.01
    print(json.dumps({"v": 1, "type": "answer", "batch": told["batch"], "consumed": len(told["events"]), "state": mean}), flush=True)
