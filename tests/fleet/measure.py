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


class LookedAt:
    """When an operator that has just started has looked at all: the last of so many objects was asked for, or, where a look
    asks for none, no look was begun for a while."""

    QUIET_SECONDS = 5

    def __init__(self, fleet, objects):
        self.fleet, self.objects = fleet, objects
        self.looks, self.since = 0, time.time()

    def __call__(self):
        first = self.fleet.requests.asked_for(self.fleet.operator.started)
        if len(first) >= self.objects:
            return max(first.values())
        looks = self.fleet.operator.reconciles()
        if looks != self.looks:
            self.looks, self.since = looks, time.time()
        return self.since if looks and time.time() - self.since > self.QUIET_SECONDS else None


class Fleet:
    def __init__(self, words, work):
        self.program, self.player, kwok, rights, audit, *numbers = words
        self.wanted, self.accounts = int(numbers[0]), int(numbers[1])
        self.at_rest_seconds = max(2, int(float(numbers[2]) * 60))
        self.short_seconds = min(10, self.at_rest_seconds)
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
        processor = self.operator.processor_seconds()
        self.make(size - self.made)
        made_after = time.time() - since
        until(f"{size} strategies trade", self.are_running, PLACED_WITHIN_SECONDS, 1)
        seconds = time.time() - since
        requests = self.requests.operators(since, time.time())
        self.row(
            f"first placement, {before} to {size} strategies",
            f"{seconds:.1f} s ({made_after:.1f} s of it to make them); {len(requests) / (size - before):.1f} requests and "
            f"{(self.operator.processor_seconds() - processor) / (size - before) * 1000:.0f} ms of processor each",
        )
        self.row("failed looks of the operator so far", f"{self.operator.failed():.0f}", "0")
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
        before = self.usage(self.short_seconds)
        since, processor = time.time(), self.operator.processor_seconds()
        taken = self.latencies(CHANGES, 1)
        time.sleep(5)
        seconds = time.time() - since
        requests = self.requests.operators(since, time.time())
        count = len(requests) - before["requests"] * seconds
        spent = self.operator.processor_seconds() - processor - before["processor"] * seconds
        self.row(
            f"a new strategy among {size}",
            f"pod after {percentile(taken, 0.5):.3f} s (worst {max(taken):.3f} s), {count / CHANGES:.0f} requests, "
            f"{spent / CHANGES * 1000:.0f} ms of processor",
            "flat from 100 to 10,000",
        )
        say("by kind:\n" + "\n".join(by_kind(requests, seconds)))

    def usage(self, seconds):
        """What is spent a second in the next seconds."""
        def now():
            info = self.redis.info()
            played = self.played()
            redis = float(info["used_cpu_user"]) + float(info["used_cpu_sys"])
            log = int(info["aof_current_size"])
            looks = self.operator.reconciles()
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
        ended = until("each object was looked at", LookedAt(self, wanted), 1800, 0.2)
        processor = self.operator.processor_seconds()
        seconds = ended - since
        requests = self.requests.operators(since, ended)
        seen = len(self.requests.asked_for(since))
        self.row(
            "from the operator's start to an empty queue",
            f"{seconds:.1f} s, {processor:.1f} s of processor, {len(requests)} requests; it asked for {seen} of {wanted} objects",
            "< 60 s",
        )
        say("by kind:\n" + "\n".join(by_kind(requests, seconds)))

    def change_in_resync(self):
        self.operator.end()
        self.operator = self.start_operator()
        until("the operator looks", lambda: self.operator.reconciles() >= 10)
        taken = self.latencies(min(CHANGES_IN_RESYNC, self.wanted), 0.1)
        told = f"p50 {percentile(taken, 0.5):.3f} s, p99 {percentile(taken, 0.99):.3f} s"
        self.row("a new strategy's pod while all are looked at", told, "p99 < 1 s")
        self.row("failed looks of the operator meanwhile", f"{self.operator.failed():.0f}", "0")

    def at_rest(self, word):
        self.tell(word)
        time.sleep(RESYNC_SECONDS if word == "beat" and self.at_rest_seconds >= 60 else self.short_seconds)
        used = self.usage(self.at_rest_seconds)
        what = {"beat": "at rest, all beat", "report": "at rest, all report"}[word]
        goals = {"writes": "0", "reads": "< 50"}
        for name, goal in goals.items():
            self.row(f"{what}: API {name} a second", f"{used[name]:.2f}", goal)
        self.row(f"{what}: looks a second", f"{used['looks']:.1f}")
        self.row(f"{what}: beats and reports a second", f"{used['beats']:.0f}, {used['reports']:.0f}")
        late = max(line["late_ms"] for player in self.players for line in player.lines()[-int(used["seconds"]) :])
        self.row(f"{what}: the latest turn of a played program", f"{late} ms")
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
        self.most_memory("while the fleet was placed")
        self.restart()
        self.most_memory("in a start")
        self.at_rest("beat")
        self.at_rest("report")
        self.with_always()
        self.tell("beat")
        self.change_in_resync()
        self.most_memory("in a start with news")
        self.row("failures of played programs", self.played()["failures"])

    def most_memory(self, when):
        self.row(f"most memory of the operator {when}", f"{self.operator.memory_mb('VmHWM'):.0f} MB", "< 256 MB")


def main():
    with tempfile.TemporaryDirectory() as work:
        try:
            fleet = Fleet(sys.argv[1:], work)
        except box.TooLate as late:
            raise SystemExit(f"fleet: {late}") from late
        try:
            fleet.measure()
        except box.TooLate as late:
            # A figure too: what is not measured behind it is missing in the table.
            fleet.row("the measurement ended early", str(late))
        finally:
            print(f"{fleet.made} strategies on {min(fleet.made, fleet.accounts)} accounts")
            for what, value, goal in fleet.table:
                print(f"{what:64} {value}" + (f"   (goal: {goal})" if goal else ""))
            fleet.end()


main()
