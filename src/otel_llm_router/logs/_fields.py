"""The fields of a log line.

Room: `logs`. A log record and its resource come in; one flat mapping goes out, with names that log back ends and dashboards for LLM
routers search by. Attributes without such a name keep their own.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any, Final, NamedTuple

from otel_llm_router.logs._plain import Plain
from otel_llm_router.signals import StreamName, attributes, events

SLOW: Final = 10.0
MEDIUM: Final = 5.0
"""Seconds from which on a request is slow, or medium; below it is fast."""

RENAMED: Final[Mapping[str, str]] = {
    attributes.REQUEST_ID.key: "inference_id",
    attributes.REQUEST_DURATION.key: "inference_latency",
    attributes.GEN_AI_OUTPUT_TOKENS.key: "tokens_generated",
    attributes.RESPONSE_MODEL.key: "model_name",
    attributes.GEN_AI_RESPONSE_MODEL.key: "model_name",
    attributes.MODEL.key: "model_name",
    attributes.ERROR_TYPE_SPAN.key: "error_name",
    attributes.ERROR_KIND.key: "error_name",
    "exception.type": "error_name",
    "exception.message": "error_message",
}
"""Attributes that have a name that is searched by."""

EVENT_TYPES: Final = {
    events.INFERENCE_ERROR.name: "error",
    events.MODEL_LOAD_FAILED.name: "error",
    events.ERROR_EVENT.name: "error",
}
_PREFIXES: Final = (
    ("llm_router.inference.", "inference"),
    ("gen_ai.client.inference.", "inference"),
    ("llm_router.model.", "model"),
)
# `collector-config/base.yaml` says the same of what arrives over OTLP; tests/cli/test_collector_layers.py holds them together.

RESERVED: Final = frozenset(
    {
        "timestamp",
        "level",
        "message",
        "service",
        "version",
        "environment",
        "host",
        "pid",
        "stream",
        "logger",
        "trace_id",
        "span_id",
        "event_name",
        "event_type",
        "performance_category",
        "truncated",
        *RENAMED.values(),
    }
)
"""Fields that an attribute of the same name does not replace: it is written with `ATTRIBUTE` before its name."""
ATTRIBUTE: Final = "attribute."

_LEVELS: Final = ((21, "FATAL"), (17, "ERROR"), (13, "WARN"), (9, "INFO"), (5, "DEBUG"), (1, "TRACE"))
_ERROR: Final = 17
_UNKNOWN: Final = "unknown"
_OWN: Final = "otel_llm_router"


class Entry(NamedTuple):
    """One log record as it was when it was emitted.

    Args:
        stream: Stream that it belongs to.
        nanoseconds: When it was, since the epoch.
        severity: OpenTelemetry's severity number.
        body: What it says.
        attributes: Its attributes.
        event_name: Name of the event, if it is one.
        trace_id: Of the span that it was emitted in; 0 outside any.
        span_id: Of that span.
        logger: Name of the logger, or of the instrumentation scope.
        resource: Attributes of the service that emitted it.
    """

    stream: StreamName
    nanoseconds: int
    severity: int
    body: Any
    attributes: Mapping[str, Any]
    event_name: str
    trace_id: int
    span_id: int
    logger: str
    resource: Mapping[str, Any]


def fields_of(entry: Entry) -> dict[str, Any]:
    """Return the fields of a record, in the order in which they are written."""
    plain = Plain()
    found: dict[str, Any] = {
        "timestamp": timestamp(entry.nanoseconds),
        "level": level(entry.severity),
        "message": plain.value("message", entry.body),
        "stream": entry.stream,
        **_service(entry.resource, plain),
    }
    if entry.event_name:
        found["event_name"] = plain.value("event_name", entry.event_name)
    kind = _event_type(entry)
    if kind:
        found["event_type"] = kind
    if entry.trace_id:
        found["trace_id"] = f"{entry.trace_id:032x}"
    if entry.span_id:
        found["span_id"] = f"{entry.span_id:016x}"
    if entry.logger and entry.logger != _OWN:
        found["logger"] = plain.value("logger", entry.logger)
    _add_attributes(found, plain.mapping(entry.attributes), own=entry.logger == _OWN)
    if kind == "error" and "error_message" not in found and isinstance(found["message"], str):
        found["error_message"] = found["message"]
    if plain.cut:
        found["truncated"] = True
    return found


def timestamp(nanoseconds: int) -> str:
    """Return a moment as ISO 8601 has it, in UTC, to the millisecond."""
    try:
        moment = datetime.fromtimestamp(nanoseconds // 10**9, timezone.utc)
    except (OverflowError, ValueError, OSError):  # a record that somebody made up
        moment = datetime.fromtimestamp(0, timezone.utc)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{nanoseconds // 10**6 % 1000:03d}Z"


def level(severity: int) -> str:
    """Return the name of OpenTelemetry's severity number."""
    return next((name for least, name in _LEVELS if severity >= least), "INFO")


def _service(resource: Mapping[str, Any], plain: Plain) -> dict[str, Any]:
    environment = resource.get("deployment.environment.name") or resource.get("deployment.environment")
    return {
        "service": plain.value("service", resource.get("service.name") or _UNKNOWN),
        "version": plain.value("version", resource.get("service.version") or _UNKNOWN),
        "environment": plain.value("environment", environment or _UNKNOWN),
        "host": plain.value("host", resource.get("host.name") or socket.gethostname()),
        "pid": os.getpid(),
    }


def _event_type(entry: Entry) -> str:
    known = EVENT_TYPES.get(entry.event_name)
    if known is not None:
        return known
    for prefix, kind in _PREFIXES:
        if entry.event_name.startswith(prefix):
            return kind
    return "error" if entry.severity >= _ERROR else ""


def _add_attributes(found: dict[str, Any], given: Mapping[str, Any], *, own: bool) -> None:
    for key, value in given.items():
        name = RENAMED.get(key) if own or key.startswith("exception.") else None
        if name is not None and name not in found:
            found[name] = value
        else:
            found[f"{ATTRIBUTE}{key}" if key in RESERVED or key in found else key] = value
    for requested in (attributes.REQUEST_MODEL.key, attributes.GEN_AI_REQUEST_MODEL.key) if own else ():
        if "model_name" not in found and found.get(requested) is not None:
            found["model_name"] = found[requested]
    seconds = found.get("inference_latency")
    if isinstance(seconds, (int, float)):
        found["performance_category"] = "slow" if seconds > SLOW else "medium" if seconds > MEDIUM else "fast"
