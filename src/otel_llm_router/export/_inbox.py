"""Records as the application leaves them, until they are encoded.

Room: `export`. Any thread puts records in, and so may a signal handler or the garbage collector, in the midst of
another `put` of the same thread: there is no lock here. Exact is what a deque and a `SimpleQueue` make exact; the
bytes are a close estimate that begins anew whenever the inbox is emptied.
"""

from __future__ import annotations

import time
from collections import deque
from queue import Empty, SimpleQueue
from typing import Any

from otel_llm_router.export._queue import Budget

Record = tuple[Any, int]
"""A record and about how many bytes it takes."""


class Inbox:
    """What waits to be encoded.

    Args:
        budget: The bytes that may wait, shared with what is encoded.
        batch: Records that are worth a batch of their own at once.
    """

    def __init__(self, budget: Budget, batch: int) -> None:
        self._budget = budget
        self._batch = batch
        self._records: deque[Record] = deque()
        self._pushed_out: deque[None] = deque()
        self._bell: SimpleQueue[None] = SimpleQueue()
        self._bytes = 0
        self._awake = False
        self._full = False
        self._now = False

    def __len__(self) -> int:
        """Return how many records wait."""
        return len(self._records)

    def put(self, record: Any, size: int) -> bool:
        """Let a record wait; return whether somebody has to be there to take it, now that there is one."""
        records = self._records
        if self._bytes + size > self._budget.room():
            self._push_out(size)
        records.append((record, size))
        self._bytes += size
        if not self._awake:
            self._awake = True
            self._bell.put(None)
            return True
        if not self._full and len(records) >= self._batch:
            self._full = True
            self._bell.put(None)
        return False

    def _push_out(self, size: int) -> None:
        while self._bytes + size > self._budget.room():
            try:
                _, gone = self._records.popleft()
            except IndexError:
                return
            self._bytes -= gone
            self._pushed_out.append(None)

    def ring(self) -> None:
        """Let `wait` return at once, now and whenever there is something."""
        self._now = True
        self._bell.put(None)

    def calm(self) -> None:
        """Let `wait` wait again."""
        self._now = False

    def wait(self, delay: float, patience: float | None) -> None:
        """Return when there is a batch, when records have waited for long enough, or when it rings.

        Args:
            delay: Seconds that fewer records than a batch wait for more.
            patience: Seconds after which it returns in any case; None for not before something comes.
        """
        try:
            self._bell.get(timeout=patience)
        except Empty:
            return
        until = time.monotonic() + delay
        while not self._now and len(self._records) < self._batch:
            try:
                self._bell.get(timeout=max(0.0, until - time.monotonic()))
            except Empty:  # noqa: PERF203  # once
                return

    def take(self) -> tuple[list[Record], int]:
        """Take all that waits, and the number of those that were pushed out."""
        # In this order: what comes meanwhile rings, and is taken by the next round.
        self._awake = self._full = False
        taken: list[Record] = []
        pop = self._records.popleft
        for _ in range(len(self._records)):
            try:
                taken.append(pop())
            except IndexError:  # noqa: PERF203  # pushed out meanwhile
                break
        self._bytes = 0
        out = 0
        while self._pushed_out:
            self._pushed_out.popleft()
            out += 1
        return taken, out
