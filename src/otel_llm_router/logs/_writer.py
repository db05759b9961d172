"""One thread that writes, and what waits for it.

Room: `logs`. Entries come in from any thread, from signal handlers and finalisers too: nothing here waits for a lock, and what is too
much is counted and let go. Batches go out, to whatever writes them.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from queue import Empty, SimpleQueue
from typing import Any, Final, Generic, TypeVar
from weakref import WeakSet

T = TypeVar("T")

MAX_ENTRIES: Final = 10_000
MAX_BYTES: Final = 16 * 1024 * 1024
"""What may wait: entries, and about how many bytes of text."""
BATCH: Final = 200
"""Most entries that are written at once."""


class Writer(Generic[T]):
    """Hands entries in batches to ``write``, in a thread of its own that begins with the first entry.

    Args:
        write: Takes a batch; what it raises goes to the guard.
        dropped: Told of each entry that does not fit, or comes after the end.
        guard: Makes a guard for errors of ours.
    """

    def __init__(
        self,
        write: Callable[[Sequence[T]], None],
        dropped: Callable[[T, str], None],
        guard: Callable[[], AbstractContextManager[Any]],
    ) -> None:
        self._write = write
        self._dropped = dropped
        self._guard = guard
        self._closed = False
        self._begin()
        _all.add(self)

    def _begin(self) -> None:
        self._queue: SimpleQueue[tuple[T, int] | threading.Event] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()  # never waited for
        # An estimate: threads may count over each other, and an empty queue begins anew.
        self._bytes = 0

    def begin_again(self) -> None:
        """Begin with nothing; for a forked process, where the thread is not and what waits is the parent's."""
        self._closed = False
        self._begin()

    def put(self, entry: T, size: int) -> None:
        """Let an entry of about ``size`` bytes be written. Never waits."""
        queue = self._queue
        if self._closed:
            self._dropped(entry, "shutdown")
        elif queue.qsize() >= MAX_ENTRIES or self._bytes + size > MAX_BYTES:
            self._dropped(entry, "queue_full")
        else:
            self._bytes += size
            queue.put((entry, size))
            if self._thread is None:
                self._start()

    def flush(self, seconds: float) -> bool:
        """Return whether all that was put before is written, within ``seconds``."""
        if self._thread is None and self._queue.empty():
            return True
        written = threading.Event()
        self._queue.put(written)
        if self._thread is None:
            self._start()
        return written.wait(seconds)

    def close(self, seconds: float) -> bool:
        """Write what waits, within ``seconds``, and take no more; return whether all of it was written."""
        done = self.flush(seconds)
        self._closed = True
        return done

    def _start(self) -> None:
        if not self._starting.acquire(blocking=False):
            return
        thread = threading.Thread(target=self._work, args=(self._queue,), name="otel-llm-router-logs", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the interpreter is ending, or has no thread left: the next entry tries again
            self._starting.release()
            return
        self._thread = thread

    def _work(self, queue: SimpleQueue[tuple[T, int] | threading.Event]) -> None:
        while True:
            batch: list[T] = []
            found: tuple[T, int] | threading.Event | None = queue.get()
            while found is not None and not isinstance(found, threading.Event):
                batch.append(found[0])
                self._bytes -= found[1]
                found = _next(queue) if len(batch) < BATCH else None
            if batch:
                with self._guard():
                    self._write(batch)
            if found is not None:
                found.set()
            if queue.empty():
                self._bytes = 0


def _next(queue: SimpleQueue[Any]) -> Any:
    try:
        return queue.get_nowait()
    except Empty:
        return None


_all: WeakSet[Writer[Any]] = WeakSet()


def _in_child() -> None:
    for writer in list(_all):
        writer.begin_again()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
