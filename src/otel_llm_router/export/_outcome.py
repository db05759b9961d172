"""What became of one attempt to deliver a request, and what to do about it.

Room: `export`. A collector's answer comes in, over HTTP or gRPC; an `Outcome` goes out. The lists are the
OTLP specification's: https://opentelemetry.io/docs/specs/otlp/
"""

from __future__ import annotations

import email.utils
import json
import time
from dataclasses import dataclass
from typing import Any, Final, Literal

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

MAX_AFTER: Final = 300.0
"""Seconds that a collector can ask to be left alone for."""

_AGAIN_HTTP: Final = frozenset({408, 429, 502, 503, 504})
_REDIRECTS: Final = range(300, 400)
_TOO_LARGE: Final = 413

_AGAIN_GRPC: Final = frozenset(
    {"CANCELLED", "DEADLINE_EXCEEDED", "ABORTED", "OUT_OF_RANGE", "UNAVAILABLE", "DATA_LOSS", "RESOURCE_EXHAUSTED"}
)
_CODES: Final = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
]
_LARGER: Final = ("larger than", "too large", "exceed")
"""How servers say that a message is too large: the code alone also means that they are busy."""


@dataclass(frozen=True)
class Outcome:
    """What became of an attempt.

    Args:
        kind: It has arrived, is to be sent again, to be sent in smaller pieces, or will never be taken.
        reason: Label value of what went wrong.
        code: The status that was answered, for people.
        rejected: Records that the collector took the request without.
        after: Seconds that the collector asks to be left alone for.
        unknown: It was sent whole and nobody answered: it may have arrived.
    """

    kind: Literal["delivered", "again", "split", "never"]
    reason: str = ""
    code: str = ""
    rejected: int = 0
    after: float | None = None
    unknown: bool = False


def of_http(status: int, headers: dict[str, str], body: bytes) -> Outcome:
    """Return what an answer over HTTP means; ``headers`` by their lower-case names."""
    code = str(status)
    if 200 <= status < 300:  # noqa: PLR2004  # HTTP's
        return Outcome("delivered", code=code, rejected=_rejected(headers, body))
    if status in _REDIRECTS:
        return Outcome("never", "redirect", code)
    if status == _TOO_LARGE:
        return Outcome("split", "too_large", code)
    if status in _AGAIN_HTTP:
        return Outcome("again", "rejected", code, after=_seconds(headers.get("retry-after", "")))
    return Outcome("never", "rejected", code)


def of_grpc(number: int, message: str, body: bytes, after: float | None) -> Outcome:
    """Return what a gRPC status means.

    Args:
        number: The status.
        message: What was said with it.
        body: The message that was answered.
        after: Seconds to be left alone for, if the collector asked for that.
    """
    code = _CODES[number] if 0 <= number < len(_CODES) else str(number)
    if code == "OK":
        return Outcome("delivered", code=code, rejected=_rejected({}, body))
    if code == "RESOURCE_EXHAUSTED" and after is None and any(word in message.lower() for word in _LARGER):
        return Outcome("split", "too_large", code)
    if code in _AGAIN_GRPC:
        reason = "timeout" if code == "DEADLINE_EXCEEDED" else "refused" if code == "UNAVAILABLE" else "rejected"
        return Outcome("again", reason, code, after=None if after is None else min(after, MAX_AFTER))
    return Outcome("never", "rejected", code)


def _rejected(headers: dict[str, str], body: bytes) -> int:
    """Return how many records a success leaves out; all three signals write it in the same field."""
    try:
        if headers.get("content-type", "").startswith("application/json"):
            said: dict[str, Any] = json.loads(body)
            partial: dict[str, Any] = said.get("partialSuccess") or {}
            return max(0, *(int(count) for name, count in partial.items() if name.startswith("rejected")), 0)
        return max(0, ExportTraceServiceResponse.FromString(body).partial_success.rejected_spans)
    except Exception:  # noqa: BLE001  # a success all the same, whatever else it says
        return 0


def _seconds(text: str) -> float | None:
    """Return the seconds of a Retry-After, which may be a date."""
    try:
        return min(max(0.0, float(text)), MAX_AFTER)
    except ValueError:
        pass
    try:
        moment = email.utils.parsedate_to_datetime(text).timestamp()
    except (TypeError, ValueError):
        return None
    return min(max(0.0, moment - time.time()), MAX_AFTER)
