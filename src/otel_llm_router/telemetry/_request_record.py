"""What an ended request leaves behind: its measurements, its log event, the end of its span.

Room: `telemetry`. Called by `_request` once for each request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.trace import StatusCode

from otel_llm_router.signals import attributes
from otel_llm_router.signals.instruments import requests, routing
from otel_llm_router.telemetry import _audit, _context, _guard, _log_events
from otel_llm_router.telemetry._recorder import Records
from otel_llm_router.telemetry._values import set_attributes

if TYPE_CHECKING:
    from otel_llm_router.telemetry._request import Request


@_guard.guarded("request.record")
def leave(request: Request, elapsed: int) -> None:
    """Record an ended request that took ``elapsed`` nanoseconds, and end its span."""
    try:
        if request.counted:
            record(request, elapsed)
    finally:
        end_span(request, elapsed)
        _context.let_go_of_request(request)
        request.last_attempt = None


def record(request: Request, elapsed: int) -> None:
    """Record every measurement of an ended request that took ``elapsed`` nanoseconds."""
    recorder = request.recorder
    model = request.answered_model or request.model or attributes.UNKNOWN
    strategy = request.strategy or attributes.UNKNOWN
    seconds = elapsed / 1e9
    request.leave_flight()
    routed = (model, strategy)
    records: Records = [
        (requests.INFERENCE, 1, (model, strategy, request.outcome, "true" if request.cached else "false")),
        (requests.INFERENCE_DURATION, seconds, routed),
        (requests.OVERHEAD, max(0, elapsed - request.waited) / 1e9, (strategy,)),
    ]
    _add_output(records, request, routed, seconds)
    wanted = request.telemetry.attribution
    if wanted:
        records.append((routing.ATTRIBUTED_REQUESTS, 1, (*request.caller.labels(wanted), request.outcome)))
    recorder.record_all(records)
    sink = request.telemetry.audit_sink
    if sink is not None:
        _audit.ended(request, sink)
    if request.outcome == attributes.ERROR:
        recorder.record(requests.ERRORS, 1, request.error_type, request.component, "error")
    if request.outcome == attributes.ABORTED and request.streaming:
        phase = "mid_stream" if request.stream_chunks else "before_first_token"
        recorder.record(requests.STREAM_ABORTS, 1, model, "client", phase)
    _log_events.ended(request, elapsed)


def _add_output(records: Records, request: Request, routed: tuple[str, str], seconds: float) -> None:
    output = request.cached_output if request.cached else request.delivered
    model = routed[:1]
    if output:
        records.append((requests.TOKENS_GENERATED, output, routed))
        if not request.cached and seconds > 0 and request.outcome == attributes.SUCCESS:
            records.append((requests.TOKENS_PER_SECOND, output / seconds, model))
    if request.first_token is None:
        return
    records.append((requests.TIME_TO_FIRST_TOKEN, max(0, request.first_token - request.began) / 1e9, routed))
    # Chunks may hold several tokens each: the mean is over the tokens when their number is known.
    intervals = max(output, request.stream_chunks) - 1
    if intervals > 0 and request.last_token is not None and not request.cached:
        streamed = (request.last_token - request.first_token) / 1e9
        records.append((requests.TIME_PER_OUTPUT_TOKEN, max(0, streamed) / intervals, model))


def end_span(request: Request, elapsed: int) -> None:
    """Complete and end the route span, ``elapsed`` nanoseconds after it began."""
    span = request.span
    if span.is_recording():
        set_attributes(
            span,
            {
                attributes.RESPONSE_MODEL: request.answered_model,
                attributes.STRATEGY_SPAN: request.strategy or None,
                attributes.OUTCOME: request.outcome,
                attributes.CACHED_SPAN: request.cached,
                attributes.ATTEMPT_COUNT: request.attempts,
                attributes.ERROR_TYPE_SPAN: request.error_type or None,
            },
        )
        if request.outcome != attributes.SUCCESS:
            span.set_status(StatusCode.ERROR, request.error_type)
    span.end(request.wall + elapsed)
