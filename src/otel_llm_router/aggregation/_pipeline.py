"""Work off the request path: what an ended request leaves behind is done here, in order.

Room: `aggregation`. Calls come in from any thread (not from finalisers: `telemetry` keeps those for a
safe moment); one worker makes them, in batches. Whoever reads drains first, so that nothing that has ended is missing. Nothing is lost:
beyond `LIMIT` waiting calls the caller does its share.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from threading import get_ident
from typing import Any, Final
from weakref import WeakSet

_logger = logging.getLogger("otel_llm_router")

LIMIT: Final = 2000
"""Waiting calls before callers help."""

SHARE: Final = 20
"""Calls that are made between two looks at whether somebody else wants to run."""

INTERVAL: Final = 0.05
"""Seconds between two batches under load."""


class Pipeline:
    """Calls that wait, and the daemon thread that makes them; it starts with the first call."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        self._draining = threading.RLock()
        self._wanted = threading.Event()
        self._worker: threading.Thread | None = None
        self._asleep = True
        self._drainer: int | None = None
        self._closed = False
        _all.add(self)

    def __len__(self) -> int:
        """Return how many calls wait."""
        return len(self._waiting)

    def later(self, call: Callable[..., object], *arguments: Any) -> None:
        """Make ``call`` soon, or now when it comes out of such a call. Never waits for another one."""
        if self._drainer == get_ident():
            call(*arguments)
            return
        self._waiting.append((call, arguments))
        if self._asleep or self._closed:
            self._wake()
        elif len(self._waiting) > LIMIT:
            self.drain(SHARE)

    def drain(self, limit: int | None = None) -> None:
        """Make the waiting calls, or ``limit`` of them, and return when they are made."""
        with self._draining:
            self._drainer = get_ident()
            waiting = self._waiting
            try:
                for _ in range(len(waiting) if limit is None else min(limit, len(waiting))):
                    call, arguments = waiting.popleft()
                    try:
                        call(*arguments)
                    except Exception:  # the callers guard their own work; the next one must go on
                        _logger.debug("a call off the request path failed", exc_info=True)
            finally:
                self._drainer = None

    def close(self) -> None:
        """Make what waits, end the worker, and make later calls at once."""
        self._closed = True
        self.drain()
        self._wanted.set()

    def _wake(self) -> None:
        if self._closed:
            self.drain()
            return
        self._asleep = False
        if self._worker is None or not self._worker.is_alive():
            self._start()
        self._wanted.set()

    def _start(self) -> None:
        worker = threading.Thread(target=self._work, name="otel-llm-router-pipeline", daemon=True)
        try:
            worker.start()
        except RuntimeError:  # the interpreter is ending, or has no thread left: the caller does it
            self._asleep = True
            self.drain()
            return
        self._worker = worker

    def _work(self) -> None:
        try:
            while not self._closed:
                self._wanted.wait()
                self._wanted.clear()
                while self._waiting:
                    self.drain(SHARE)
                    # Between shares others get the interpreter; when nothing waits, a moment of work is collected.
                    time.sleep(0 if self._waiting else INTERVAL)
                self._asleep = True
                if self._waiting:  # it came between the look and the flag
                    self._asleep = False
                    self._wanted.set()
        finally:
            self._asleep = True

    def restart(self) -> None:
        """Begin again with nothing waiting; for a forked process, where the worker is not."""
        self._waiting.clear()
        self._draining = threading.RLock()
        self._wanted = threading.Event()
        self._worker = None
        self._asleep = True
        self._drainer = None


_all: WeakSet[Pipeline] = WeakSet()


def _in_child() -> None:
    for pipeline in list(_all):
        pipeline.restart()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
