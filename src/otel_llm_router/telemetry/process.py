"""Metrics of the process itself, under the names of requirement A1.

Room: `telemetry`. Read through psutil when a door collects; garbage-collector pauses are noted by
the collector's own call-backs and recorded then too.
"""

from __future__ import annotations

import contextlib
import gc
import os
import threading
import time
import tracemalloc
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final

import psutil

from otel_llm_router.signals import Instrument
from otel_llm_router.signals.instruments import resources
from otel_llm_router.telemetry import _deferred
from otel_llm_router.telemetry._recorder import Recorder
from otel_llm_router.telemetry._sources import Source

MAX_PAUSES: Final = 10_000
"""Pauses kept until the next collection; the oldest are lost beyond it."""


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


_READINGS: Final[Mapping[Instrument, Callable[[psutil.Process], float]]] = {
    resources.PROCESS_CPU: lambda own: sum(own.cpu_times()[:2]),
    resources.PROCESS_RESIDENT_MEMORY: lambda own: own.memory_info().rss,
    resources.PROCESS_HEAP: heap_bytes,
    resources.PROCESS_OPEN_FDS: lambda own: own.num_fds() if hasattr(own, "num_fds") else own.num_handles(),
    resources.PROCESS_THREADS: lambda own: own.num_threads(),
    resources.PROCESS_START_TIME: lambda own: own.create_time(),
}


def observe(recorder: Recorder) -> None:
    """Report the process on ``recorder`` from now on, and on no other: it is one process, whoever observes it."""
    with _lock:
        _pauses.report_on(recorder)
        for instrument, reading in _READINGS.items():
            recorder.observe(instrument, "process", _source(reading))


def leave() -> None:
    """Report the process no longer; nothing stays behind in the garbage collector."""
    with _lock:
        _pauses.report_on(None)


def _source(reading: Callable[[psutil.Process], float]) -> Source:
    # Asked for at each collection: after a fork it is another process.
    return lambda: [(float(reading(psutil.Process())), ())]


class _Pauses:
    """Notes garbage-collector pauses; recording inside the collector could deadlock in the SDK."""

    def __init__(self) -> None:
        self._recorder: Recorder | None = None
        self._began = 0
        self._noted: deque[tuple[int, int]] = deque(maxlen=MAX_PAUSES)

    def report_on(self, recorder: Recorder | None) -> None:
        """Report on ``recorder`` in place of the one before, which is told nothing more of the process."""
        before = self._recorder
        if before is recorder:
            return
        if before is not None:
            with contextlib.suppress(ValueError):  # somebody may have cleared them
                gc.callbacks.remove(self._note)
            self._record()
            for instrument in _READINGS:
                before.forget(instrument, "process")
        self._recorder = recorder
        if recorder is not None:
            gc.callbacks.append(self._note)

    def forget(self) -> None:
        """Forget what was noted and not yet recorded."""
        self._noted.clear()
        self._began = 0

    def _note(self, phase: str, info: Mapping[str, Any]) -> None:
        if phase == "start":
            self._began = time.perf_counter_ns()
        elif self._began:
            if not self._noted:
                _deferred.later(self._record)
            self._noted.append((info.get("generation", 0), time.perf_counter_ns() - self._began))

    def _record(self) -> None:
        recorder = self._recorder
        while self._noted and recorder is not None:
            generation, pause = self._noted.popleft()
            recorder.record(resources.PROCESS_GC_PAUSE, max(0, pause) / 1e9, str(generation))


_lock = threading.Lock()
_pauses = _Pauses()


def _in_child() -> None:
    global _lock  # noqa: PLW0603  # a thread that is not here may have held it
    _lock = threading.Lock()
    _pauses.forget()  # the parent records its own


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
