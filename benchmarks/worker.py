"""One process: one configuration, one round. Commands come in on stdin, measurements go out on stdout.

Started as ``python -m benchmarks.worker SETUP WORKLOAD [UPSTREAM]``, under ``opentelemetry-instrument`` where the
configuration wants that; all processes of a round live at the same time and take turns. A command is
a line of JSON: ``{"do": "block", "kind": "plain", "concurrency": 1, "requests": 50}``, ``{"do": "memory"}``,
``{"do": "gaps", "seconds": 5}`` or ``{"do": "end", "registry": METRIC}``. An answer is a line that begins with `ANSWER`.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from importlib import import_module
from typing import Any, Protocol

from benchmarks import setups
from benchmarks.clocks import quiet, resident_mib, timed
from benchmarks.heartbeat import gaps
from benchmarks.processes import ANSWER
from benchmarks.router import Load


class Sender(Protocol):
    """What sends the requests of a workload, and checks the answers."""

    async def plain(self) -> None:
        """Send one request."""

    async def stream(self) -> None:
        """Send one streamed request and read it to its end."""


class Worker:
    """Does what it is told, on one Router.

    Args:
        load: What sends the requests.
    """

    def __init__(self, load: Sender) -> None:
        self._load = load
        self._sent = 0

    async def answer(self, command: Mapping[str, Any]) -> dict[str, Any]:
        """Do one command."""
        if command["do"] == "block":
            send = self._load.plain if command["kind"] == "plain" else self._load.stream
            self._sent += command["requests"]
            return (await timed(send, command["requests"], command["concurrency"], setups.flush)).as_dict()
        if command["do"] == "gaps":
            found = await gaps(self._load.plain, command["seconds"])
            self._sent += int(found["requests"])
            return found
        if command["do"] == "memory":
            return {"sent": self._sent, "resident_mib": resident_mib()}
        await quiet()
        setups.flush_metrics()
        return {"sent": self._sent, "registry": _registry(command.get("registry"))}


def _registry(metric: str | None) -> float:
    """Return the total of a counter over its series, in `prometheus_client`'s registry."""
    if metric is None:
        return 0.0
    families: Any = import_module("prometheus_client").REGISTRY.collect()
    return sum(sample.value for family in families for sample in family.samples if sample.name == metric)


async def _begin(setup: str, workload: str, upstream: str | None) -> Sender:
    """Switch the configuration on, and return what sends its requests."""
    if workload == "isolated":
        hollow: Any = import_module("benchmarks.hollow.load")
        return await hollow.hollowed(setups.SETUPS[setup], callback=setup in setups.CALLBACKS)
    setups.SETUPS[setup]()
    if workload == "sdk":
        return import_module("benchmarks.sdk").SdkLoad()
    if workload in {"wire", "gateway"}:
        assert upstream is not None  # the parent gives one
        return getattr(import_module("benchmarks.asgi"), workload)(upstream)
    return Load(upstream)


async def serve(answers: int, setup: str, workload: str, upstream: str | None = None) -> None:
    """Answer commands until there are no more.

    Args:
        answers: File descriptor to answer on.
        setup: Function of `benchmarks.setups`.
        workload: Name of the workload.
        upstream: Base URL of the upstream, where the workload has one.
    """
    worker = Worker(await _begin(setup, workload, upstream))
    os.write(answers, f"{ANSWER}{{}}\n".encode())
    while line := await asyncio.to_thread(sys.stdin.readline):
        answer = await worker.answer(json.loads(line))
        os.write(answers, f"{ANSWER}{json.dumps(answer)}\n".encode())


def main(arguments: list[str]) -> None:
    """Serve."""
    # What peers print goes to stderr; only answers go to stdout.
    answers = os.dup(1)
    os.dup2(2, 1)
    asyncio.run(serve(answers, *arguments))


if __name__ == "__main__":
    main(sys.argv[1:])
