"""A queue with a disk behind it.

Room: `export`. While the collector takes nothing, what waits in memory goes to disk within moments, and so it does
when memory fills: only threads of ours come here, and none of them holds the lock of the queues while it writes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from otel_llm_router.export._destination import Signal
from otel_llm_router.export._queue import Batch, Budget, Queue
from otel_llm_router.export._spool import LOOK_SECONDS, Spool

LATE: Final = 0.2
"""Seconds after which a request that nobody has answered is copied to disk, and how often is looked."""
DELAY: Final = 0.1
"""Seconds that records wait for more while they go to disk."""


class SpoolingQueue(Queue):
    """The batches of one signal, in memory and on disk.

    Args:
        budget: What it shares.
        pushed_out: Told how many records were pushed out.
        limit: Records that may wait in memory; None for as many as the bytes allow.
        spool: The disk.
        signal: Of the records.
        size: Most records in a request.
    """

    look_seconds = LOOK_SECONDS

    def __init__(
        self,
        budget: Budget,
        pushed_out: Callable[[int], None],
        limit: int | None,
        spool: Spool,
        signal: Signal,
        size: int,
    ) -> None:
        super().__init__(budget, pushed_out, limit)
        self._spool = spool
        self._lane = spool.lane(signal)
        self._size = size

    def fetch(self) -> Batch | None:
        """Take the oldest from disk, to send it."""
        found = self._spool.take(self._lane, self._size)
        if found is None:
            with self._budget.changed:
                self._budget.changed.notify_all()  # what is damaged does not wait any more
            return None
        content, kept = found
        batch = Batch(content, sum(one.count for one in kept), kept=tuple(kept))
        batch.unanswered = sum(one.count for one in kept if one.sent)
        with self._budget.changed:
            self.records += batch.count
            self._budget.used += len(content)
            self._take(batch)
        return batch

    def put_back(self, taken: Batch, batches: list[Batch]) -> None:
        """Let what was taken, or the parts of it, wait before all others again, on disk if it is there."""
        if batches != [taken]:
            rest: list[Batch] = []
            for part in reversed(batches):
                kept = self._spool.write(self._lane, part.content, part.count) if taken.kept else None
                if kept is not None:
                    kept.alone = True
                    self._spool.put([kept], first=True)
                else:
                    rest.insert(0, part)
            super().put_back(taken, rest)
            return
        with self._budget.changed:
            kept_now = taken.kept
            if not kept_now:
                super().put_back(taken, batches)
                return
            found = super().done(taken)
        for one in kept_now:
            one.sent = one.sent or bool(taken.unanswered)
        if found:
            self._spool.put(kept_now, first=True)

    def done(self, taken: Batch, account: Callable[[], None] | None = None) -> bool:
        """Forget what was taken, on disk too; see `Queue.done`."""
        found = super().done(taken, account)
        if found and taken.kept:
            self._spool.remove(taken.kept)
            with self._budget.changed:
                self._budget.changed.notify_all()  # whoever waits for it to be empty
        return found

    def keep_up(self) -> None:
        """Write what waits in memory to disk if the collector takes nothing, or if there is too much of it."""
        limit = self._limit
        filling = self._budget.used > self._budget.limit // 2 or (limit is not None and self.records > limit // 2)
        if filling or self.failing or self._late():
            self._spill()

    def delay(self, usual: float) -> float:
        """Return how long records wait for more."""
        return min(usual, DELAY) if self.failing else usual

    def patience(self) -> float | None:
        """Return after how many seconds `keep_up` is due again; None for not before something comes."""
        return LATE if self.batches or (self.in_flight is not None and not self.in_flight.kept) else None

    def safe(self) -> bool:
        """Whether the collector takes nothing and all that waits is on disk."""
        return self.failing and not self.batches and (self.in_flight is None or bool(self.in_flight.kept))

    def empty(self) -> bool:
        """Whether nothing waits, in memory or on disk."""
        return super().empty() and not self._spool.waits(self._lane)

    def _late(self) -> bool:
        return self.in_flight is not None and time.monotonic() - self.taken_at >= LATE

    def _spill(self) -> None:
        while True:
            with self._budget.changed:
                batch = self.in_flight if self._late() else None
                if batch is None or batch.kept:
                    batch = self.batches[0] if self.batches else None
            if batch is None:
                return
            kept = self._spool.write(self._lane, batch.content, batch.count)
            if kept is None:
                return
            kept.sent = bool(batch.unanswered)
            with self._budget.changed:
                flies = batch is self.in_flight
                waits = bool(self.batches) and batch is self.batches[0]
                if flies:
                    batch.kept = (kept,)
                elif waits:
                    self._leave()
                self._budget.changed.notify_all()
            if waits:
                self._spool.put([kept])
            elif not flies:  # delivered or pushed out meanwhile
                self._spool.remove([kept])

    def leftover(self) -> int:
        """Leave on disk what can be, drop the rest, and return how many records were dropped."""
        self.taken_at = 0.0  # whatever is under way is late now
        self._spill()
        with self._budget.changed:
            if self.in_flight is not None and self.in_flight.kept:
                super().done(self.in_flight)
            left = super().leftover()
        self._spool.leave(self._lane)
        return left

    def kept(self) -> int:
        """Return how many records wait on disk."""
        return self._spool.waits(self._lane)
