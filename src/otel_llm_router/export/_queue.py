"""Encoded batches that wait for the collector, within one bound for all signals.

Room: `export`. What is beyond the bound pushes the oldest out, of whatever signal it is. Only threads of ours come
here: nothing of it is on the application's path.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:  # with a spool only
    from otel_llm_router.export._outbox import Kept

DEFAULT_BYTES: Final = 32 * 1024 * 1024
_SHARE: Final = 8
"""One part in so many is kept for what is not encoded yet, so that new records push out old ones and not each other."""


@dataclass(eq=False)
class Batch:
    """A request that waits.

    Args:
        content: Its bytes.
        count: Records in it.
        at: When it came, on the monotonic clock.
        kept: Where it is on disk as well.
        unanswered: Records in it that were sent whole once, and nobody answered.
    """

    content: bytes
    count: int
    at: float = field(default_factory=time.monotonic)
    kept: tuple[Kept, ...] = ()
    unanswered: int = 0


class Budget:
    """The bytes that may wait, shared by the queues of a process.

    Args:
        limit: Bytes.
    """

    def __init__(self, limit: int = DEFAULT_BYTES) -> None:
        self.limit = limit
        self.queues: list[Queue] = []
        self.restart()

    def restart(self) -> None:
        """Begin again with nothing waiting; for a forked process."""
        self.used = 0
        self.changed = threading.Condition(threading.RLock())
        for queue in self.queues:
            queue.batches.clear()
            queue.records = 0
            queue.in_flight = None
            queue.failing = False

    def room(self) -> int:
        """Return how many bytes may wait to be encoded."""
        return max(self.limit - self.used, self.limit // _SHARE)

    def make_room(self) -> None:
        """Push out the oldest until what waits is within the bound; the caller holds `changed`."""
        while self.used > self.limit - self.limit // _SHARE:
            oldest = min(
                (queue for queue in self.queues if queue.batches), key=lambda one: one.batches[0].at, default=None
            )
            if oldest is None:
                return
            oldest.push_out()


class Queue:
    """The batches of one signal.

    Args:
        budget: What it shares.
        pushed_out: Told how many records were pushed out.
        limit: Records that may wait; None for as many as the bytes allow.

    Attributes:
        failing: The last attempt to deliver one has failed.
        taken_at: When the one in flight was taken, on the monotonic clock.
        look_seconds: How often `fetch` is worth a try while nothing happens; None for never.
    """

    look_seconds: float | None = None

    def __init__(self, budget: Budget, pushed_out: Callable[[int], None], limit: int | None = None) -> None:
        self._budget = budget
        self._pushed_out = pushed_out
        self._limit = limit
        self.batches: deque[Batch] = deque()
        self.records: int = 0
        self.in_flight: Batch | None = None
        self.failing = False
        self.taken_at = 0.0
        budget.queues.append(self)

    def put(self, batch: Batch) -> None:
        """Let a batch wait behind the others."""
        with self._budget.changed:
            self.batches.append(batch)
            self._added(batch)
            self._budget.changed.notify_all()

    def put_back(self, taken: Batch, batches: list[Batch]) -> None:
        """Let what was taken, or the parts of it, wait before all others again."""
        with self._budget.changed:
            if not self.done(taken):
                return
            for batch in reversed(batches):
                self.batches.appendleft(batch)
                self._added(batch)
            self._budget.changed.notify_all()

    def _added(self, batch: Batch) -> None:
        self.records += batch.count
        self._budget.used += len(batch.content)
        while self._limit is not None and self.records > self._limit and len(self.batches) > 1:
            self.push_out()
        self._budget.make_room()

    def take(self) -> Batch | None:
        """Take the oldest to send it; it counts until `done`. The caller holds the budget's `changed`."""
        return self._take(self.batches.popleft()) if self.batches else None

    def _take(self, batch: Batch) -> Batch:
        self.in_flight, self.taken_at = batch, time.monotonic()
        return batch

    def fetch(self) -> Batch | None:
        """Take the oldest from where memory's overflow goes; nothing here. The caller holds no lock."""
        return None

    def keep_up(self) -> None:
        """Do what is to be done while batches wait; nothing here."""

    def delay(self, usual: float) -> float:
        """Return how long records wait for more."""
        return usual

    def patience(self) -> float | None:
        """Return after how many seconds `keep_up` is due again; None for not before something comes."""
        return None

    def safe(self) -> bool:
        """Whether all that waits outlives the process."""
        return False

    def empty(self) -> bool:
        """Whether nothing waits."""
        return not self.batches and self.in_flight is None

    def kept(self) -> int:
        """Return how many records wait where they outlive the process."""
        return 0

    def done(self, taken: Batch, account: Callable[[], None] | None = None) -> bool:
        """Forget what was taken.

        Args:
            taken: It.
            account: Called before it is forgotten: whoever waits for an empty queue finds the counts right.

        Returns:
            Whether it had not been forgotten before, by `leftover`.
        """
        with self._budget.changed:
            if self.in_flight is not taken:
                return False
            if account is not None:
                account()
            self.in_flight = None
            self.records -= taken.count
            self._budget.used -= len(taken.content)
            self._budget.changed.notify_all()
            return True

    def push_out(self) -> None:
        """Drop the oldest; the caller holds the budget's `changed`."""
        self._pushed_out(self._leave().count)

    def _leave(self) -> Batch:
        """Let the oldest leave; the caller holds the budget's `changed`."""
        batch = self.batches.popleft()
        self.records -= batch.count
        self._budget.used -= len(batch.content)
        return batch

    def leftover(self) -> int:
        """Drop all of it, what is being sent included, and return how many records that were."""
        with self._budget.changed:
            records = 0
            if self.in_flight is not None:
                records += self.in_flight.count
                self.done(self.in_flight)
            while self.batches:
                records += self._leave().count
            self._budget.changed.notify_all()
            return records
