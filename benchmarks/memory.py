"""Resident memory of each configuration after a first and after many requests, MiB.

A process of its own for each: plain requests at concurrency 32, everything exported, a full garbage
collection, then the resident set as the operating system counts it. Memory does not mind company, so several
run at the same time.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from benchmarks.configurations import Configuration, taking_part
from benchmarks.driven import Driven
from benchmarks.processes import WorkerError
from benchmarks.rounds import Say, Servers

FIRST: Final = 1000
LOT: Final = 500
TOGETHER: Final = 2


def measure(
    configurations: Sequence[Configuration], servers: Servers, requests: int, say: Say
) -> dict[str, dict[str, Any]]:
    """Return resident memory by configuration, or the reason why there is none.

    Args:
        configurations: What to measure; what does not see mocked answers is left out.
        servers: Receiver and upstream.
        requests: How many requests the second figure comes after.
        say: Told what is going on.
    """
    wanted = [one for one in taking_part(configurations, "mock") if "mock" not in one.absent]

    def one_of(configuration: Configuration) -> dict[str, Any]:
        say(f"memory after {FIRST} and {requests} requests: {configuration.name}")
        try:
            run = f"memory-{configuration.name.replace('@', '-')}"
            worker = Driven(configuration, servers.sink, run, "mock", None)
        except WorkerError as error:
            return {"reason": str(error)}
        try:
            return _grow(worker, requests)
        except WorkerError as error:
            return {"reason": str(error)}
        finally:
            worker.close()

    with ThreadPoolExecutor(TOGETHER) as pool:
        return dict(zip((one.name for one in wanted), pool.map(one_of, wanted), strict=True))


def _grow(worker: Driven, requests: int) -> dict[str, Any]:
    worker.ready(pin=False)
    sent = 0
    figures: list[float] = []
    for goal in (FIRST, requests):
        while sent < goal:
            lot = min(LOT, goal - sent)
            worker.ask(do="block", kind="plain", concurrency=32, requests=lot)
            sent += lot
        figures.append(worker.ask(do="memory")["resident_mib"])
    worker.end()
    return {"requests": [FIRST, requests], "first_mib": figures[0], "last_mib": figures[1]}
