"""Rounds of the Router workloads: all configurations alive, taking turns block by block.

A round starts one process for each configuration, warms it up, discards the first cycle, and then
lets them take turns (A B C ... A B C ..., in another order each time) until its time is up. A cycle is the
blocks of its workload's `Shape`, each for every configuration before the next one.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final, TypeVar

from benchmarks.configurations import Configuration, Workload, taking_part
from benchmarks.driven import Driven
from benchmarks.processes import WorkerError
from benchmarks.shapes import SHAPES
from benchmarks.stats import percentile

Say = Callable[[str], None]
T = TypeVar("T")

STARTING: Final = 2
"""Processes that start at the same time."""
LEAST_CYCLES: Final = 2


@dataclass
class Outcome:
    """What rounds of one workload gave.

    Args:
        blocks: One entry for each block: configuration, round, cycle, turn, kind, concurrency, CPU in us, latency in us.
        reasons: Why a configuration has no figures.
        delivered: Spans and log records for each request, as the receiver counted.
    """

    blocks: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    reasons: dict[str, str] = field(default_factory=dict[str, str])
    delivered: dict[str, dict[str, float]] = field(default_factory=dict[str, dict[str, float]])


@dataclass(frozen=True, kw_only=True)
class Servers:
    """Where workers find the others.

    Args:
        sink: Base URL of the OTLP receiver.
        upstream: Base URL of the upstream.
    """

    sink: str
    upstream: str


class Round:
    """One round of one workload.

    Args:
        workload: Where answers come from.
        number: Of the round.
        servers: Receiver and upstream.
        outcome: Where the figures go; a configuration that has failed before is left out.
        say: Told what is going on.
    """

    def __init__(self, workload: Workload, number: int, servers: Servers, outcome: Outcome, say: Say) -> None:
        self._workload: Workload = workload
        self._shape = SHAPES[workload]
        self._number = number
        self._servers = servers
        self._outcome = outcome
        self._say = say
        self._alive: dict[str, Driven] = {}

    def run(self, configurations: Sequence[Configuration], seconds: float, *, quick: bool = False) -> None:
        """Run the round and add what it gave to the outcome.

        Args:
            configurations: What takes turns.
            seconds: How long cycles begin; at least `LEAST_CYCLES` are run.
            quick: Whether a cycle has each kind of block once.
        """
        outcome = self._outcome
        if quick:
            self._shape = replace(self._shape, turns=tuple(dict.fromkeys(self._shape.turns)))
        configurations = taking_part(configurations, self._workload)
        for one in configurations:
            if self._workload in one.absent:
                outcome.reasons[one.name] = one.absent[self._workload]
        found: list[dict[str, Any]] = []
        with ExitStack() as stack:
            self._start([one for one in configurations if one.name not in outcome.reasons], stack)
            self._cycle(-1, self._shape.warm_up)  # discarded
            deadline = time.monotonic() + seconds
            cycle = 0
            while cycle < LEAST_CYCLES or time.monotonic() < deadline:
                found.extend(self._cycle(cycle, self._shape.cells))
                cycle += 1
                left = max(0.0, deadline - time.monotonic())
                self._tell(f"cycle {cycle} of {len(self._alive)} configurations, {left:.0f} s left")
            for name, worker in list(self._alive.items()):
                delivered = self._attempt(name, worker.end)
                if delivered is not None:
                    outcome.delivered[name] = delivered
        # Only what has proved to record counts.
        outcome.blocks.extend(block for block in found if block["configuration"] in self._alive)

    def _tell(self, text: str) -> None:
        self._say(f"{self._workload}, round {self._number + 1}: {text}")

    def _attempt(self, name: str, work: Callable[[], T]) -> T | None:
        try:
            return work()
        except WorkerError as error:
            self._tell(f"{name} fails: {error}")
            self._outcome.reasons[name] = str(error)
            self._alive.pop(name, None)
            return None

    def _start(self, wanted: Sequence[Configuration], stack: ExitStack) -> None:
        upstream = None if self._workload in {"isolated", "mock", "sdk"} else self._servers.upstream
        for first in range(0, len(wanted), STARTING):
            some = wanted[first : first + STARTING]
            self._tell(f"starting {', '.join(one.name for one in some)}")
            for one in some:
                run = f"{self._workload}-{self._number}-{one.name.replace('@', '-')}"
                worker = self._attempt(
                    one.name, partial(Driven, one, self._servers.sink, run, self._workload, upstream)
                )
                if worker is not None:
                    stack.callback(worker.close)
                    self._alive[one.name] = worker
            for one in some:
                if one.name in self._alive:
                    self._attempt(one.name, self._alive[one.name].ready)

    def _cycle(self, cycle: int, sizes: Mapping[tuple[str, int], int]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for turn, (kind, concurrency) in enumerate(self._shape.turns):
            order = sorted(self._alive)
            random.Random(f"{self._number}/{cycle}/{turn}").shuffle(order)
            for name in order:
                ask = partial(self._alive[name].ask, do="block", kind=kind, concurrency=concurrency)
                block = self._attempt(name, partial(ask, requests=sizes[kind, concurrency]))
                if block is not None:
                    place = {"configuration": name, "round": self._number, "cycle": cycle, "turn": turn}
                    found.append({**place, "kind": kind, "concurrency": concurrency, **_figures(block)})
        return found


def _figures(block: Mapping[str, Any]) -> dict[str, float]:
    requests = block["requests"]
    return {
        "requests": requests,
        "loop_us": block["loop"] / requests * 1e6,
        "process_us": block["process"] / requests * 1e6,
        "p50_us": percentile(block["latencies"], 0.5) * 1e6,
        "p99_us": percentile(block["latencies"], 0.99) * 1e6,
    }


def say(text: str) -> None:
    """Show progress on stderr, out of the way of the result."""
    print(text, file=sys.stderr, flush=True)
