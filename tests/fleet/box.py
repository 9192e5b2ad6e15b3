"""The processes of a fleet without real nodes: a store, fake nodes, the operator, and who plays its pods."""

import json
import os
import subprocess
import sys
import time
import urllib.request

NAMESPACE = "trading"
REDIS_PORT = 7401
ADMIN = "127.0.0.1:7402"
REDIS = f"redis://127.0.0.1:{REDIS_PORT}"
# An open file each, and the server keeps 32 for itself: of 20,000 that a process may have open.
MAX_CLIENTS = 19_968
NODES = 100
STAGES = os.path.join(os.path.dirname(__file__), "stages.yaml")
TICK_SECONDS = 1 / os.sysconf("SC_CLK_TCK")
START_WITHIN_SECONDS = 60


def say(text):
    print(f"fleet: {text}", file=sys.stderr, flush=True)


class TooLate(Exception):
    """What was waited for did not come in time."""


def until(what, probe, seconds=START_WITHIN_SECONDS, pause=0.1):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = probe()
        if found:
            return found
        time.sleep(pause)
    raise TooLate(f"not within {seconds} s: {what}")


def kubectl(*words, given=None):
    done = subprocess.run(["kubectl", *words], input=given, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"fleet: kubectl {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


class Process:
    """A program that ends with this one; its words go to a file."""

    def __init__(self, name, words, work, environment=None, **streams):
        self.name, self.log_path = name, os.path.join(work, f"{name}.log")
        with open(self.log_path, "a") as log:
            streams.setdefault("stdout", log)
            self.child = subprocess.Popen(words, stderr=log, env={**os.environ, **(environment or {})}, **streams)
        self.started = time.time()

    def expect_alive(self):
        if self.child.poll() is not None:
            with open(self.log_path) as log:
                raise SystemExit(f"fleet: {self.name} ended with {self.child.returncode}: {log.read()[-800:]}")

    def end(self):
        if self.child.poll() is None:
            self.child.kill()
        self.child.wait()

    def processor_seconds(self):
        with open(f"/proc/{self.child.pid}/stat") as stat:
            fields = stat.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) * TICK_SECONDS

    def memory_mb(self, field):
        """VmRSS: now; VmHWM: the most that it ever had."""
        with open(f"/proc/{self.child.pid}/status") as status:
            line = next(line for line in status if line.startswith(field))
        return int(line.split()[1]) / 1000


class Redis(Process):
    def __init__(self, work):
        words = ["redis-server", "--port", str(REDIS_PORT), "--bind", "127.0.0.1", "--save", "", "--dir", work]
        words += ["--appendonly", "yes", "--appendfsync", "everysec", "--auto-aof-rewrite-percentage", "0"]
        super().__init__("redis", [*words, "--maxclients", str(MAX_CLIENTS)], work)
        until("Redis answers", lambda: self.cli("PING") == "PONG")
        allowed = int(self.cli("CONFIG", "GET", "maxclients").split()[-1])
        if allowed < MAX_CLIENTS:
            say(f"Redis takes {allowed} clients, not {MAX_CLIENTS}; raise the bound on open files")

    def cli(self, *words):
        words = ["redis-cli", "-p", str(REDIS_PORT), *words]
        return subprocess.run(words, capture_output=True, text=True).stdout.strip()

    def info(self):
        pairs = (line.strip().partition(":") for line in self.cli("INFO").splitlines())
        return {name: value for name, _, value in pairs}


class Player(Process):
    """Plays the gateways, feeds and workers of its share of the pods."""

    def __init__(self, fleet, work, connections, part, parts):
        words = [fleet, "play", NAMESPACE, REDIS, str(connections), f"{part}/{parts}"]
        self.lines_path = os.path.join(work, f"played-{part}")
        with open(self.lines_path, "w") as lines:
            super().__init__(f"player-{part}", words, work, stdin=subprocess.PIPE, stdout=lines)

    def tell(self, word):
        self.child.stdin.write(f"{word}\n".encode())
        self.child.stdin.flush()

    def lines(self):
        self.expect_alive()
        with open(self.lines_path) as lines:
            return [json.loads(line) for line in lines.read().splitlines(keepends=True) if line.endswith("\n")]


class Operator(Process):
    """The operator's program with the rights of its ServiceAccount in the chart."""

    def __init__(self, program, work, kubeconfig):
        words = [program, "run", "--redis", REDIS, "--namespaces", NAMESPACE, "--image", "glm", "--admin", ADMIN]
        super().__init__("operator", words, work, {"KUBECONFIG": kubeconfig})

    def reconciles(self, but=()):
        """How many reconciles have ended, other than so."""
        ended = ((name, value) for name, value in self.counters().items() if name.startswith("reconciles_total{"))
        return sum(value for name, value in ended if not any(f'outcome="{outcome}"' in name for outcome in but))

    def failed(self):
        """How many have failed, where nobody else wrote first."""
        return self.reconciles(but=("Done", "Changed"))

    def counters(self):
        self.expect_alive()
        try:
            with urllib.request.urlopen(f"http://{ADMIN}/metrics", timeout=5) as answer:
                text = answer.read().decode()
        except OSError:
            return {}
        pairs = (line.rsplit(" ", 1) for line in text.splitlines() if line and not line.startswith("#"))
        return {name.removeprefix("glm_operator_"): float(value) for name, value in pairs}


def operators_kubeconfig(work):
    config = json.loads(kubectl("config", "view", "--raw", "--flatten", "-o", "json"))
    token = kubectl("-n", NAMESPACE, "create", "token", "glm-operator", "--duration", "24h").strip()
    config["users"] = [{"name": config["users"][0]["name"], "user": {"token": token}}]
    path = os.path.join(work, "operator.kubeconfig")
    with open(path, "w", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        json.dump(config, file)
    return path


def install(operator, rights):
    """The definitions, the namespace and the operator's rights as the chart renders them."""
    definitions = subprocess.run([operator, "crds"], capture_output=True, text=True, check=True).stdout
    kubectl("apply", "--server-side", "-f", "-", given=definitions)
    kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
    kubectl("create", "namespace", NAMESPACE)
    with open(rights) as file:
        kubectl("apply", "-f", "-", given=file.read())


def start_nodes(fleet, kwok, work):
    """Nodes of kwok and a scheduler; without a kwok, both played."""
    if not kwok:
        return [Process("nodes", [fleet, "nodes", NAMESPACE, str(NODES)], work)]
    kubeconfig = os.environ["KUBECONFIG"]
    words = [kwok, "--kubeconfig", kubeconfig, "--config", STAGES, "--manage-all-nodes", "--node-lease-duration-seconds=0"]
    started = [Process("kwok", words, work)]
    nodes = [{"apiVersion": "v1", "kind": "Node", "metadata": {"name": f"fake-{number}"}} for number in range(NODES)]
    kubectl("apply", "-f", "-", given=json.dumps({"apiVersion": "v1", "kind": "List", "items": nodes}))
    words = ["kube-scheduler", "--kubeconfig", kubeconfig, "--leader-elect=false"]
    started.append(Process("scheduler", [*words, "--kube-api-qps=1000", "--kube-api-burst=1000"], work))
    ready = 'jsonpath={.items[*].status.conditions[?(@.type=="Ready")].status}'
    until("fake nodes are ready", lambda: kubectl("get", "nodes", "-o", ready).count("True") == NODES, pause=1)
    # The API server puts it on each new node, and the controllers, which do not run here, would take it off.
    kubectl("taint", "nodes", "--all", "node.kubernetes.io/not-ready:NoSchedule-")
    return started
