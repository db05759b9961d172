"""Hooked requests and attempts.

Room: `instrumentation`. They last as long as what the function gives: a value, an exception, a stream or
generator to its end, or a web framework's response to the end of its body.
"""

from __future__ import annotations

from typing import Any, Final
from weakref import ReferenceType, WeakKeyDictionary, WeakSet, ref

from opentelemetry.context import Context

from otel_llm_router import telemetry
from otel_llm_router.instrumentation.hooks import _guesses
from otel_llm_router.instrumentation.hooks._actions import Action, telling
from otel_llm_router.instrumentation.hooks._calls import Call
from otel_llm_router.signals import attributes
from otel_llm_router.telemetry.instrumenting import (
    Observer,
    StreamProbe,
    current_attempt,
    deciding,
    is_stream,
    joined_request,
    of_status,
    track,
)

_BODY: Final = "body_iterator"
"""Where Starlette's, and so FastAPI's, streaming responses have their body."""

_FIRST_ERROR: Final = 400


class _Probe(StreamProbe):
    """Measures a stream; looks behind exceptions, and at failures that the stream itself does not raise."""

    def __init__(
        self,
        *,
        request: telemetry.Request | None = None,
        attempt: telemetry.Attempt | None = None,
        action: Action | None = None,
    ) -> None:
        super().__init__(request=request, attempt=attempt)
        self._action = action
        self._error: BaseException | None = None

    def finish(self) -> None:
        """End at the stream's natural end.

        A router that has begun to answer can only write a provider's failure into the stream: the request
        then failed as its last attempt did.
        """
        request = self.request
        if request is not None:
            last = request.last_attempt
            if last is not None and last.outcome == attributes.ERROR:
                request.end(attributes.ERROR, last.error_type)
            elif last is None and request in _unmade:
                request.end(attributes.ERROR, "no_deployment")
        super().finish()

    def fail(self, error: BaseException) -> None:
        """End with an exception that the stream raised."""
        self._error = error
        super().fail(telling(error))

    def closed(self) -> None:
        """Close the generator's action with it."""
        super().closed()
        if self._action is not None:
            self._action.closed(self._error)


_unmade: Final[WeakSet[telemetry.Request]] = WeakSet()
"""Requests for which a call was not even made."""


def _failure(call: Call) -> tuple[BaseException | None, str, int | None] | None:
    """Return what a call that returned says of its failure: exception, or error type and HTTP status."""
    error = call.value("error")
    if isinstance(error, BaseException):
        return error, "", None
    if not call.truth("error"):
        return None
    status = call.value("status")
    status = status if isinstance(status, int) and not isinstance(status, bool) else None
    named = call.text("error_type")
    return None, named if named in attributes.ERROR_TYPES else of_status(status), status


class RequestAction(Action):
    """One request of a client, or a part of the one that is in flight already."""

    def __init__(self, call: Call) -> None:
        super().__init__(call)
        self._request: telemetry.Request | None = None

    def begin(self) -> Context | None:
        """Begin the request, unless one is in flight, which learns what this call knows."""
        call = self.call
        model = call.text("model") or _guesses.requested_model(call)
        strategy = call.text("strategy")
        if call.request is not None:
            call.request.model = call.request.model or model
            call.request.strategy = call.request.strategy or strategy
            return None
        self._request = call.request = telemetry.request(model, strategy=strategy, user=call.text("user") or None)
        return self._request.context

    def end(self, value: Any) -> Any:
        """End with the answer, or let its stream end the request."""
        request = self._request
        if request is None:
            return value
        found = _failure(self.call)
        status = getattr(value, "status_code", None)
        if found is not None and found[0] is not None:
            request.fail(telling(found[0]))
        elif found is not None:
            request.end(attributes.ERROR, found[1])
        elif isinstance(status, int) and status >= _FIRST_ERROR:  # a response that says so itself
            request.end(attributes.ERROR, of_status(status))
        elif hasattr(value, _BODY):
            request.keep_open()
            setattr(value, _BODY, track(getattr(value, _BODY), _Probe(request=request)))
        elif is_stream(value):
            request.keep_open()
            return track(value, _Probe(request=request))
        else:
            request.end()
        return value

    def fail(self, error: BaseException) -> None:
        """End as failed or aborted."""
        if self._request is not None:
            self._request.fail(telling(error))

    def observer(self) -> Observer:
        """Let a generator's steps be the request's stream."""
        if self._request is None:
            return super().observer()
        self._request.drive()
        return _Probe(request=self._request, action=self)


