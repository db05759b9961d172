"""Metrics of the process itself, under the names of requirement A1.

Room: `telemetry`. Read through psutil when a door collects; garbage-collector pauses are noted by
the collector's own call-backs and recorded then too.
"""

from __future__ import annotations

import gc
import time
import tracemalloc
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final

import psutil

from otel_llm_router.signals import Instrument
from otel_llm_router.signals.instruments import resources
from otel_llm_router.telemetry import _deferred
from otel_llm_router.telemetry._recorder import Recorder, Source

MAX_PAUSES: Final = 10_000
"""Pauses kept until the next collection; the oldest are lost beyond it."""


def observe(recorder: Recorder) -> None:
    """Report the process on ``recorder`` from now on."""
    readings: Mapping[Instrument, Callable[[psutil.Process], float]] = {
        resources.PROCESS_CPU: lambda own: sum(own.cpu_times()[:2]),
        resources.PROCESS_RESIDENT_MEMORY: lambda own: own.memory_info().rss,
        resources.PROCESS_HEAP: heap_bytes,
        resources.PROCESS_OPEN_FDS: lambda own: own.num_fds() if hasattr(own, "num_fds") else own.num_handles(),
        resources.PROCESS_THREADS: lambda own: own.num_threads(),
        resources.PROCESS_START_TIME: lambda own: own.create_time(),
    }
    for instrument, reading in readings.items():
        recorder.observe(instrument, "process", _source(reading))
    _Pauses(recorder).watch()


def _source(reading: Callable[[psutil.Process], float]) -> Source:
    def source() -> list[tuple[float, tuple[()]]]:
        # What finalisers left behind is done here too: a collection is a safe moment.
        _deferred.drain()
        # Asked for at each collection: after a fork it is another process.
        return [(float(reading(psutil.Process())), ())]

    return source


def heap_bytes(process: psutil.Process) -> float:
    """Return the size of the heap in bytes.

    That is what tracemalloc traces while it is on. Otherwise it is resident memory that is shared with
    no file and no other process: the allocator's arenas, malloc's heap and the stacks.
    """
    if tracemalloc.is_tracing():
        return float(tracemalloc.get_traced_memory()[0])
    memory = process.memory_info()
    shared = getattr(memory, "shared", None)
    return float(memory.rss - shared) if shared is not None else float(process.memory_full_info().uss)


class _Pauses:
    """Notes garbage-collector pauses; recording inside the collector could deadlock in the SDK."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._began = 0
        self._noted: deque[tuple[int, int]] = deque(maxlen=MAX_PAUSES)

    def watch(self) -> None:
        gc.callbacks.append(self._note)

    def _note(self, phase: str, info: Mapping[str, Any]) -> None:
        if phase == "start":
            self._began = time.perf_counter_ns()
        elif self._began:
            if not self._noted:
                _deferred.later(self._record)
            self._noted.append((info.get("generation", 0), time.perf_counter_ns() - self._began))

    def _record(self) -> None:
        while self._noted:
            generation, pause = self._noted.popleft()
            self._recorder.record(resources.PROCESS_GC_PAUSE, max(0, pause) / 1e9, str(generation))
