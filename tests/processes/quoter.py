"""A strategy for tests: a moving average that depends on every tick, by which it places, replaces and cancels orders.

Parameters: seed (whole number), log (a file that counts batches and their events; left out: none), die (the tick on which
it ends; left out: none).
"""

import json
import sys


def say(document):
    print(json.dumps({"v": 1, **document}), flush=True)


class Quoter:
    def __init__(self, start):
        self.parameters = start["parameters"]
        self.symbol = start["instruments"][0]["symbol"]
        self.base = self.symbol.split("/")[0]
        self.state = start["state"] or {
            "mean": None,
            "chance": self.parameters["seed"],
            "events": 0,
            "seen": {},
        }

    def draw(self, below):
        self.state["chance"] = (self.state["chance"] * 6364136223846793005 + 1442695040888963407) % 2**64
        return (self.state["chance"] >> 33) % below

    def on_tick(self, tick, told):
        price = float(tick["price"])
        mean = self.state["mean"]
        self.state["mean"] = mean = price if mean is None else mean * 0.97 + price * 0.03
        self.state["events"] += 1
        if self.parameters.get("die") == tick["index"]:
            print("it ends here", file=sys.stderr)
            sys.exit(3)
        if self.draw(5) != 0:
            return []
        orders, actions = told["orders"], []
        free = float(told["position"][self.base]["free"])
        offset = self.draw(60) / 100
        what = self.draw(10)
        if orders and what < 3:
            actions.append({"cancel": {"id": orders[self.draw(len(orders))]["id"]}})
        elif orders and what < 5:
            order = orders[self.draw(len(orders))]
            moved = mean - offset if order["side"] == "Buy" else mean + offset
            actions.append({"replace": {"id": order["id"], "price": f"{moved:.4f}"}})
        elif len(orders) < 6:
            side = "Sell" if price > mean and free > 1 else "Buy"
            place = {"tag": f"t{tick['index']}", "side": side, "quantity": "0.5"}
            if what < 9:
                place["price"] = f"{mean - offset if side == 'Buy' else mean + offset:.4f}"
            actions.append({"place": place})
            if what == 5:
                actions.append({"say": {"reason": f"Mean{side}", "message": f"around {mean:.3f}"}})
        return actions

    def on_other(self, event, told):
        self.state["events"] += 1
        self.state["seen"][event["type"]] = self.state["seen"].get(event["type"], 0) + 1
        if event["type"] == "order" and event["status"] == "Filled" and self.draw(3) == 0:
            return [{"place": {"side": "Sell", "quantity": "0.25", "price": f"{float(event['price']) + 0.4:.4f}"}}]
        if event["type"] == "timer" and self.draw(4) == 0:
            return [{"say": {"reason": "Timer", "message": f"at {event['time']} of {told['equity']}"}}]
        if event["type"] == "bar" and self.draw(4) == 0:
            return [{"place": {"tag": "bar", "side": "Buy", "quantity": "0.1"}}]
        return []

    def answer(self, told):
        for number, event in enumerate(told["events"], 1):
            handle = self.on_tick if event["type"] == "tick" else self.on_other
            actions = handle(event, told)
            if actions:
                return {"consumed": number, "actions": actions}
        return {"consumed": len(told["events"]), "actions": []}


def main():
    quoter = Quoter(json.loads(sys.stdin.readline()))
    bars = [{"symbol": quoter.symbol, "interval": "1m", "lookBack": 2}]
    say({"type": "ready", "bars": bars, "timers": [{"everySeconds": 30}, {"everySeconds": 45}]})
    for line in sys.stdin:
        told = json.loads(line)
        if told["type"] == "stop":
            break
        answer = quoter.answer(told)
        if "log" in quoter.parameters:
            with open(quoter.parameters["log"], "a", encoding="utf-8") as log:
                log.write(f"{len(told['events'])} {answer['consumed']}\n")
        say({"type": "answer", "batch": told["batch"], **answer, "state": quoter.state})


main()
