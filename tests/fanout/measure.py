"""How long a trade is under way from an exchange to the engine of each worker of one symbol, in the ten seconds around the
densest second of the recording. `tests/bench fanout` starts it:

    measure.py WORKER MARKET_SERVER RECORDING PORT WORKERS...
"""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from bisect import bisect_left, bisect_right

# The densest second begins 217 s behind the recording's beginning; the exchange begins before it and goes on behind it.
HISTORY_SECONDS = 205
PLAYED_SECONDS = 20
AROUND_SECONDS = 5
START_WITHIN_SECONDS = 300
TICK_SECONDS = 1 / os.sysconf("SC_CLK_TCK")

ACCOUNT = """apiVersion: glm.trading/v1alpha1
kind: TradingAccount
metadata: {name: paper}
spec:
  venue: {paper: {balances: {USDT: 9000000}, fees: {makerPercent: "0.1", takerPercent: "0.1"}}}
  marketData: {binance: {market: Spot, endpoint: local}}
"""
STRATEGY = """---
apiVersion: glm.trading/v1alpha1
kind: TradingStrategy
metadata: {name: stamps-%d}
spec:
  accountRef: {name: paper}
  instruments: [{symbol: BTC/USDT, rules: {tickSize: "0.01", lotSize: "0.00001"}}]
  capital: {USDT: 1000}
  strategy: {custom: {name: stamps, parameters: {}}}
"""


def until(what, probe):
    end = time.monotonic() + START_WITHIN_SECONDS
    while time.monotonic() < end:
        found = probe()
        if found:
            return found
        time.sleep(0.05)
    raise SystemExit(f"fanout: timed out: {what}")


def processor_seconds(pids):
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/stat") as stat:
            fields = stat.read().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total * TICK_SECONDS


def resident_kb(pid):
    with open(f"/proc/{pid}/status") as status:
        return int(re.search(r"VmRSS:\s+(\d+)", status.read())[1])


class Scene:
    """The processes of one measurement; they end with it."""

    def __init__(self, programs, port, count):
        self.worker, self.market_server, self.recording = programs
        self.port, self.count, self.processes = port, count, []
        self.folder = tempfile.TemporaryDirectory()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end(self.processes)
        self.folder.cleanup()

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def start(self, name, command, **options):
        log = open(self.path(f"{name}.log"), "w")
        options = {"stdout": log, "stderr": log, **options}
        process = subprocess.Popen(command, **options)
        self.processes.append(process)
        return process

    def end(self, processes):
        for process in processes:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in processes:
            process.wait(60)

    def redis(self, *words):
        command = ["redis-cli", "-p", str(self.port), "--raw", *words]
        return subprocess.run(command, capture_output=True, text=True).stdout.strip()

    def control(self, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(self.endpoints["control"] + path, data) as answer:
            return json.load(answer)

    def listens(self):
        return any("btcusdt@trade" in one["streams"] for one in self.control("/control/state")["connections"])

    def started(self):
        for process in self.processes:
            if process.poll() is not None:
                logs = {name: open(self.path(name)).read()[-800:] for name in os.listdir(self.folder.name) if ".log" in name}
                raise SystemExit(f"fanout: {process.args} has ended: {logs}")
        phases = [self.redis("HGET", f"glm:{{default/paper}}:state:strategy-stamps-{n}", "field:phase") for n in range(self.count)]
        return all("Trading" in phase for phase in phases) and self.listens()

    def open(self):
        """Starts all, and waits until the last of them waits for its first tick."""
        server = [self.market_server, "--recording", self.recording, "--history", str(HISTORY_SECONDS), "--paused"]
        self.server = self.start("server", [*server, "--written", self.path("written")], stdout=subprocess.PIPE, text=True)
        self.endpoints = json.loads(self.server.stdout.readline())
        redis = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "yes"]
        self.redis_server = self.start("redis", [*redis, "--dir", self.folder.name])
        until("redis answers", lambda: self.redis("PING") == "PONG")
        with open(self.path("fleet.yaml"), "w") as manifest:
            manifest.write(ACCOUNT + "".join(STRATEGY % number for number in range(self.count)))
        hosts = f"local={self.endpoints['rest']},{self.endpoints['stream']}"
        create = [self.worker, "ledger", "create", self.path("fleet.yaml"), "--redis", f"redis://127.0.0.1:{self.port}"]
        created = subprocess.run([*create, "--endpoint", hosts], capture_output=True, text=True)
        if created.returncode != 0:
            raise SystemExit(f"fanout: {created.stderr}")
        self.workers, self.roles = [], {}
        for line in created.stdout.splitlines():
            words = shlex.split(line)
            owner = words[words.index("--owner") + 1]
            stamps = {**os.environ, "STAMPS": self.path(f"{owner}.stamps")}
            process = self.start(owner, [self.worker, *words[1:]], env=stamps)
            if words[1] == "strategy":
                self.workers.append(process)
            else:
                self.roles[words[1]] = process
        until("all wait for their first tick", self.started)

    def play(self):
        """Plays the seconds around the burst. Gives the processor times by the machine's clock."""
        parts = {
            "redis": [self.redis_server.pid],
            "feed": [self.roles["feed"].pid],
            "gateway": [self.roles["gateway"].pid],
            "market server": [self.server.pid],
            "workers": [worker.pid for worker in self.workers],
        }
        samples = []
        self.control("/control/clock", {"paused": False})
        end = time.monotonic() + PLAYED_SECONDS
        while time.monotonic() < end:
            samples.append((time.time(), {name: processor_seconds(pids) for name, pids in parts.items()}))
            time.sleep(0.5)
        self.control("/control/clock", {"paused": True})
        self.resident = max(resident_kb(worker.pid) for worker in self.workers)
        return samples

    def first_trade(self):
        """The exchange's number of the trade that is tick 0."""
        key = self.redis("KEYS", "glm:{default/binance-spot-*}:state:feed")
        position = json.loads(self.redis("HGET", key, "field:positions"))["BTC/USDT"]
        return position["id"] - position["next"] + 1


