"""One routed request as the router's client sees it: its life from begin to exactly one end.

Room: `telemetry`. Begun by an instrumentation or by application code; attempts, decisions, caches
and queues report to it; recorded once, at its end, by `_request_record`.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from opentelemetry.context import Context

from otel_llm_router import _sanitize
from otel_llm_router.signals import attributes, spans
from otel_llm_router.signals.instruments import requests, routing
from otel_llm_router.telemetry import (
    _below,
    _context,
    _deferred,
    _errors,
    _foreign,
    _guard,
    _log_events,
    _request_record,
)
from otel_llm_router.telemetry._attempt import Attempt, Reason, Target
from otel_llm_router.telemetry._caller import NOBODY, Caller
from otel_llm_router.telemetry._decision import Decision
from otel_llm_router.telemetry._fallback import Fallback
from otel_llm_router.telemetry._recorder import Recorder
from otel_llm_router.telemetry._request_state import RequestState
from otel_llm_router.telemetry._streams import StreamProbe, probe_of, track
from otel_llm_router.telemetry._values import as_they_are

if TYPE_CHECKING:
    from otel_llm_router.telemetry._inbound import Inbound
    from otel_llm_router.telemetry._telemetry import Telemetry

T = TypeVar("T")


class Request(RequestState):
    """One routed request.

    As a context manager it ends with the block: success, error when an exception leaves it, aborted
    when that exception is a cancellation. After `stream` it ends with the stream instead.

    Args:
        telemetry: What it was begun on.
        model: Model (group) that the client asked for.
        strategy: Routing strategy.
        caller: Who asks.
        foreign: Whether another instrumentation makes the span of what it consists of.
        counted: Whether it is traffic; calls made in order to decide are none.
        door: The HTTP request that it is, if that is where it was noticed.
    """

    def __init__(
        self,
        telemetry: Telemetry,
        *,
        model: str = "",
        strategy: str = "",
        caller: Caller = NOBODY,
        foreign: bool = False,
        counted: bool = True,
        door: Inbound | None = None,
    ) -> None:
        self.telemetry = telemetry
        self.recorder: Recorder = telemetry.recorder
        self.model = _sanitize.text(model)
        self.strategy = _sanitize.text(strategy)
        self.caller = caller
        self.counted = counted
        self.deciding: set[Decision] = set()
        self.began = self._boundary = time.perf_counter_ns() if door is None else door.began
        self.wall = time.time_ns() if door is None else door.wall
        self.outer: Context = _context.parent() if door is None else door.inside
        self._door = door is not None
        self._open = [True]
        self.attempts_open: set[Attempt] = set()
        try:
            _deferred.drain()
            if counted:
                self.leave_flight = self.recorder.enter(requests.REQUESTS_IN_FLIGHT)
                inbound = _context.inbound_of(self.outer)
                if inbound is not None:
                    inbound.give_way()
        except BaseException as error:  # noqa: BLE001  # the guard, in the form that costs nothing
            _guard.caught("request.begin", error)
        try:
            if not foreign:
                self.span = self.recorder.start_span(spans.ROUTE, self._describe, self.outer, self.wall)
        except BaseException as error:  # noqa: BLE001  # see above
            _guard.caught("request.span", error)
        # Without a span, too, what is called inside belongs to this request.
        self.context: Context = _context.with_request(self, self.span, self.outer)
        if counted and telemetry.inferences == "all":
            with _guard.guard("request.started"):
                _log_events.started(self)

    def _describe(self) -> tuple[str, dict[str, Any]]:
        named = {attributes.REQUEST_MODEL: self.model or None, attributes.STRATEGY_SPAN: self.strategy or None}
        return f"route {self.model or attributes.UNKNOWN}", as_they_are({**named, **self.caller.attributes()})

    # --- what happens in between ----------------------------------------------------------------

    def decision(self, candidates: Iterable[Any] = (), *, strategy: str | None = None) -> Decision:
        """Begin a routing decision; `Decision.select` names what was chosen."""
        self.strategy = self.strategy or _sanitize.text(strategy or "")
        return Decision(self.telemetry, self, candidates, strategy=strategy or self.strategy)

    def attempt(
        self,
        provider: str,
        model: str,
        *,
        deployment: str | None = None,
        operation: str = "chat",
        reason: Reason | None = None,
    ) -> Attempt:
        """Begin a call to a deployment.

        A second attempt after a failed one is counted as a retry when it goes to the same model of
        the same provider, else as a fallback, unless ``reason`` says which.
        """
        return self.begin_attempt(Target(provider, model, deployment, operation), reason=reason)

    def begin_attempt(
        self,
        target: Target,
        *,
        reason: Reason | None = None,
        began: int | None = None,
        group: str | None = None,
        seen_below: bool = False,
        foreign: str | None = None,
    ) -> Attempt:
        """Begin an attempt at ``target``; what library instrumentations call.

        Args:
            target: What is called.
            reason: Why; found out from the attempt before when left out.
            began: When, by ``perf_counter_ns``; now when left out.
            group: Model (group) that a retry is counted for; the request's when left out.
            seen_below: Whether it was noticed beneath the application, which may yet speak of it itself.
            foreign: Name of another instrumentation that makes the span of the call.
        """
        previous, hop, late = self.last_attempt, None, False
        if not seen_below:  # else the layer below has looked
            with _guard.guard("request.foreign"):
                rule = self.telemetry.foreign
                foreign = _foreign.current(rule, self.span)
                late = foreign is None and _foreign.expected(rule)
        if previous is not None:
            with _guard.guard("request.begin_attempt"):
                if previous.outcome != attributes.SUCCESS and reason is None:
                    same = (previous.target.provider, previous.target.model) == (target.provider, target.model)
                    reason = "retry" if same else "fallback"
                    if reason == "fallback":
                        hop = self.fallback(previous.target.model, target.model, previous.error_type)
        self.attempts += 1
        attempt = Attempt(
            self,
            target,
            number=self.attempts,
            reason=reason or "initial",
            began=began,
            seen_below=seen_below,
            foreign=foreign,
            late=late,
        )
        if hop is not None:
            attempt.hop = hop
        if not self.attempts_open:
            self._waiting_since = attempt.began
        self.attempts_open.add(attempt)
        if reason == "retry" and previous is not None:
            with _guard.guard("request.begin_attempt"):
                self._retried(previous, attempt, group)
        return attempt

    def _retried(self, previous: Attempt, attempt: Attempt, group: str | None) -> None:
        model = _sanitize.text(group or "") or self.model or attempt.target.model
        self.event(
            spans.RETRY_EVENT,
            {attributes.REQUEST_MODEL: model, attributes.PREVIOUS_ERROR: previous.error_type or None},
        )
        self.recorder.record(routing.RETRIES, 1, model, previous.error_type)
        self.recorder.record(routing.RETRY_BACKOFF, max(0, attempt.began - self._boundary) / 1e9, model)

    def failed_attempt(
        self, deployment: str, error: BaseException, *, provider: str = attributes.UNKNOWN, model: str | None = None
    ) -> None:
        """Account for a call that has failed already; it began where the one before it ended."""
        with _guard.guard("request.failed_attempt"):
            if _below.claim(self, failed=True) is not None:
                return
            target = Target(provider, model or deployment, deployment)
            self.begin_attempt(target, began=self._boundary).fail(error)

    def fallback(self, from_model: str, to_model: str, error_type: str = "") -> Fallback:
        """Begin a move to another model (group); end it with its outcome."""
        return Fallback(self, from_model, to_model, error_type)

    def stream(
        self, stream: T, *, model: str | None = None, provider: str = attributes.UNKNOWN, operation: str = "chat"
    ) -> T:
        """Give a stream to the client: the request, and the attempt behind it, end with its last chunk.

        The attempt is the one whose block this is called in; otherwise it is one that began where the
        last one (or the request) left off. The returned stream is used in place of ``stream``: a
        generator stays a generator, any other object keeps its attributes and ``isinstance`` checks.
        """
        with _guard.guard("request.stream"):
            self.keep_open()
            owner = None if self._driven else self
            measured = probe_of(stream)
            if measured is not None:  # an instrumentation made the attempt and measures its stream already
                measured.adopt(owner)
                return stream
            attempt = _context.current_attempt()
            if attempt is not None and attempt.request is not self:
                attempt = None
            if attempt is None and _below.claim(self, failed=False) is not None:
                return track(stream, StreamProbe(request=owner))
            if attempt is None and not self.cached:
                target = Target(provider, model or self.model or attributes.UNKNOWN, operation=operation)
                attempt = self.begin_attempt(target, began=self._boundary)
            return track(stream, StreamProbe(request=owner, attempt=attempt))
        return stream

    # --- what attempts and streams report -------------------------------------------------------

    def attempt_ended(self, attempt: Attempt, now: int) -> None:
        """Take an attempt's end at ``now`` into account; called by the attempt."""
        self.attempts_open.discard(attempt)
        if not self.attempts_open:
            self.waited += max(0, now - self._waiting_since)
        if attempt.reason == "routing":
            self._end_with(attempt, now)
            return
        self.last_attempt = attempt
        self._boundary = now
        delivered = attempt.outcome == attributes.SUCCESS or attempt.chunks > 0
        if delivered:
            self.answered_model = attempt.target.model
            # A stream that a fallback took over gave both parts; of several complete answers the last was given.
            before = self.delivered if attempt.streaming else 0
            self.delivered = before + (attempt.usage.output or 0)
        if attempt.hop is not None:
            attempt.hop.end(attempt.outcome)
        self._end_with(attempt, now)

    def _end_with(self, attempt: Attempt, now: int) -> None:
        if self.ends_with_attempt and not (self._sdk_call is not None and self._sdk_call.keeps(self, attempt, now)):
            self.end(attempt.outcome, attempt.error_type, at=now)

    def attempt_withdrawn(self, attempt: Attempt) -> None:
        """Forget an attempt that was none; called by the attempt."""
        self.attempts_open.discard(attempt)
        self.attempts -= 1

    def decided(self, now: int) -> None:
        """Move the point where an untold attempt began to ``now``; called by a decision at its end."""
        self._boundary = now

    # --- the end --------------------------------------------------------------------------------

    def fail(self, error: BaseException, error_type: str | None = None) -> None:
        """End the request with an exception: failed, or aborted when it is a cancellation."""
        with _guard.guard("request.fail"):
            kind = error_type or _errors.classify(error)
            if _errors.is_abort(kind):
                self.end(attributes.ABORTED, kind)
            else:
                last = self.last_attempt
                interrupted = self.stream_chunks and last is not None and last.error_type == "stream_interrupted"
                self.end(attributes.ERROR, "stream_interrupted" if interrupted else kind)

    def end(self, outcome: str = attributes.SUCCESS, error_type: str = "", *, at: int | None = None) -> None:
        """End the request, at ``at`` (``perf_counter_ns``) or now; every call but the first does nothing."""
        try:
            self._open.pop()
        except IndexError:
            return
        try:
            self.ended = True
            self.outcome = outcome
            self.error_type = error_type
            now = time.perf_counter_ns() if at is None else at
            if self.attempts_open:
                self._end_attempts(now)
            elapsed = max(0, now - self.began)
            self.recorder.finish(self.span, _request_record.leave, self, elapsed)
            _deferred.drain()
        except BaseException as error:  # noqa: BLE001  # the guard, in the form that costs nothing
            _guard.caught("request.end", error)

    def _end_attempts(self, now: int) -> None:
        for attempt in tuple(self.attempts_open):
            if attempt.complete:  # its stream was read to the last word, and not to the end
                attempt.end(at=now)
            elif self._door and attempt.seen_below:  # who noticed it sees its own end too
                continue
            elif self.outcome != attributes.SUCCESS:  # given up with its request
                error_type = self.error_type if _errors.is_abort(self.error_type) else "cancelled"
                attempt.end(attributes.ABORTED, error_type, at=now)
        if self.attempts_open:
            self.waited += max(0, now - self._waiting_since)

    def _begin(self) -> None:
        try:
            self._previous = _context.enter(self.context)
        except BaseException as error:  # noqa: BLE001  # see above
            _guard.caught("request.enter", error)

    def _finish(self, error: BaseException | None) -> None:
        try:
            if self._previous is not None:
                _context.leave(self.context, self._previous)
            if error is not None:
                self.fail(error)
            elif not self._keep_open:
                self.end()
        except BaseException as ours:  # noqa: BLE001  # see above
            _guard.caught("request.exit", ours)
