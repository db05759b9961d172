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
from opentelemetry.trace import INVALID_SPAN, Span

from otel_llm_router import _sanitize
from otel_llm_router.signals import Attribute, attributes, spans
from otel_llm_router.signals.instruments import routing
from otel_llm_router.telemetry import _attempt_record, _context, _errors, _genai, _guard, _usage
from otel_llm_router.telemetry._block import Block
from otel_llm_router.telemetry._recorder import nothing
from otel_llm_router.telemetry._tally import Tally, together
from otel_llm_router.telemetry._usage import Usage
from otel_llm_router.telemetry._values import add_event, as_they_are

if TYPE_CHECKING:
    from otel_llm_router.telemetry._content import Content
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
        seen_below: Whether it was noticed beneath the application, which may yet speak of it itself.
        foreign: Name of another instrumentation that makes the span of the call, or None.
        late: Whether another's span may yet begin: ours is made when that is known.
    """

    # What every attempt begins with stands on the class: an instance holds what differs.
    ended = False
    outcome = ""
    error_type = ""
    streaming = False
    response_model: str | None = None
    hop: Fallback | None = None
    known_cost: tuple[float, CostSource] | None = None
    cost_pending = False
    cost_recorded = False
    complete = False
    seen_below = False
    unclaimed = False
    reads_answer = False
    foreign: str | None = None
    content_kept: Content | None = None
    late = False
    http_status: int | None = None
    span: Span = INVALID_SPAN
    leave_flight: Callable[[], None] = staticmethod(nothing)
    _tallies: tuple[Tally, ...] = ()
    _keep_open = False
    _settle: Callable[[], None] | None = None
    _noted: Usage | None = None
    _previous: Context | None = None

    def __init__(
        self,
        request: Request,
        target: Target,
        *,
        number: int,
        reason: Reason,
        began: int | None = None,
        seen_below: bool = False,
        foreign: str | None = None,
        late: bool = False,
    ) -> None:
        self.began = time.perf_counter_ns() if began is None else began
        self.request = request
        self.target = target
        self.number = number
        self.reason: Reason = reason
        self.usage = Usage()
        self.details: dict[Attribute, object] = {}
        # By the request's two clocks: a step of the wall clock must not move an attempt out of its request.
        self.wall = request.wall + self.began - request.began
        self._open = [True]
        if seen_below:
            self.seen_below = self.unclaimed = True
        if foreign is not None:
            self.foreign = foreign
        elif (policy := request.telemetry.content) is not None and target.operation != "embeddings":
            self.content_kept = policy.begin()
        base = request.context
        if late:
            self.late = True
        recorder = request.recorder
        try:
            self.leave_flight = recorder.enter(routing.ATTEMPTS_IN_FLIGHT, target.provider, target.model)
        except BaseException as error:  # noqa: BLE001  # the guard, in the form that costs nothing
            _guard.caught("attempt.begin", error)
        try:
            if foreign is not None:
                base = _context.within(request)
            elif not late:
                self.span = recorder.start_span(spans.ATTEMPT, self._describe, base, self.wall)
        except BaseException as error:  # noqa: BLE001  # see above
            _guard.caught("attempt.span", error)
        self.context: Context = _context.with_attempt(self, self.span, base)

    def place_span(self, foreign: str | None) -> None:
        """Make the span that waited for whether another instrumentation makes it, or take that it does."""
        if not self.late:
            return
        self.late = False
        if foreign is not None:
            self.foreign = foreign
            return
        with _guard.guard("attempt.span"):
            request = self.request
            self.span = request.recorder.start_span(spans.ATTEMPT, self._describe, request.context, self.wall)
            _context.give_span(self.context, self.span)

    def _describe(self) -> tuple[str, dict[str, Any]]:
        target = self.target
        return f"{target.operation} {target.model}", as_they_are(
            {
                attributes.GEN_AI_OPERATION: target.operation,
                attributes.GEN_AI_PROVIDER: _genai.provider_name(target.provider),
                attributes.GEN_AI_REQUEST_MODEL: target.model,
                attributes.DEPLOYMENT_SPAN: target.deployment,
                attributes.SERVER_ADDRESS: target.address,
                attributes.SERVER_PORT: target.port,
                attributes.ATTEMPT_NUMBER: self.number,
                attributes.ATTEMPT_REASON: self.reason,
            }
        )

    # --- what the answer says -------------------------------------------------------------------

    def response(self, response: T) -> T:
        """Read usage, model and finish reasons from a complete answer, and return the answer."""
        try:
            self.read_usage(_usage.find(response))
            self.describe(response)
            if self.content_kept is not None:
                self.content_kept.answered(response)
        except BaseException as error:  # noqa: BLE001  # the guard, in the form that costs nothing
            _guard.caught("attempt.response", error)
        return response

    def content(self, asked: Any = None, answered: Any = None) -> None:
        """State what the model is asked and what it answers; it is kept only where content is asked for.

        An answer that goes through `response` or `Request.stream` need not be stated. See docs/content.md.

        Args:
            asked: Arguments of the call as a mapping (``messages``, ``prompt``, ``input`` or ``contents``, and ``system``,
                ``tools``), or its messages.
            answered: The answer, in any provider's shape, or its text.
        """
        if self.content_kept is not None:
            if asked is not None:
                self.content_kept.asked(asked)
            if answered is not None:
                self.content_kept.answered(answered)

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
        try:
            self.usage = _usage.read(usage, source)
            if earlier is not None:
                self.usage.fill(_usage.read(earlier, source))
            if self.usage.invalid:
                self.request.telemetry.warn_invalid_usage(self.target.provider, self.usage.invalid)
        except BaseException as error:  # noqa: BLE001  # see above
            _guard.caught("attempt.read_usage", error)

    def describe(self, response: Any) -> None:
        """Take the answering model, the answer's id and the finish reasons."""
        try:
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
        except BaseException as error:  # noqa: BLE001  # see above
            _guard.caught("attempt.describe", error)

    def note_usage(self, usage: Usage) -> None:
        """Keep what a layer below has read, for the case that whoever ends the attempt has no reported count."""
        self._noted = usage

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

    def follow(self, tally: Tally) -> None:
        """Take the chunks that ``tally`` counts, from their first, for the attempt's."""
        if tally not in self._tallies:
            self._tallies = (*self._tallies, tally)
            if len(self._tallies) == 1 and tally.first is not None:
                self.place_span(None)
                add_event(self.span, spans.FIRST_TOKEN_EVENT, {})

    @property
    def chunks(self) -> int:
        """Chunks with content so far."""
        return together(self._tallies).chunks

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
        first = together(self._tallies).first
        return None if first is None else max(0, first - self.began) / 1e9

    @property
    def time_per_output_chunk(self) -> float | None:
        """Mean seconds between chunks with content after the first, of a stream that had several."""
        seen = together(self._tallies)
        if seen.first is None or seen.last is None or seen.chunks < 2:  # noqa: PLR2004  # two make one interval
            return None
        return (seen.last - seen.first) / 1e9 / (seen.chunks - 1)

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
        try:
            self._open.pop()
        except IndexError:
            return
        try:
            self.ended = True
            settle, self._settle = self._settle, None
            if settle is not None:
                settle()
            if self._noted is not None and self.usage.source != "reported" and not self.usage.invalid:
                self.usage = self._noted
            self.outcome = outcome
            self.error_type = error_type
            if self.late:
                self.place_span(None)
            now = time.perf_counter_ns() if at is None else at
            elapsed = max(0, now - self.began)
            self.request.attempt_ended(self, now)
            status = self.http_status if http_status is None else http_status
            self.request.recorder.finish(self.span, _attempt_record.leave, self, elapsed, status)
        except BaseException as error:  # noqa: BLE001  # the guard, in the form that costs nothing
            _guard.caught("attempt.end", error)

    def withdraw(self) -> None:
        """Take the attempt back, because no call was made after all: nothing of it is recorded."""
        with _guard.guard("attempt.withdraw"):
            try:
                self._open.pop()
            except IndexError:
                return
            self.ended = True
            self._settle = None
            self.leave_flight()
            self.request.attempt_withdrawn(self)

    def _begin(self) -> None:
        try:
            self._previous = _context.enter(self.context)
        except BaseException as error:  # noqa: BLE001  # see above
            _guard.caught("attempt.enter", error)

    def _finish(self, error: BaseException | None) -> None:
        try:
            if self._previous is not None:
                _context.leave(self.context, self._previous)
            if error is not None:
                self.fail(error)
            elif not self._keep_open:
                self.end()
        except BaseException as ours:  # noqa: BLE001  # see above
            _guard.caught("attempt.exit", ours)