def written(path):
    """When each trade was written first, in ns."""
    moments = {}
    with open(path) as lines:
        for line in lines:
            moment, _, trade = line.split()
            moments.setdefault(int(trade), int(moment))
    return moments


def stamps(path):
    with open(path) as lines:
        return [(int(number), int(moment)) for number, moment in map(str.split, lines)]


def percentile(values, percent):
    values = sorted(values)
    return values[min(len(values) - 1, len(values) * percent // 100)]


def measure(programs, port, count):
    with Scene(programs, port, count) as scene:
        scene.open()
        load = os.getloadavg()[0]
        samples = scene.play()
        last = max(written(scene.path("written")))
        key = scene.redis("KEYS", "glm:{default/binance-spot-*}:state:feed")
        until("the feed has taken all", lambda: json.loads(scene.redis("HGET", key, "field:positions"))["BTC/USDT"]["id"] >= last)
        first = scene.first_trade()
        scene.end(scene.workers)
        moments = written(scene.path("written"))
        order = sorted(moments.values())
        peak = max(order, key=lambda start: bisect_right(order, start + 10**9) - bisect_left(order, start))
        begins, ends = peak - AROUND_SECONDS * 10**9, peak + (AROUND_SECONDS + 1) * 10**9
        wanted = {trade - first for trade, moment in moments.items() if begins <= moment < ends and trade >= first}
        delays = []
        for number in range(count):
            of_worker = {tick: moment for tick, moment in stamps(scene.path(f"strategy-stamps-{number}.stamps"))}
            missing = wanted - of_worker.keys()
            if missing:
                raise SystemExit(f"fanout: worker {number} has not taken {len(missing)} of {len(wanted)} ticks")
            delays.append([(of_worker[tick] - moments[tick + first]) / 1e6 for tick in wanted])
        p99 = sorted(percentile(one, 99) for one in delays)
        within = [sample for sample in samples if begins <= sample[0] * 1e9 < ends]
        (from_time, before), (to_time, after) = within[0], within[-1]
        share = {name: (after[name] - before[name]) / (to_time - from_time) * 100 for name in before}
        print(
            f"{count} workers, {len(wanted)} ticks in {(ends - begins) // 10**9} s, load {load:.1f}: p99 from the server's write to the "
            f"engine's step {p99[0]:.0f} to {p99[-1]:.0f} ms, half of the workers at most {p99[len(p99) // 2]:.0f} ms; of a core "
            + ", ".join(f"{name} {percent:.0f} %" for name, percent in share.items())
            + f"; a worker holds {scene.resident / 1024:.0f} MB",
            flush=True,
        )
        return p99[-1], share, scene.resident


def main():
    programs, port = sys.argv[1:4], int(sys.argv[4])
    figures = {}
    for count in map(int, sys.argv[5:]):
        figures[count] = measure(programs, port, count)
    (few, (_, low, _)), (many, (_, high, resident)) = min(figures.items()), max(figures.items())
    if few == many:
        return
    cores = os.cpu_count()
    for name in ("redis", "feed", "gateway", "workers"):
        each = (high[name] - low[name]) / (many - few)
        if each <= 0:
            print(f"1,000 workers: {name} takes no more than with {few}")
            continue
        at, room = low[name] + each * (1000 - few), cores if name == "workers" else 1
        reach = few + max(0, 100 * room - low[name]) / each
        print(
            f"1,000 workers: {name} {at / 100:.1f} cores, {each:.2f} % of one for each worker more; {room} "
            f"{'core is' if room == 1 else 'cores are'} full with {reach:,.0f} workers"
        )
    print(f"1,000 workers: {resident * 1000 / 1048576:.1f} GB of memory")


main()
