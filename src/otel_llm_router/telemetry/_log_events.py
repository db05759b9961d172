"""Log events of what comes often: routed requests, and HTTP requests. They exist where options ask for them.

Room: `telemetry`. Requests come in as they begin and end, from whichever instrumentation or call they are; one record for each goes out.
"""

from __future__ import annotations

import secrets
import time
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final, Literal

from opentelemetry import trace
from opentelemetry.trace import INVALID_SPAN, Span

from otel_llm_router import _sanitize
from otel_llm_router.signals import attributes, events

if TYPE_CHECKING:
    from otel_llm_router.telemetry._recorder import Recorder
    from otel_llm_router.telemetry._request import Request

Inferences = Literal["failed", "ended", "all"]
"""Which routed requests have a log event: those that failed or were given up, all that ended, or those that began as well."""

_FAILED: Final = 400
_ALL: Final = 2**64
_MAX_ID: Final = 128


def identifier(request: Request) -> str:
    """Return what the events of one request have in common: its route span's id, or one of its own."""
    context = request.span.get_span_context()
    if context.is_valid:
        return trace.format_span_id(context.span_id)
    if not request.id:
        request.id = secrets.token_hex(8)
    return request.id


def started(request: Request) -> None:
    """Say that a request began."""
    if request.telemetry.inferences == "all":
        values: dict[attributes.Attribute, object] = {
            attributes.REQUEST_ID: identifier(request),
            attributes.REQUEST_MODEL: request.model or None,
            attributes.STRATEGY_SPAN: request.strategy or None,
        }
        recorder = request.recorder
        recorder.finish(request.span, recorder.emit, events.INFERENCE_STARTED, values, request.context, request.wall)


def ended(request: Request, elapsed: int) -> None:
    """Say that a request ended, which took ``elapsed`` nanoseconds; of a success only where it is asked for."""
    succeeded = request.outcome == attributes.SUCCESS
    if succeeded and request.telemetry.inferences == "failed":
        return
    output = request.cached_output if request.cached else request.delivered
    values: dict[attributes.Attribute, object] = {
        attributes.REQUEST_ID: identifier(request),
        attributes.REQUEST_MODEL: request.model or None,
        attributes.RESPONSE_MODEL: request.answered_model,
        attributes.STRATEGY_SPAN: request.strategy or None,
        attributes.ATTEMPT_COUNT: request.attempts,
        attributes.REQUEST_DURATION: elapsed / 1e9,
        attributes.GEN_AI_OUTPUT_TOKENS: output or None,
    }
    if succeeded:
        values[attributes.CACHED_SPAN] = request.cached
        event = events.INFERENCE_COMPLETED
    else:
        values[attributes.ERROR_TYPE_SPAN] = request.error_type or None
        event = events.INFERENCE_ERROR if request.outcome == attributes.ERROR else events.INFERENCE_ABORTED
    request.recorder.emit(event, values, request.context, request.wall + elapsed)


class Access:
    """Records of HTTP requests.

    Args:
        shares: Patterns of routes, and the share of their requests that is recorded; the first that matches holds.
        client: Whether records have the client's address.
    """

    def __init__(self, shares: tuple[tuple[str, float], ...] = (), *, client: bool = False) -> None:
        self._shares = shares
        self._client = client

    def record(
        self,
        recorder: Recorder,
        labels: tuple[str, str, int | None],
        seconds: float,
        *,
        request_id: str | None,
        client: str | None,
        span: Span | None,
    ) -> None:
        """Record one HTTP request, with its method, route and status as ``labels``, unless it is left out."""
        method, route, status = labels
        span = trace.get_current_span() if span is None else span
        if not self._keeps(route, status, span.get_span_context().trace_id):
            return
        values: dict[attributes.Attribute, object] = {
            attributes.HTTP_METHOD_LOG: method,
            attributes.HTTP_ROUTE_LOG: route or None,
            attributes.HTTP_STATUS: status,
            attributes.HTTP_DURATION_LOG: seconds,
            attributes.HTTP_REQUEST_ID: _sanitize.text(request_id, _MAX_ID) if request_id else None,
            attributes.CLIENT_ADDRESS: client if self._client else None,
        }
        context = trace.set_span_in_context(span if span.get_span_context().is_valid else INVALID_SPAN)
        recorder.finish(span, recorder.emit, events.HTTP_REQUEST, values, context, time.time_ns())

    def _keeps(self, route: str, status: int | None, trace_id: int) -> bool:
        if not self._shares or status is None or status >= _FAILED:
            return True
        share = next((share for pattern, share in self._shares if fnmatchcase(route, pattern)), 1.0)
        # By the bits that samplers of traces look at: of equal shares, the same requests.
        return (trace_id or secrets.randbits(64)) % _ALL < share * _ALL


def shares(text: str) -> tuple[tuple[tuple[str, float], ...], list[str]]:
    """Read option ``log_access_sample``; return the shares, and what is wrong with it in sentences."""
    found: list[tuple[str, float]] = []
    problems: list[str] = []
    for entry in filter(None, (part.strip() for part in text.split(","))):
        pattern, _, number = entry.rpartition("=")
        try:
            share = float(number)
        except ValueError:
            share = -1.0
        if pattern and 0 <= share <= 1:
            found.append((pattern.strip(), share))
        else:
            problems.append(
                f"{_sanitize.text(entry, 80)!r} is left out: an entry is route=share, with a share from 0 to 1"
            )
    return tuple(found), problems
