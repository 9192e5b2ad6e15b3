"""Says with its first tick what of its worker, and of the machine, is within its reach: of each attempt the name of its error."""

import os
import socket

import glm


def attempts():
    worker = os.getppid()
    yield "script", lambda: open(__file__).read()
    for name in ("environ", "mem", "maps", "fd/0", "root/usr/local/bin/worker"):
        yield name, lambda name=name: open(f"/proc/{worker}/{name}", "rb").read(1)
    yield "users", lambda: open("/etc/passwd").read()
    yield "signal", lambda: os.kill(worker, 0)
    yield "fork", os.fork
    yield "socket", socket.socket
    yield "file", lambda: open("/tmp/of-strategy", "w").write("x")


def outcome(attempt):
    try:
        attempt()
    except Exception as error:
        return type(error).__name__
    return "reached"


class Reach(glm.Strategy):
    def __init__(self, *start):
        super().__init__(*start)
        self.said = False

    def on_tick(self, tick, context):
        if not self.said:
            self.said = True
            tried = ", ".join(f"{name} {outcome(attempt)}" for name, attempt in attempts())
            context.say("Reach", f"{tried}; environment {' '.join(sorted(os.environ))}")


if __name__ == "__main__":
    glm.run(Reach)