class AttemptAction(Action):
    """One call to a deployment.

    Where no request is in flight it is one itself.
    """

    def __init__(self, call: Call) -> None:
        super().__init__(call)
        self._attempt: telemetry.Attempt | None = None
        self._own: telemetry.Request | None = None
        self._inner: telemetry.Attempt | None = None
        self._shell = False

    def begin(self) -> Context | None:
        """Begin the attempt.

        An attempt that a hook began further out was only the shell of this one, and is taken back; one
        that anything else began is this very call, and is left alone.
        """
        call = self.call
        current = current_attempt()
        shell = _action_of(current)
        if shell is not None:
            shell.give_way()
        elif current is not None:
            return None
        provider, model = call.named()
        target = telemetry.Target(
            provider or _guesses.provider(call) or attributes.UNKNOWN,
            model or _guesses.requested_model(call) or attributes.UNKNOWN,
            call.text("deployment") or None,
            call.text("operation") or "chat",
        )
        request = call.request or joined_request()
        if request is None:
            request = self._own = telemetry.default.request_below(target.model, foreign=False, counted=not deciding())
            request.end_with_attempt()
        reason = "routing" if deciding() else None
        self._attempt = attempt = request.begin_attempt(target, reason=reason)
        _hooked[attempt] = ref(self)
        owner = _shells.get(request)
        for around in (shell, owner() if owner is not None else None):
            if around is not None:
                around.holds(attempt)
        return attempt.context

    def give_way(self) -> None:
        """Take the attempt back: it is not made, or others inside are."""
        if self._attempt is None:
            return
        self._shell = True
        self._attempt.withdraw()
        if self._own is not None:
            self._own.end_with_attempt(yes=False)
            _shells[self._own] = ref(self)

    def holds(self, attempt: telemetry.Attempt) -> None:
        """Take that this was the shell of ``attempt``."""
        self._inner = attempt

    def settle(self, error: BaseException | None) -> None:
        """End as a shell does: with a request of its own, as the last attempt inside has ended."""
        if not self._shell or self._attempt is None:
            return
        if self._inner is None:
            _unmade.add(self._attempt.request)
        request, last = self._own, self._inner
        if request is None:
            return
        if last is None:
            request.end(attributes.ERROR, "no_deployment")
        elif error is not None:
            request.fail(telling(error))
        elif last.ended:
            request.end(last.outcome, last.error_type)
        else:  # its stream is still to be read
            request.end_with_attempt()

    def shown(self) -> dict[str, Any]:
        """Return the target."""
        if self._attempt is None:
            return {}
        target = self._attempt.target
        return {"model": target.model, "provider": target.provider, "deployment": target.deployment}

    def end(self, value: Any) -> Any:
        """End with the answer, or let its stream end the attempt."""
        attempt = self._attempt
        if attempt is None or self._shell:
            self.settle(None)
            return value
        found = _failure(self.call)
        if found is not None and found[0] is not None:
            attempt.fail(telling(found[0]))
            return value
        if found is None and is_stream(value):
            return track(value, _Probe(attempt=attempt))
        attempt.response(self.call.value("response") if self.call.has("response") else value)
        self._count()
        if found is None:
            attempt.end()
        else:
            attempt.end(attributes.ERROR, found[1], found[2])
        return value

    def _count(self) -> None:
        call, attempt = self.call, self._attempt
        if attempt is None:
            return
        if attempt.usage.source == "missing":
            counts = {"prompt_tokens": call.number("input_tokens"), "completion_tokens": call.number("output_tokens")}
            if any(count is not None for count in counts.values()):
                attempt.read_usage(counts)
        if call.has("cost"):
            attempt.cost(call.number("cost"))

    def fail(self, error: BaseException) -> None:
        """End as failed or aborted."""
        if self._shell:
            self.settle(error)
        elif self._attempt is not None:
            self._attempt.fail(telling(error))

    def observer(self) -> Observer:
        """Let a generator's chunks be the attempt's."""
        if self._attempt is None:
            return super().observer()
        return _Probe(attempt=self._attempt, action=self)


# Weak at both ends: an action holds what it is found by.
_hooked: Final[WeakKeyDictionary[telemetry.Attempt, ReferenceType[AttemptAction]]] = WeakKeyDictionary()
"""Attempts that hooks began, and their actions."""

_shells: Final[WeakKeyDictionary[telemetry.Request, ReferenceType[AttemptAction]]] = WeakKeyDictionary()
"""Requests that are there for an attempt which turned out to be a shell, and its action."""


def _action_of(attempt: telemetry.Attempt | None) -> AttemptAction | None:
    """Return the hooked call that is ``attempt``, while it goes on."""
    found = _hooked.get(attempt) if attempt is not None else None
    return found() if found is not None else None


def refused(call: Call, value: Any) -> None:
    """Take back the hooked attempt around, when ``value`` says that it is not made."""
    is_so = call.truth("refused") if call.has("refused") else bool(value)
    action = _action_of(current_attempt())
    if is_so and action is not None:
        action.give_way()
