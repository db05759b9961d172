"""The way of one signal's records to the collector: two threads, which begin with the first record.

Room: `export`. Records come in from the application's threads. One thread encodes what has come, at once when it is
a batch and after a delay when it is less; the other delivers what is encoded. So an outage costs the memory of
encoded records, and never the application's time.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from otel_llm_router.export import _requests
from otel_llm_router.export._delivery import ENDING_PAUSE, Delivery, Sender
from otel_llm_router.export._destination import Signal
from otel_llm_router.export._ending import Ending
from otel_llm_router.export._forks import restarted_in_children
from otel_llm_router.export._inbox import Inbox, Record
from otel_llm_router.export._queue import Batch, Budget, Queue
from otel_llm_router.export._reporter import Reporter

if TYPE_CHECKING:  # with a spool only
    from otel_llm_router.export._spool import Spool

_logger = logging.getLogger("otel_llm_router")

SHUTDOWN_SECONDS: Final = 30.0
"""How long a shutdown takes at most when the process goes on."""

Encode = Callable[[list[Any]], bytes]
"""Makes a request of records; raises when one of them cannot be encoded."""


@dataclass(frozen=True)
class Batching:
    """How records become batches.

    Args:
        size: Most records in one.
        delay: Seconds that fewer wait for more.
        limit: Records that may wait; None for as many as the bytes allow.
    """

    size: int = 512
    delay: float = 1.0
    limit: int | None = None


class Worker:
    """Takes the records of one signal to the collector.

    Args:
        signal: Of the records.
        encode: Makes a request of them.
        sender: Sends requests.
        budget: The bytes that may wait, shared by all signals.
        batching: How records become batches.
        reporter: Told what becomes of them.
        ending: When the process ends.
        timeout: Seconds that an attempt may take.
        destination: Where they are sent, for people.
        spool: Where they go that cannot be delivered; what is there already is delivered from now on.
    """

    def __init__(
        self,
        signal: Signal,
        encode: Encode,
        sender: Sender,
        budget: Budget,
        batching: Batching,
        reporter: Reporter,
        ending: Ending,
        *,
        timeout: float,
        destination: str,
        spool: Spool | None = None,
    ) -> None:
        self._signal: Signal = signal
        self._encode = encode
        self._budget = budget
        self._batching = batching
        self._reporter = reporter
        self._ending = ending
        self._sender = sender
        self._destination = destination
        if spool is None:
            self._queue = Queue(budget, self._pushed_out, batching.limit)
        else:
            from otel_llm_router.export._spooling_queue import SpoolingQueue  # noqa: PLC0415  # with a spool only

            self._queue = SpoolingQueue(budget, self._pushed_out, batching.limit, spool, signal, batching.size)
        self._delivery = Delivery(
            signal, self._queue, sender, reporter, ending, timeout=timeout, destination=destination
        )
        self._begin()
        restarted_in_children(self)
        if spool is not None:
            self._start()

    def _begin(self) -> None:
        self._inbox = Inbox(self._budget, self._batching.size)
        self._threads: list[threading.Thread] = []
        self._starting = threading.Lock()
        self._encoding = False
        self._closing = False
        self._closed = False
        self._hurry = False

    def restart(self) -> None:
        """Begin again with nothing waiting and no connection; for a forked process."""
        self._budget.restart()
        self._delivery.restart()
        self._begin()

    def put(self, record: Any, size: int) -> None:
        """Let a record be delivered; never waits.

        Args:
            record: What `encode` takes.
            size: About how many bytes it takes.
        """
        if self._closed:
            self._reporter.accounts.emitted(self._signal, 1)
            self._reporter.accounts.dropped(self._signal, "shutdown", 1)
        elif self._inbox.put(record, size) and not self._threads:
            self._start()

    def _start(self) -> None:
        if not self._starting.acquire(blocking=False):
            return
        threads = [
            threading.Thread(target=run, name=f"otel-llm-router-{name}-{self._signal}", daemon=True)
            for name, run in (("encode", self._encode_all), ("send", self._send_all))
        ]
        # The interpreter ends, or has no thread left: `shutdown` does their work.
        with contextlib.suppress(RuntimeError):
            for thread in threads:
                thread.start()
                self._threads.append(thread)

    # --- the first thread ---------------------------------------------------------------------------

    def _encode_all(self) -> None:
        while not self._closing:
            self._inbox.wait(self._queue.delay(self._batching.delay), self._queue.patience())
            self._encode_waiting()
            self._queue.keep_up()

    def _encode_waiting(self) -> None:
        """Encode what waits now."""
        with self._budget.changed:
            self._encoding = True
        try:
            taken, pushed_out = self._inbox.take()
            accounts = self._reporter.accounts
            if taken or pushed_out:
                accounts.emitted(self._signal, len(taken) + pushed_out)
            if pushed_out:
                accounts.dropped(self._signal, "queue_full", pushed_out)
            taken.reverse()  # what is encoded is let go of at once
            while taken:
                self._encode_some(self._part(taken))
        finally:
            with self._budget.changed:
                self._encoding = False
                self._budget.changed.notify_all()

    def _part(self, taken: list[Record]) -> list[Any]:
        """Take a batch from the end of ``taken``."""
        part: list[Any] = []
        room = _requests.MAX_REQUEST
        while taken and len(part) < self._batching.size and (not part or room >= taken[-1][1]):
            record, size = taken.pop()
            room -= size
            part.append(record)
        return part

    def _encode_some(self, records: list[Any]) -> None:
        try:
            content = self._encode(records)
        except Exception as error:  # a record that nobody can encode; the others can
            if len(records) > 1:
                for record in records:
                    self._encode_some([record])
                return
            _logger.debug("a record cannot be encoded", exc_info=error)
            self._reporter.refused(self._signal, self._destination, "encoding", "", 1)
            return
        self._enqueue(content, len(records))

    def _enqueue(self, content: bytes, count: int) -> None:
        if len(content) <= _requests.MAX_REQUEST:
            self._queue.put(Batch(content, count))
            self._queue.keep_up()
            return
        parts = _requests.halves(self._signal, content)
        if len(parts) == 1:
            self._reporter.refused(self._signal, self._destination, "too_large", "", count)
            return
        for part, number in parts:
            self._enqueue(part, number)

    # --- the second thread --------------------------------------------------------------------------

    def _send_all(self) -> None:
        pause = 0.0
        while True:
            batch = self._next(pause)
            if batch is None:
                self._sender.close()
                return
            pause = self._delivery.deliver(batch)
            self._queue.keep_up()

    def _next(self, pause: float) -> Batch | None:
        """Return the next batch after ``pause`` seconds, or None when there is nothing left to do."""
        until = time.monotonic() + pause
        changed = self._budget.changed
        while True:
            with changed:
                if self._closing:
                    if self._delivery.hopeless() or self._queue.safe():
                        return None
                    until = min(until, time.monotonic() + ENDING_PAUSE) if pause else until
                    pause = 0.0
                rest: float | None = until - time.monotonic()
                if rest > 0 and not self._hurry:
                    changed.wait(rest)
                    continue
                self._hurry = False
                batch = self._queue.take()
                last = self._closing and not self._encoding and not len(self._inbox)
            batch = batch or self._queue.fetch()
            if batch is not None or last:
                return batch
            with changed:
                if not self._queue.batches and not self._hurry:
                    changed.wait(ENDING_PAUSE if self._closing else self._queue.look_seconds)

    # --- flush and shutdown -------------------------------------------------------------------------

    def flush(self, seconds: float) -> bool:
        """Deliver what waits, now; return whether nothing waits any more, within ``seconds``."""
        changed, until = self._budget.changed, self._ending.within(seconds)
        if not self._threads and len(self._inbox):
            self._start()
        self._inbox.ring()
        try:
            with changed:
                self._hurry = True
                changed.notify_all()
                while not self._idle():
                    rest = until - time.monotonic()
                    if rest <= 0:
                        return False
                    changed.wait(rest)
                return True
        finally:
            self._inbox.calm()

    def _idle(self) -> bool:
        return not len(self._inbox) and not self._encoding and self._queue.empty()

    def shutdown(self) -> None:
        """Deliver what waits and stop; what cannot be delivered by the end of the process is counted as dropped."""
        if self._closing:
            return
        until = self._ending.within(SHUTDOWN_SECONDS)
        with self._budget.changed:
            self._closing = True
            self._budget.changed.notify_all()
        self._inbox.ring()
        encoder, *others = self._threads or (None,)
        if encoder is not None:
            encoder.join(max(0.0, until - time.monotonic()))
        self._encode_waiting()  # what came while it ended, or could not begin
        with self._budget.changed:
            self._budget.changed.notify_all()
        if others:
            while others[0].is_alive() and (rest := until - time.monotonic()) > 0:
                others[0].join(min(rest, self._queue.patience() or rest))
                self._queue.keep_up()
        else:
            self._send_all()
        self._closed = True
        self._encode_waiting()
        left = self._queue.leftover()
        if left:
            self._reporter.left_behind(self._signal, self._destination, left)
        if self._queue.kept():
            self._reporter.left_on_disk(self._signal, self._destination, self._queue.kept())

    def _pushed_out(self, records: int) -> None:
        self._reporter.accounts.dropped(self._signal, "queue_full", records)
