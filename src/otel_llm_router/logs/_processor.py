"""Log records into the files.

Room: `logs`. Records come in as they are emitted, on the application's path, where they are only put aside; their lines are made and
written in the writer's thread.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final, Protocol

from opentelemetry.sdk._logs import LogRecordProcessor, ReadWriteLogRecord

from otel_llm_router import redaction
from otel_llm_router.logs._fields import Entry, fields_of
from otel_llm_router.logs._formats import Format, as_json
from otel_llm_router.logs._places import Place
from otel_llm_router.logs._streams import STREAMS, stream_of
from otel_llm_router.logs._writer import Writer
from otel_llm_router.signals import StreamName

_logger = logging.getLogger("otel_llm_router")

_INFO: Final = 9
_RECORD: Final = 500
"""Bytes that a record takes beside its text, about."""
_EMPTY: Final[Mapping[str, Any]] = {}
_LEVELLED: Final = frozenset({"application", "error"})
"""Streams whose records the least level holds back."""


class Accounts(Protocol):
    """Told what becomes of lines."""

    def written(self, stream: str, lines: int) -> None:
        """Take that lines were written."""
        ...

    def dropped(self, stream: str, reason: str, lines: int) -> None:
        """Take that records were lost, and why."""
        ...


class Streams(LogRecordProcessor):
    """Writes log records to where their stream is written.

    Args:
        place: Where lines are written.
        accounts: Told what becomes of each record.
        guard: Makes a guard for errors of ours.
        streams: The streams that are written.
        level: Least severity number of what is written to ``application`` and ``error``.
        line: Makes a line of a record's fields.
    """

    def __init__(
        self,
        place: Place,
        accounts: Accounts,
        guard: Callable[[], AbstractContextManager[Any]],
        *,
        streams: Collection[str] = STREAMS,
        level: int = _INFO,
        line: Format = as_json,
    ) -> None:
        self._place = place
        self._accounts = accounts
        self._guard = guard
        self._streams = frozenset(streams)
        self._level = level
        self._line = line
        self._diverted: dict[str, Callable[[Mapping[str, Any]], None]] = {}
        self._failed: set[str] = set()
        # Loaded now: a process that is forked while the writer's thread imports would wait for ever.
        redaction.load()
        self._writer: Writer[Entry] = Writer(self._write, self._dropped, guard)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=place.begin_again)

    def divert(self, stream: StreamName, take: Callable[[Mapping[str, Any]], None]) -> None:
        """Give the records of a stream to ``take`` from now on, as fields of a line, in place of its file.

        It is called in the thread that writes, one record after the other; what it raises goes to the guard.
        """
        self._diverted[stream] = take

    # --- of the SDK -----------------------------------------------------------------------------

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        """Let a log record be written as it is now."""
        with self._guard():
            record = log_record.log_record
            severity = record.severity_number.value if record.severity_number is not None else 0
            stream = stream_of(record.event_name, severity or _INFO)
            if stream in _LEVELLED and (severity or _INFO) < self._level:
                return
            if stream not in self._streams and stream not in self._diverted:
                return
            resource, scope = log_record.resource, log_record.instrumentation_scope
            body, attributes = record.body, record.attributes
            entry = Entry(
                stream,
                record.timestamp or record.observed_timestamp or 0,
                severity or _INFO,
                body,
                attributes if attributes is not None else _EMPTY,
                record.event_name or "",
                record.trace_id or 0,
                record.span_id or 0,
                scope.name if scope is not None else "",
                resource.attributes if resource is not None else _EMPTY,
            )
            self._writer.put(entry, _size(body, entry.attributes))

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Write what was emitted, within ``timeout_millis``; return whether all of it is written."""
        return self._writer.flush(timeout_millis / 1000)

    def shutdown(self) -> None:
        """Write what was emitted; records may still come, until `close`."""
        self._writer.flush(1.0)

    def close(self, seconds: float = 1.0) -> None:
        """Write what was emitted, within ``seconds``, and nothing that comes later."""
        self._writer.close(seconds)

    # --- in the writer's thread -----------------------------------------------------------------

    def _write(self, batch: Sequence[Entry]) -> None:
        lines: dict[str, list[tuple[str, str]]] = {}
        for entry in batch:
            with self._guard():
                fields = fields_of(entry)
                take = self._diverted.get(entry.stream)
                if take is not None:
                    take(fields)
                else:
                    where = "" if self._place.shared else entry.stream
                    lines.setdefault(where, []).append((entry.stream, self._line(fields)))
        for made in lines.values():
            self._write_lines(made)

    def _write_lines(self, made: Sequence[tuple[str, str]]) -> None:
        counts: dict[str, int] = {}
        for stream, _ in made:
            counts[stream] = counts.get(stream, 0) + 1
        try:
            self._place.write(made[0][0], [line for _, line in made])
        except Exception as error:  # noqa: BLE001  # the system's, or of the library that rotates
            self._say(error)
            for stream, number in counts.items():
                self._accounts.dropped(stream, "write_failed", number)
            return
        self._failed.clear()
        for stream, number in counts.items():
            self._accounts.written(stream, number)

    def _say(self, error: Exception) -> None:
        kind = f"{type(error).__name__} {getattr(error, 'errno', '')}"
        if kind not in self._failed:
            self._failed.add(kind)
            why = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
            _logger.warning(
                "otel-llm-router: log lines cannot be written: %s; they are lost, and counted in "
                "llm_router.telemetry.log_lines.dropped (see docs/logs.md)",
                why,
            )

    def _dropped(self, entry: Entry, reason: str) -> None:
        self._accounts.dropped(entry.stream, reason, 1)


def _size(body: object, attributes: Mapping[str, Any]) -> int:
    size = _RECORD + (len(body) if isinstance(body, str) else _RECORD)
    for value in attributes.values():
        size += len(value) if isinstance(value, str) else 50
    return size
