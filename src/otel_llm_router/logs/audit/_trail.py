"""The audit trail of a process: what happened goes into a file, off the request path, and from there on.

Room: `logs`. Events come in from any thread, a signal handler's or a finaliser's included; a thread writes all that
wait at once, and tells whoever waits for it. A file that cannot be written is said once, and tried again while events
wait, up to a bound.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Final

from otel_llm_router.logs.audit._chain import AppendError, Chain
from otel_llm_router.logs.audit._event import Event
from otel_llm_router.logs.audit._folding import Folding
from otel_llm_router.logs.audit._lines import Lines
from otel_llm_router.logs.audit._patterns import Patterns
from otel_llm_router.logs.audit._record import Seal
from otel_llm_router.signals import Attribute, Instrument, LogEvent, events
from otel_llm_router.signals import attributes as a
from otel_llm_router.signals.instruments import security

_logger = logging.getLogger("otel_llm_router")

WAITING: Final = 10_000
"""Events that may wait to be written; further ones are lost, and counted."""
BATCH: Final = 1000
RETRY_SECONDS: Final = 1.0
CHECKPOINT_SECONDS: Final = 60.0
"""Seconds between two checkpoints, while there is something new."""

Record = Callable[[Instrument, int, tuple[str, ...]], object]
Emit = Callable[[LogEvent, Mapping[Attribute, Any]], object]
Configuration = Callable[[Callable[[str], str]], Mapping[str, str]]
"""Gives the configuration; what it is given hashes a secret."""


class Trail:
    """Writes what happened.

    Args:
        path: The audit file.
        seal: Makes the hashes.
        limit: Bytes of one file.
        who: Members that every record has: service, host and so on.
        wanted: Kinds of events that are put on record by themselves.
        record: Counts on an instrument.
        emit: Sends a log event; for checkpoints, and for all records where they are exported.
        export: Whether records are sent too, once they are on disk.
    """

    def __init__(
        self,
        path: Path,
        seal: Seal,
        *,
        limit: int,
        who: Mapping[str, str],
        wanted: frozenset[str],
        record: Record,
        emit: Emit,
        export: bool = False,
    ) -> None:
        self._lines = Lines(path, who)
        self._chain = Chain(path, seal, limit=limit, own=self._lines.own)
        self._wanted = wanted
        self._record = record
        self._emit = emit
        self._export = export
        self._begin()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._in_child)

    def _begin(self) -> None:
        self._inbox: SimpleQueue[Event | threading.Event] = SimpleQueue()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._pending: list[tuple[Event, dict[str, Any]]] = []
        self._folding = Folding()
        self._patterns = Patterns()
        self._closing = False
        self._failing = False
        self._retry_at = 0.0
        self._told = (0, 0.0)

    def _in_child(self) -> None:
        self._chain.in_child()
        self._begin()

    # --- what the application does ---------------------------------------------------------------

    def put(self, event: Event) -> None:
        """Let an event be written; it never waits."""
        if event.kind != "action" and event.kind not in self._wanted:
            return
        if self._closing or self._inbox.qsize() >= WAITING:
            self._lose([event], "shutdown" if self._closing else "queue_full")
            return
        self._inbox.put(event)
        if self._thread is None:
            self.start()

    def start(self) -> None:
        """Start the thread that writes, unless it runs."""
        if not self._starting.acquire(blocking=False):  # whoever has it is starting it
            return
        try:
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="otel-llm-router-audit", daemon=True)
                thread.start()
                self._thread = thread
                for reason in a.AUDIT_LOST_REASON.values:  # so that the first loss is an increase
                    self._record(security.AUDIT_LOST, 0, (reason,))
        finally:
            self._starting.release()

    def configured(self, configuration: Configuration) -> None:
        """Put on record what the configuration of this process is."""
        self._lines.configuration = configuration
        self.put(Event(events.AUDIT_CONFIGURATION, {a.AUDIT_ACTION: "start"}, time.time_ns()))

    def flush(self, milliseconds: int) -> None:
        """Return when all that waits is on disk, or the time is over."""
        done = threading.Event()
        if self._thread is not None:
            self._inbox.put(done)
            done.wait(milliseconds / 1000)

    def close(self, seconds: float) -> None:
        """Write what waits, and end, within ``seconds``; what cannot be written is lost and counted."""
        if self._closing or self._thread is None:
            self._closing = True
            return
        self._closing = True
        self._inbox.put(threading.Event())
        self._thread.join(seconds)

    # --- the thread ------------------------------------------------------------------------------

    def _run(self) -> None:
        inbox = self._inbox
        while True:
            asked: list[threading.Event] = []
            try:
                self._collect(inbox, asked)
                self._write()
                self._checkpoint()
            except Exception as error:  # a thread of ours: nobody else would hear of it
                _logger.warning("otel-llm-router: %s in the audit trail; records may be missing", type(error).__name__)
                _logger.debug("in the audit trail", exc_info=error)
                self._lose([event for event, _ in self._pending], "encoding")
                self._pending = []
            for one in asked:
                one.set()
            if self._closing and inbox.empty():
                self._lose([event for event, _ in self._pending], "shutdown")
                return

    def _collect(self, inbox: SimpleQueue[Event | threading.Event], asked: list[threading.Event]) -> None:
        """Take what waits, at most a batch of it; wait for the first."""
        with suppress(Empty):
            found: Event | threading.Event = inbox.get(timeout=RETRY_SECONDS)
            while True:
                if isinstance(found, threading.Event):
                    asked.append(found)
                else:
                    self._take(found)
                if len(self._pending) >= BATCH and not self._failing:
                    break
                found = inbox.get_nowait()
        over = self._folding.end() if asked or self._closing else self._folding.due(time.monotonic())
        for event in over:
            self._prepare(event)

    def _take(self, event: Event) -> None:
        if self._failing and len(self._pending) >= WAITING:
            self._lose([event], "queue_full")
            return
        try:
            event = self._lines.named(event)
            self._sort(event)
        except OSError as error:
            self._failed(error)
            self._lose([event], "encoding")
        except Exception as error:  # the application's value: nobody may lose the other records for it
            _logger.debug("an audit record cannot be made", exc_info=error)
            self._lose([event], "encoding")

    def _sort(self, event: Event) -> None:
        """Let an event be written, at once or with those that it repeats, and what it makes suspicious."""
        if "suspicious" in self._wanted:
            for attributes in self._patterns.take(event):
                self._record(security.UNUSUAL_ACCESS, 1, (str(attributes[a.AUDIT_PATTERN]),))
                self._prepare(Event(events.AUDIT_SUSPICIOUS, attributes, event.at, event.trace_id, event.span_id))
        folds = event.receipt is None and event.kind in {"authentication", "key_use", "decision"}
        first = self._folding.take(event, time.monotonic()) if folds else event
        if first is not None:
            self._prepare(first)

    def _prepare(self, event: Event) -> None:
        try:
            self._pending.append((event, self._lines.fields(event)))
        except (OSError, ValueError, TypeError) as error:
            _logger.debug("an audit record cannot be made", exc_info=error)
            self._lose([event], "encoding")

    def _write(self) -> None:
        if not self._pending or (time.monotonic() < self._retry_at and not self._closing):
            return
        done = len(self._pending)
        try:
            self._chain.append([fields for _, fields in self._pending])
        except AppendError as error:
            done = error.done
            self._record(security.AUDIT_FAILURES, 1, ())
            self._failed(error)
            self._retry_at = time.monotonic() + RETRY_SECONDS
        else:
            self._retry_at = 0.0
            if self._failing:
                self._failing = False
                _logger.warning("otel-llm-router: the audit file %s is written again", self._chain.path)
        written, self._pending = self._pending[:done], self._pending[done:]
        for event, fields in written:
            self._record(security.AUDIT_RECORDS, 1, (event.kind,))
            _tell(event, on_disk=True)
            if self._export:
                self._emit(event.event, self._lines.attributes(event, fields))

    def _failed(self, error: OSError) -> None:
        if not self._failing:
            self._failing = True
            _logger.warning(
                "otel-llm-router: the audit file %s cannot be written (%s). The application goes on; up to %d records wait "
                "and it is tried again, further ones are lost and counted in llm_router.audit.lost (see docs/audit.md)",
                self._chain.path,
                error.strerror or type(error).__name__,
                WAITING,
            )

    def _checkpoint(self) -> None:
        last = self._chain.last
        if last is None or last[1].sequence == self._told[0]:
            return
        if self._told[0] and not self._closing and time.monotonic() - self._told[1] < CHECKPOINT_SECONDS:
            return
        chain, place = last
        self._told = place.sequence, time.monotonic()
        self._emit(
            events.AUDIT_CHECKPOINT,
            {a.AUDIT_CHAIN: chain, a.AUDIT_SEQUENCE: place.sequence, a.AUDIT_HASH: place.digest},
        )

    def _lose(self, lost: Sequence[Event], reason: str) -> None:
        for event in lost:
            self._record(security.AUDIT_LOST, 1, (reason,))
            _tell(event, on_disk=False)


def _tell(event: Event, *, on_disk: bool) -> None:
    receipt: Future[bool] | None = event.receipt
    if receipt is not None:
        with suppress(InvalidStateError):  # nobody waits any more
            receipt.set_result(on_disk)
