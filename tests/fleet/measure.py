"""What a fleet costs the operator, the API server and Redis where nodes and pods are fake and all else is real.
`tests/bench fleet` starts it in a cluster's box:

    measure.py OPERATOR FLEET KWOK RIGHTS AUDIT_LOG STRATEGIES ACCOUNTS MINUTES
"""

import subprocess
import sys
import tempfile
import time

import box
from box import NAMESPACE, say, until
from audit import Requests, by_kind

PLAYERS = 2
# Of both players together: what Redis has left beside the operator and the measurement.
CONNECTIONS = 19_000
CHANGES = 10
CHANGES_IN_RESYNC = 40
# How long what is settled is left alone between two looks, and a little.
RESYNC_SECONDS = 130
PLACED_WITHIN_SECONDS = 3600


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * share))] if values else float("nan")


class Fleet:
    def __init__(self, words, work):
        self.program, self.player, kwok, rights, audit, *numbers = words
        self.wanted, self.accounts = int(numbers[0]), int(numbers[1])
        self.at_rest_seconds = max(10, int(float(numbers[2]) * 60))
        self.work, self.made, self.table = work, 0, []
        self.redis = box.Redis(work)
        box.install(self.program, rights)
        self.others = box.start_nodes(self.player, kwok, work)
        self.kubeconfig = box.operators_kubeconfig(work)
        share = CONNECTIONS // PLAYERS
        self.players = [box.Player(self.player, work, share, part, PLAYERS) for part in range(PLAYERS)]
        self.operator = self.start_operator()
        until("the operator asks the API server", lambda: self.operator.counters())
        self.requests = Requests(audit)

    def end(self):
        for process in [self.operator, *self.players, *self.others, self.redis]:
            process.end()

    def start_operator(self):
        return box.Operator(self.program, self.work, self.kubeconfig)

    def row(self, what, value, goal=""):
        say(f"{what}: {value} {goal and '(goal ' + goal + ')'}")
        self.table.append((what, value, goal))

    def tell(self, word):
        for player in self.players:
            player.tell(word)

    def played(self):
        lines = [(player.lines() or [{}])[-1] for player in self.players]
        return {name: sum(line.get(name, 0) for line in lines) for name in ("settled", "beats", "reports", "failures")}

    def objects(self):
        return self.made + min(self.made, self.accounts)

    def make(self, count):
        words = [self.player, "create", NAMESPACE, str(self.made), str(count), str(self.accounts)]
        subprocess.run(words, check=True)
        self.made += count

    def are_running(self):
        """Whether all strategies trade; asked only once their programs say so, since the answer is long."""
        wanted = self.made + 2 * min(self.made, self.accounts)
        settled = self.played()["settled"]
        if time.monotonic() - self.told > 10:
            self.told = time.monotonic()
            say(f"{settled} of {wanted} programs at work; the operator holds {self.operator.memory_mb('VmRSS'):.0f} MB")
        self.operator.expect_alive()
        if settled < wanted:
            return False
        states = box.kubectl("-n", NAMESPACE, "get", "tradingstrategies", "-o", "jsonpath={.items[*].status.state}")
        return states.split().count("Running") == self.made

    def place(self, size):
        """Until so many strategies trade."""
        self.tell("start")
        since, before, self.told = time.time(), self.made, time.monotonic()
        self.make(size - self.made)
        made_after = time.time() - since
        until(f"{size} strategies trade", self.are_running, PLACED_WITHIN_SECONDS, 1)
        seconds = time.time() - since
        requests = self.requests.operators(since, time.time())
        what = f"first placement, {before} to {size} strategies"
        self.row(what, f"{seconds:.1f} s ({made_after:.1f} s of it to make them), {len(requests) / (size - before):.1f} requests each")
        say("by kind:\n" + "\n".join(by_kind(requests, seconds)))
        self.tell("beat")

    def latencies(self, changes, pause):
        """Makes strategies one after the other; how long until the pod of each is made."""
        names = [f"grid-{self.made + number}" for number in range(changes)]
        for _ in names:
            self.make(1)
            time.sleep(pause)

        def pods():
            self.requests.read()
            return all(self.requests.first("create", "pods", f"strategy-{name}-1") for name in names)

        until("the pods of new strategies are made", pods, 300, 1)
        first = self.requests.first
        return [
            first("create", "pods", f"strategy-{name}-1") - first("create", "tradingstrategies", name) for name in names
        ]

    def change(self, size):
        """What one new strategy costs among so many at rest."""
        before = self.usage(10)
        since, processor = time.time(), self.operator.processor_seconds()
        taken = self.latencies(CHANGES, 1)
        time.sleep(5)
        seconds = time.time() - since
        count = len(self.requests.operators(since, time.time())) - before["requests"] * seconds
        spent = self.operator.processor_seconds() - processor - before["processor"] * seconds
        self.row(
            f"a new strategy among {size}",
            f"pod after {percentile(taken, 0.5):.3f} s (worst {max(taken):.3f} s), {count / CHANGES:.0f} requests, "
            f"{spent / CHANGES * 1000:.0f} ms of processor",
            "flat from 100 to 10,000",
        )

    def usage(self, seconds):
        """What is spent a second in the next seconds."""
        def now():
            info = self.redis.info()
            played = self.played()
            redis = float(info["used_cpu_user"]) + float(info["used_cpu_sys"])
            log = int(info["aof_current_size"])
            looks = self.operator.counters().get("reconciles", 0)
            return [time.time(), self.operator.processor_seconds(), redis, log, played["beats"], played["reports"], looks]

        before = now()
        resident = []
        while time.time() < before[0] + seconds:
            time.sleep(1)
            resident.append(self.operator.memory_mb("VmRSS"))
        after = now()
        seconds = after[0] - before[0]
        names = ["processor", "redis", "log", "beats", "reports", "looks"]
        found = {name: (b - a) / seconds for name, a, b in zip(names, before[1:], after[1:])}
        requests = self.requests.operators(before[0], after[0])
        reads = sum(one.is_read() for one in requests)
        return {
            **found, "all": requests, "seconds": seconds, "requests": len(requests) / seconds, "reads": reads / seconds,
            "writes": (len(requests) - reads) / seconds, "resident": percentile(resident, 0.5),
        }

    def restart(self):
        """From the operator's start over a placed fleet until each object was looked at."""
        self.operator.end()
        self.operator = self.start_operator()
        since = self.operator.started
        wanted = self.objects()
        until("each object was looked at", lambda: self.operator.counters().get("reconciles", 0) >= wanted, 1800, 0.2)
        seconds = time.time() - since
        requests = self.requests.operators(since, time.time())
        seen = {(one.resource, one.name) for one in requests if one.verb == "get" and one.resource.startswith("trading")}
        self.row(f"from the operator's start to {wanted} looks", f"{seconds:.1f} s, {len(requests)} requests, {len(seen)} objects asked for", "< 60 s")
        say("by kind:\n" + "\n".join(by_kind(requests, seconds)))

    def change_in_resync(self):
        self.operator.end()
        self.operator = self.start_operator()
        until("the operator looks", lambda: self.operator.counters().get("reconciles", 0) >= 10)
        taken = self.latencies(CHANGES_IN_RESYNC, 0.1)
        self.row("a new strategy's pod while all are looked at", f"p50 {percentile(taken, 0.5):.3f} s, p99 {percentile(taken, 0.99):.3f} s", "p99 < 1 s")

    def at_rest(self, word):
        self.tell(word)
        if self.at_rest_seconds >= 60:
            time.sleep(RESYNC_SECONDS)
        else:
            time.sleep(10)
        used = self.usage(self.at_rest_seconds)
        what = {"beat": "at rest, all beat", "report": "at rest, all report"}[word]
        goals = {"writes": "0", "reads": "< 50"}
        for name, goal in goals.items():
            self.row(f"{what}: API {name} a second", f"{used[name]:.2f}", goal)
        self.row(f"{what}: looks a second", f"{used['looks']:.1f}")
        self.row(f"{what}: beats and reports a second", f"{used['beats']:.0f}, {used['reports']:.0f}")
        self.row(f"{what}: the operator's share of a core", f"{used['processor']:.1%}")
        self.row(f"{what}: Redis' share of a core, everysec", f"{used['redis']:.1%}", "< 25 %" if word == "beat" else "")
        self.row(f"{what}: append-only file", f"{used['log'] * 3600 / 1e6:.0f} MB/h")
        self.row(f"{what}: the operator's memory", f"{used['resident']:.0f} MB", "< 150 MB")
        say("by kind:\n" + "\n".join(by_kind(used["all"], used["seconds"])))

    def with_always(self):
        self.redis.cli("CONFIG", "SET", "appendfsync", "always")
        used = self.usage(min(60, self.at_rest_seconds))
        self.row("at rest, all report: Redis' share of a core, always", f"{used['redis']:.1%}")
        self.redis.cli("CONFIG", "SET", "appendfsync", "everysec")

    def measure(self):
        sizes = [size for size in (100, 1000) if size < self.wanted] + [self.wanted]
        for size in sizes:
            self.place(size)
            self.change(size)
        self.row("Redis' clients", self.redis.info()["connected_clients"])
        self.row("most memory of the operator while the fleet was placed", f"{self.operator.memory_mb('VmHWM'):.0f} MB", "< 256 MB")
        self.restart()
        self.row("most memory of the operator in a start", f"{self.operator.memory_mb('VmHWM'):.0f} MB", "< 256 MB")
        self.at_rest("beat")
        self.at_rest("report")
        self.with_always()
        self.tell("beat")
        self.change_in_resync()
        self.row("most memory of the operator in a resync", f"{self.operator.memory_mb('VmHWM'):.0f} MB", "< 256 MB")
        self.row("failures of played programs", self.played()["failures"])


def main():
    with tempfile.TemporaryDirectory() as work:
        fleet = Fleet(sys.argv[1:], work)
        try:
            fleet.measure()
        finally:
            print(f"{fleet.made} strategies on {min(fleet.made, fleet.accounts)} accounts")
            for what, value, goal in fleet.table:
                print(f"{what:64} {value}" + (f"   (goal: {goal})" if goal else ""))
            fleet.end()


main()
