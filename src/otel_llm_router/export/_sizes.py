"""How much memory a record waits with, and what is done about one that is far too large.

Room: `export`. Looked at on the application's path: texts are measured, never copied, and only a record that
holds one of `MAX_TEXT` and more is written again, with that text cut.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, Final, cast

from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.trace import Event, ReadableSpan

OVERHEAD: Final = 1000
"""Bytes that a record takes beside its texts, about."""
MAX_TEXT: Final = 1_000_000
"""Characters of the longest text that leaves whole."""
KEPT: Final = 64_000
"""Characters that are kept of a longer one."""
_DEPTH: Final = 8


def of_span(span: ReadableSpan) -> int:
    """Return about how many bytes a span takes."""
    size = OVERHEAD + of_value(span.attributes)
    for event in span.events:
        size += 100 + of_value(event.attributes)
    return size


def of_log(record: ReadableLogRecord) -> int:
    """Return about how many bytes a log record takes."""
    log = record.log_record
    return OVERHEAD + of_value(log.body) + of_value(log.attributes)


def of_value(value: object, depth: int = _DEPTH) -> int:
    """Return about how many bytes a value takes."""
    if isinstance(value, (str, bytes, bytearray)):
        return len(value)
    if depth and isinstance(value, Mapping):
        items = cast("Mapping[Any, object]", value)
        return sum(50 + of_value(one, depth - 1) for one in list(items.values()))
    if depth and isinstance(value, (list, tuple)):
        return sum(10 + of_value(one, depth - 1) for one in cast("list[object]", value))
    return 10


def shorter_span(span: ReadableSpan) -> ReadableSpan:
    """Return a span with its longest texts cut."""
    return ReadableSpan(
        span.name,
        span.context,
        span.parent,
        span.resource,
        shorter(span.attributes),
        [Event(event.name, shorter(event.attributes), event.timestamp) for event in span.events],
        span.links,
        span.kind,
        status=span.status,
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def shorter_log(record: ReadableLogRecord) -> ReadableLogRecord:
    """Return a log record with its longest texts cut."""
    log = copy.copy(record.log_record)
    log.body = shorter(log.body)
    log.attributes = shorter(log.attributes)
    return ReadableLogRecord(log, record.resource, record.instrumentation_scope, record.limits)


def shorter(value: Any, depth: int = _DEPTH) -> Any:
    """Return a value with its long texts cut, and each with its length said."""
    if isinstance(value, str) and len(value) > MAX_TEXT:
        return f"{value[:KEPT]} [cut: {len(value)} characters]"
    if isinstance(value, (bytes, bytearray)) and len(value) > MAX_TEXT:
        return bytes(value[:KEPT])
    if depth and isinstance(value, Mapping):
        items = cast("Mapping[Any, object]", value)
        return {key: shorter(one, depth - 1) for key, one in items.items()}
    if depth and isinstance(value, (list, tuple)):
        return [shorter(one, depth - 1) for one in cast("list[object]", value)]
    return value
