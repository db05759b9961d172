"""One call to one deployment: its life from begin to end.

Room: `telemetry`. Begun and ended by the request it belongs to or by application code; recorded
exactly once, at its end, by `_attempt_record`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN, Span, set_span_in_context

from otel_llm_router import _sanitize
from otel_llm_router.signals import Attribute, attributes, spans
from otel_llm_router.signals.instruments import routing
from otel_llm_router.telemetry import _attempt_record, _context, _errors, _genai, _guard, _usage
from otel_llm_router.telemetry._block import Block
from otel_llm_router.telemetry._recorder import add_event, nothing
from otel_llm_router.telemetry._usage import Usage

if TYPE_CHECKING:
    from otel_llm_router.telemetry._fallback import Fallback
    from otel_llm_router.telemetry._request import Request

T = TypeVar("T")

Reason = Literal["initial", "retry", "fallback", "routing"]
CostSource = Literal["reported", "estimated"]

_BREAKS = frozenset({"connection", "server_error", "internal", "invalid_response"})
"""Failures that, after output has arrived, are an interrupted stream."""


@dataclass(frozen=True, slots=True)
class Target:
    """A deployment: what an attempt calls.

    Args:
        provider: Provider in the router's own words, such as ``openai``.
        model: Model that the provider is asked for.
        deployment: Identifier of the deployment in the router's configuration.
        operation: GenAI operation name.
        address: Host of the API base.
        port: Port of the API base.
    """

    provider: str
    model: str
    deployment: str | None = None
    operation: str = "chat"
    address: str | None = None
    port: int | None = None

    def __post_init__(self) -> None:
        """Take names as text, whatever objects they are."""
        for name in ("provider", "model", "deployment", "operation", "address"):
            value = getattr(self, name)
            if value is not None and (text := _sanitize.text(value)) is not value:
                object.__setattr__(self, name, text)


class Attempt(Block):
    """One call to one deployment.

    Use it as a context manager around the call: it succeeds when the block ends, fails when an
    exception leaves it, and is aborted when that exception is a cancellation. `response` reads the
    token usage from the answer. An attempt whose answer is a stream is handed to `Request.stream`
    instead and ends with it.

    Args:
        request: The request it belongs to.
        target: What is called.
        number: Position among the request's attempts, from 1.
        reason: Why it is made.
        began: When it began, by ``perf_counter_ns``; now when left out.
    """

    def __init__(
        self, request: Request, target: Target, *, number: int, reason: Reason, began: int | None = None
    ) -> None:
        now = time.perf_counter_ns()
        self.request = request
        self.target = target
        self.number = number
        self.reason: Reason = reason
        self.ended = False
        self.outcome = ""
        self.error_type = ""
        self.streaming = False
        self.chunks = 0
        self.usage = Usage()
        self.response_model: str | None = None
        self.details: dict[Attribute, object] = {}
        self.hop: Fallback | None = None
        self.known_cost: tuple[float, CostSource] | None = None
        self.cost_pending = False
        self.cost_recorded = False
        self.began = now if began is None else began
        # By the request's two clocks: a step of the wall clock must not move an attempt out of its request.
        self.wall = request.wall + self.began - request.began
        self.span: Span = INVALID_SPAN
        self.context: Context = request.context
        self._first: int | None = None
        self._last: int | None = None
        self._open = [True]
        self.complete = False
        self._keep_open = False
        self._settle: Callable[[], None] | None = None
        self._previous: Context | None = None
        self.leave_flight: Callable[[], None] = nothing
        with _guard.guard("attempt.begin"):
            self.leave_flight = request.recorder.enter(routing.ATTEMPTS_IN_FLIGHT, target.provider, target.model)
        with _guard.guard("attempt.span"):
            self._start_span()
        parent = request.context if self.span is INVALID_SPAN else set_span_in_context(self.span, request.context)
        self.context = _context.with_attempt(self, parent)

    def _start_span(self) -> None:
        target = self.target
        self.span = self.request.recorder.start_span(
            spans.ATTEMPT.kind,
            f"{target.operation} {target.model}",
            self.request.context,
            {
                attributes.GEN_AI_OPERATION: target.operation,
                attributes.GEN_AI_PROVIDER: _genai.provider_name(target.provider),
                attributes.GEN_AI_REQUEST_MODEL: target.model,
                attributes.DEPLOYMENT_SPAN: target.deployment,
                attributes.SERVER_ADDRESS: target.address,
                attributes.SERVER_PORT: target.port,
                attributes.ATTEMPT_NUMBER: self.number,
                attributes.ATTEMPT_REASON: self.reason,
            },
            self.wall,
        )

    # --- what the answer says -------------------------------------------------------------------

    def response(self, response: T) -> T:
        """Read usage, model and finish reasons from a complete answer, and return the answer."""
        with _guard.guard("attempt.response"):
            self.read_usage(_usage.find(response))
            self.describe(response)
        return response

    def read_usage(
        self, usage: Any, source: Literal["reported", "estimated"] = "reported", *, earlier: Any = None
    ) -> None:
        """Take the token counts of a usage object in any provider's shape.

        Args:
            usage: The usage object.
            source: Who counted.
            earlier: A usage object of the same answer whose counts hold where ``usage`` has none: Anthropic's
                streams begin with the input and end with the output.
        """
        with _guard.guard("attempt.read_usage"):
            self.usage = _usage.read(usage, source)
            if earlier is not None:
                self.usage.fill(_usage.read(earlier, source))
            if self.usage.invalid:
                self.request.telemetry.warn_invalid_usage(self.target.provider, self.usage.invalid)

    def describe(self, response: Any) -> None:
        """Take the answering model, the answer's id and the finish reasons."""
        with _guard.guard("attempt.describe"):
            model = _usage.get(response, "model")
            if isinstance(model, str) and model:
                self.response_model = model
            response_id = _usage.get(response, "id")
            if isinstance(response_id, str):
                self.details[attributes.GEN_AI_RESPONSE_ID] = response_id
            choices = (_usage.choices_of(response) or [])[:16]
            reasons = [reason for choice in choices if isinstance(reason := _usage.get(choice, "finish_reason"), str)]
            if reasons:
                self.details[attributes.GEN_AI_FINISH_REASONS] = reasons

    def cost(self, usd: Any, source: CostSource = "reported") -> None:
        """State what the attempt cost in USD; also after its end, when it is learned late."""
        with _guard.guard("attempt.cost"):
            value = _sanitize.amount(usd)
            if value is None or self.known_cost is not None:
                return
            self.known_cost = (value, source)
            self.cost_pending = False
            if self.ended:
                self.request.recorder.finish(self.span, _attempt_record.record_cost, self)

    def await_cost(self) -> None:
        """Leave the cost open at the end: whoever learns it will call `cost`, or `no_cost`."""
        self.cost_pending = True

    def no_cost(self) -> None:
        """State, after `await_cost`, that the cost will not become known."""
        with _guard.guard("attempt.no_cost"):
            if self.cost_pending:
                self.cost_pending = False
                if self.ended:
                    self.request.recorder.finish(self.span, _attempt_record.record_cost, self)

    # --- streams --------------------------------------------------------------------------------

    def chunk(self, now: int) -> None:
        """Account for one chunk with content that arrived at ``now`` (``perf_counter_ns``)."""
        self.chunks += 1
        self._last = now
        if self._first is None:
            self._first = now
            add_event(self.span, spans.FIRST_TOKEN_EVENT, {})

    def keep_open(self, settle: Callable[[], None] | None = None) -> None:
        """Let a stream end the attempt, not the ``with`` block that opened it.

        Args:
            settle: Hands over the usage that the stream's probe has seen so far; called before the end,
                whoever brings it about.
        """
        self._keep_open = True
        self.streaming = True
        self._settle = settle

    def estimate_from_chunks(self) -> None:
        """Without a reported count, take the chunks seen as an estimate of the output."""
        if self.usage.source == "missing" and self.chunks:
            self.usage = Usage(source="estimated", output=self.chunks, invalid=self.usage.invalid)

    @property
    def time_to_first_chunk(self) -> float | None:
        """Seconds to the first chunk with content, of a stream that had one."""
        return None if self._first is None else max(0, self._first - self.began) / 1e9

    @property
    def time_per_output_chunk(self) -> float | None:
        """Mean seconds between chunks with content after the first, of a stream that had several."""
        if self._first is None or self._last is None or self.chunks < 2:  # noqa: PLR2004  # two make one interval
            return None
        return (self._last - self._first) / 1e9 / (self.chunks - 1)

    # --- the end --------------------------------------------------------------------------------

    def fail(self, error: BaseException, error_type: str | None = None) -> None:
        """End the attempt with an exception: failed, or aborted when it is a cancellation."""
        with _guard.guard("attempt.fail"):
            kind = error_type or _errors.classify(error)
            if self.chunks and kind in _BREAKS:
                kind = "stream_interrupted"
            outcome = attributes.ABORTED if _errors.is_abort(kind) else attributes.ERROR
            self.end(outcome, kind, _errors.status_code(error))

    def end(
        self,
        outcome: str = attributes.SUCCESS,
        error_type: str = "",
        http_status: int | None = None,
        *,
        at: int | None = None,
    ) -> None:
        """End the attempt, at ``at`` (``perf_counter_ns``) or now; every call but the first does nothing."""
        with _guard.guard("attempt.end"):
            try:
                self._open.pop()
            except IndexError:
                return
            self.ended = True
            settle, self._settle = self._settle, None
            if settle is not None:
                settle()
            self.outcome = outcome
            self.error_type = error_type
            now = time.perf_counter_ns() if at is None else at
            elapsed = max(0, now - self.began)
            self.request.attempt_ended(self, now)
            self.request.recorder.finish(self.span, _attempt_record.leave, self, elapsed, http_status)

    def _begin(self) -> None:
        with _guard.guard("attempt.enter"):
            self._previous = _context.enter(self.context)

    def _finish(self, error: BaseException | None) -> None:
        with _guard.guard("attempt.exit"):
            if self._previous is not None:
                _context.leave(self.context, self._previous)
            if error is not None:
                self.fail(error)
            elif not self._keep_open:
                self.end()
