"""What is done with a batch until it has arrived, or is given up.

Room: `export`. Batches are taken from a queue one after the other, sent, and put back when the collector may take
them later. At least once: a request that was sent whole and not answered is sent again, and counted as resent. So
that a collector which hangs is not given one copy after the other, it is asked with an empty request first.
"""

from __future__ import annotations

import random
import time
from functools import partial
from typing import Final, Protocol

from otel_llm_router.export import _requests
from otel_llm_router.export._destination import Signal
from otel_llm_router.export._ending import Ending
from otel_llm_router.export._outcome import Outcome
from otel_llm_router.export._queue import Batch, Queue
from otel_llm_router.export._reporter import Reporter

FIRST_PAUSE: Final = 0.5
"""Seconds after the first failed attempt; each further one doubles them."""
LONGEST_PAUSE: Final = 4.0
ENDING_PAUSE: Final = 0.1
"""Seconds between attempts while the process ends."""
ASKING: Final = 3.0
"""Seconds that a collector has to answer an empty request."""


class Sender(Protocol):
    """Sends requests to one destination; `HttpSender` and `GrpcSender`."""

    def send(self, content: bytes, deadline: float) -> Outcome:
        """Send one request."""
        ...

    def close(self) -> None:
        """End the connection."""
        ...


class Delivery:
    """Delivers what waits in a queue.

    Args:
        signal: Of the records.
        queue: Where they wait.
        sender: Sends them.
        reporter: Told what becomes of them.
        ending: When the process ends.
        timeout: Seconds that an attempt may take.
        destination: Where they are sent, for people.
    """

    def __init__(
        self,
        signal: Signal,
        queue: Queue,
        sender: Sender,
        reporter: Reporter,
        ending: Ending,
        *,
        timeout: float,
        destination: str,
    ) -> None:
        self._signal: Signal = signal
        self._queue = queue
        self._sender = sender
        self._reporter = reporter
        self._ending = ending
        self._timeout = timeout
        self._destination = destination
        self.restart()

    def restart(self) -> None:
        """Begin again without a connection; for a forked process."""
        self._sender.close()
        self._failures = 0
        self._asks = False
        self._ever = False
        self._nobody_there = False

    def deliver(self, batch: Batch) -> float:
        """Send one batch that was taken from the queue; return the seconds to wait before the next attempt."""
        if self._asks:
            asked = self._sender.send(b"", self._ending.within(min(ASKING, self._timeout)))
            if asked.kind == "again":
                self._queue.put_back(batch, [batch])
                return self._failed(asked)
            self._asks = False
        if batch.unanswered:
            self._reporter.accounts.resent(self._signal, batch.unanswered)
            batch.unanswered = 0
        outcome = self._sender.send(batch.content, self._ending.within(self._timeout))
        if outcome.kind == "delivered":
            self._arrived(batch, outcome)
            return 0.0
        if outcome.kind == "again":
            if outcome.unknown:
                self._asks, batch.unanswered = True, batch.count
            self._queue.put_back(batch, [batch])
            return self._failed(outcome)
        if outcome.kind == "split":
            parts = _requests.halves(self._signal, batch.content)
            if len(parts) > 1:
                self._queue.put_back(batch, [Batch(content, count, batch.at) for content, count in parts])
                return 0.0
        self._queue.done(batch, partial(self._refused, outcome.reason, outcome.code, batch.count))
        return 0.0

    def _refused(self, reason: str, code: str, records: int) -> None:
        self._reporter.refused(self._signal, self._destination, reason, code, records)

    def _arrived(self, batch: Batch, outcome: Outcome) -> None:
        self._failures, self._ever, self._nobody_there = 0, True, False
        self._queue.failing = False
        rejected = min(outcome.rejected, batch.count)

        def account() -> None:
            if rejected:
                self._refused("rejected", "partial success", rejected)
            else:
                self._reporter.delivered(self._destination)
            self._reporter.accounts.delivered(self._signal, batch.count - rejected)

        self._queue.done(batch, account)

    def _failed(self, outcome: Outcome) -> float:
        self._reporter.put_off(self._signal, self._destination, outcome.reason, outcome.code)
        self._failures += 1
        self._queue.failing = True
        self._nobody_there = outcome.reason == "refused" and not self._ever
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(self._failures - 1, 10)) * random.uniform(0.8, 1.2)  # noqa: S311
        return pause if outcome.after is None else outcome.after

    def hopeless(self) -> bool:
        """Whether the process ends and there never was anybody to deliver to, or no time is left for it."""
        deadline = self._ending.deadline
        if deadline is None:
            return False
        return time.monotonic() >= deadline or self._nobody_there
