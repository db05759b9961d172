"""Which stream a log record belongs to.

Room: `logs`. A record's event name and severity come in; the name of one stream goes out.
"""

from __future__ import annotations

from typing import Final, get_args

from otel_llm_router.signals import EVENTS, StreamName

STREAMS: Final[tuple[StreamName, ...]] = get_args(StreamName)
"""Every stream."""

AUDIT: Final = "llm_router.audit."
"""Prefix of event names that belong to the audit trail, whoever emits them."""

_DECLARED: Final[dict[str, StreamName]] = {event.name: event.stream for event in EVENTS if event.stream is not None}
_ERROR: Final = 17


def stream_of(event_name: str | None, severity: int) -> StreamName:
    """Return the stream of a record with this event name and OpenTelemetry severity number."""
    if event_name:
        declared = _DECLARED.get(event_name)
        if declared is not None:
            return declared
        if event_name.startswith(AUDIT):
            return "audit"
    return "error" if severity >= _ERROR else "application"
