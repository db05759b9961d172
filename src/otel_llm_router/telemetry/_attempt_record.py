"""What an ended attempt leaves behind: its measurements and the last attributes of its span.

Room: `telemetry`. Called by `_attempt` once for each attempt.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from opentelemetry.trace import StatusCode

from otel_llm_router.signals import Attribute, attributes
from otel_llm_router.signals.instruments import requests, routing
from otel_llm_router.telemetry import _context, _foreign, _genai, _guard
from otel_llm_router.telemetry._recorder import Records
from otel_llm_router.telemetry._values import set_attributes

if TYPE_CHECKING:
    from otel_llm_router.telemetry._attempt import Attempt
    from otel_llm_router.telemetry._content import Content


@_guard.guarded("attempt.record")
def leave(attempt: Attempt, elapsed: int, http_status: int | None) -> None:
    """Record an ended attempt that took ``elapsed`` nanoseconds, and end its span."""
    try:
        record(attempt, elapsed / 1e9)
    finally:
        content = None if attempt.content_kept is None else _content(attempt, attempt.content_kept)
        end_span(attempt, elapsed, http_status, content or {})
        _context.let_go_of_attempt(attempt)


def record(attempt: Attempt, seconds: float) -> None:
    """Record every measurement of an ended attempt."""
    recorder, target = attempt.request.recorder, attempt.target
    attempt.leave_flight()
    if attempt.outcome == attributes.SUCCESS:
        recorder.bounds.vouch(attributes.MODEL, target.model)
    called = (target.provider, target.model)
    records: Records = [
        (routing.ATTEMPTS, 1, (*called, attempt.outcome, attempt.error_type)),
        (routing.ATTEMPT_DURATION, seconds, called),
    ]
    _add_tokens(records, attempt, called)
    if attempt.outcome == attributes.ERROR:
        _add_failure(records, attempt, called)
    if attempt.foreign is None or not _foreign.makes_metrics(attempt.foreign):
        _genai.add(records, attempt, attempt.request.telemetry.genai_metrics, seconds)
    recorder.record_all(records)
    record_cost(attempt)


def answered(attempt: Attempt) -> bool:
    """Whether any output came, so that there is usage to be had."""
    return attempt.outcome == attributes.SUCCESS or attempt.chunks > 0


def _add_tokens(records: Records, attempt: Attempt, called: tuple[str, str]) -> None:
    usage = attempt.usage
    request = attempt.request
    wanted = request.telemetry.attribution
    for kind, value in usage.items():
        records.append((routing.TOKENS, value, (*called, kind, usage.source)))
        if wanted:
            records.append((routing.ATTRIBUTED_TOKENS, value, (*request.caller.labels(wanted), kind)))
    if usage.invalid:
        records.append((routing.USAGE_MISSING, 1, (*called, "invalid")))
    elif usage.source != "reported" and answered(attempt):
        records.append((routing.USAGE_MISSING, 1, (*called, "absent")))
    if attempt.outcome != attributes.SUCCESS and usage.output:
        reason = "aborted" if attempt.outcome == attributes.ABORTED else "attempt_failed"
        records.append((routing.TOKENS_WASTED, usage.output, (called[1], reason)))


def _add_failure(records: Records, attempt: Attempt, called: tuple[str, str]) -> None:
    records.append((requests.ERRORS, 1, (attempt.error_type, "upstream", "warning")))
    if attempt.error_type == "rate_limit":
        records.append((routing.RATE_LIMIT_HITS, 1, called))
    if attempt.streaming:
        phase = "mid_stream" if attempt.chunks else "before_first_token"
        records.append((requests.STREAM_ABORTS, 1, (called[1], "upstream", phase)))


@_guard.guarded("attempt.cost")
def record_cost(attempt: Attempt) -> None:
    """Record the cost of an ended attempt, or that it has none; nothing while it may still be learned."""
    if attempt.cost_recorded:  # it was learned between the end and the record of the end
        return
    recorder, target = attempt.request.recorder, attempt.target
    if attempt.known_cost is not None:
        attempt.cost_recorded = True
        value, source = attempt.known_cost
        recorder.record(routing.COST, value, target.provider, target.model, attempt.outcome, source)
        wanted = attempt.request.telemetry.attribution
        if wanted:
            recorder.record(routing.ATTRIBUTED_COST, value, *attempt.request.caller.labels(wanted))
    elif attempt.outcome == attributes.SUCCESS and not attempt.cost_pending:
        attempt.cost_recorded = True
        recorder.record(routing.COST_UNPRICED, 1, target.provider, target.model)


@_guard.guarded("attempt.content")
def _content(attempt: Attempt, content: Content) -> dict[Attribute, object]:
    attempt.content_kept = None
    return content.leave(attempt)


def end_span(attempt: Attempt, elapsed: int, http_status: int | None, content: Mapping[Attribute, object]) -> None:
    """Complete and end the attempt's span, ``elapsed`` nanoseconds after it began."""
    span, usage = attempt.span, attempt.usage
    if span.is_recording():
        values: dict[Attribute, object] = {
            **attempt.details,
            attributes.GEN_AI_OPERATION: attempt.target.operation,  # LiteLLM's callbacks write their own on it
            attributes.OUTCOME: attempt.outcome,
            attributes.GEN_AI_RESPONSE_MODEL: attempt.response_model,
            attributes.GEN_AI_STREAM: attempt.streaming or None,
            attributes.GEN_AI_INPUT_TOKENS: usage.input,
            attributes.GEN_AI_OUTPUT_TOKENS: usage.output,
            attributes.GEN_AI_CACHE_READ: usage.cache_read,
            attributes.GEN_AI_CACHE_WRITE: usage.cache_write,
            attributes.GEN_AI_REASONING: usage.reasoning,
            attributes.USAGE_SOURCE_SPAN: usage.source if answered(attempt) else None,
            attributes.TTFT_SPAN: attempt.time_to_first_chunk,
            attributes.COST_SPAN: attempt.known_cost[0] if attempt.known_cost else None,
            attributes.HTTP_STATUS: http_status,
            attributes.ERROR_TYPE_SPAN: attempt.error_type or None,
            **content,
        }
        set_attributes(span, values)
        if attempt.outcome != attributes.SUCCESS:
            span.set_status(StatusCode.ERROR, attempt.error_type)
    span.end(attempt.wall + elapsed)
