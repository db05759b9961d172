"""Processors of the SDK's interfaces, which give what has ended to a worker.

Room: `export`. They run on the application's path: nothing in them waits, and nothing of theirs is raised.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from opentelemetry.context import Context
from opentelemetry.sdk._logs import LogRecordProcessor, ReadableLogRecord, ReadWriteLogRecord
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor

from otel_llm_router.export import _requests, _sizes
from otel_llm_router.export._worker import Worker

Guard = Callable[[], AbstractContextManager[Any]]
"""Makes a guard."""

Early = Callable[[ReadableSpan], "bytes | None"]
"""Encodes a span, if it can."""

_ENCODED: int = 100
"""Bytes that an encoded span takes beside its own, about."""


class PushingSpanProcessor(SpanProcessor):
    """Gives sampled spans to a worker.

    Args:
        worker: Delivers them.
        guard: Makes the guard for errors of ours.
        scope: Name of the scope whose spans end off the request path: those are encoded at once.
        early: Encodes one of them.
    """

    def __init__(self, worker: Worker, guard: Guard, scope: str | None = None, early: Early | None = None) -> None:
        self._worker = worker
        self._guard = guard
        self._scope = scope
        self._early = early

    def on_end(self, span: ReadableSpan) -> None:
        """Let an ended span be delivered."""
        with self._guard():
            context, scope = span.context, span.instrumentation_scope
            if context is None or not context.trace_flags.sampled:
                return
            size = _sizes.of_span(span)
            if size > _requests.MAX_REQUEST:
                span = _sizes.shorter_span(span)
                size = _sizes.of_span(span)
            elif self._early is not None and scope is not None and scope.name == self._scope:
                encoded = self._early(span)
                if encoded is not None:
                    self._worker.put(encoded, len(encoded) + _ENCODED)
                    return
            self._worker.put(span, size)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Deliver what has ended, within ``timeout_millis``; return whether it is all accounted for."""
        return self._worker.flush(timeout_millis / 1000)

    def shutdown(self) -> None:
        """Deliver what has ended, and stop."""
        self._worker.shutdown()


class PushingLogProcessor(LogRecordProcessor):
    """Gives log records to a worker.

    Args:
        worker: Delivers them.
        guard: Makes the guard for errors of ours.
    """

    def __init__(self, worker: Worker, guard: Guard) -> None:
        self._worker = worker
        self._guard = guard

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        """Let a log record be delivered as it is now."""
        with self._guard():
            kept = copy.copy(log_record.log_record)
            kept.context = Context()  # it may hold anything of the application's
            resource = log_record.resource if log_record.resource is not None else Resource({})
            record = ReadableLogRecord(kept, resource, log_record.instrumentation_scope, log_record.limits)
            size = _sizes.of_log(record)
            if size > _requests.MAX_REQUEST:
                record = _sizes.shorter_log(record)
                size = _sizes.of_log(record)
            self._worker.put(record, size)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Deliver what was emitted, within ``timeout_millis``; return whether it is all accounted for."""
        return self._worker.flush(timeout_millis / 1000)

    def shutdown(self) -> None:
        """Deliver what was emitted, and stop."""
        self._worker.shutdown()
