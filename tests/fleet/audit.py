"""The operator's requests, by the audit log of the API server."""

import json
from collections import Counter
from datetime import datetime

OBJECTS = {"tradingstrategies", "tradingaccounts"}
READS = {"get", "list", "watch"}


class Request:
    __slots__ = ("at", "received", "verb", "resource", "name", "code", "is_operators")

    def __init__(self, line):
        entry = json.loads(line)
        what = entry.get("objectRef", {})
        self.received = datetime.fromisoformat(entry["requestReceivedTimestamp"]).timestamp()
        self.at = datetime.fromisoformat(entry["stageTimestamp"]).timestamp()
        self.verb, self.name = entry["verb"], what.get("name", "")
        self.resource = "/".join(filter(None, [what.get("resource"), what.get("subresource")]))
        self.code = entry.get("responseStatus", {}).get("code", 0)
        self.is_operators = entry["user"]["username"].endswith(":glm-operator")

    def is_read(self):
        return self.verb in READS

    def kind(self):
        return f"{self.verb} {self.resource} {self.code}"


class Requests:
    def __init__(self, path):
        self.file = open(path)
        self.all = []
        self.rest = ""

    def read(self):
        *lines, self.rest = (self.rest + self.file.read()).split("\n")
        self.all.extend(map(Request, lines))
        return self

    def operators(self, since, until):
        found = []
        for one in reversed(self.read().all):
            # Lines stand in the order of their ends, or nearly so.
            if one.at < since - 5:
                break
            if one.is_operators and since <= one.at < until:
                found.append(one)
        return found[::-1]

    def asked_for(self, since):
        """The strategies and accounts that the operator has asked for by name, and when first."""
        found = {}
        for one in self.operators(since, float("inf")):
            if one.verb == "get" and one.resource in OBJECTS:
                found.setdefault((one.resource, one.name), one.at)
        return found

    def first(self, verb, resource, name):
        """When such a request was answered well first."""
        times = (one.at for one in reversed(self.all)
                 if one.verb == verb and one.resource == resource and one.name == name and one.code < 300)
        return min(times, default=None)


def by_kind(requests, seconds, most=12):
    """A line for each kind of request: how many a second."""
    for kind, count in Counter(one.kind() for one in requests).most_common(most):
        yield f"{count / seconds:9.2f}/s  {kind}"
