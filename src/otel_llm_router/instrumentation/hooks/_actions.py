"""What a hooked call does to the telemetry, from its begin to its end: what all kinds share.

Room: `instrumentation`. `_wrapping` tells an action of the call's begin and of its one end; kinds are
subclasses in `_requests`, `_routing` and `_resources`. Nothing here raises into the application.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from opentelemetry import context as otel_context
from opentelemetry.context import Context

from otel_llm_router.instrumentation.hooks import _frames
from otel_llm_router.instrumentation.hooks._calls import Call
from otel_llm_router.telemetry.instrumenting import Observer, classify, guard

_VAGUE: Final = frozenset({"internal", "server_error", "bad_request"})
_ABORTS: Final = frozenset({"cancelled", "client_disconnect", "stream_abandoned"})
_MAX_CAUSES: Final = 8


class Action:
    """One call of a hooked function.

    Args:
        call: The call.
    """

    late: ClassVar[bool] = False
    """Whether all is said after the call, ``when`` too."""

    def __init__(self, call: Call) -> None:
        self.call = call
        self._open = [True]
        self._frame: _frames.Frame | None = None
        self.context: Context = otel_context.get_current()

    @property
    def wanted(self) -> bool:
        """Whether this call is one of those that the hook is for."""
        return not self.call.has("when") or self.call.truth("when")

    # --- what kinds do --------------------------------------------------------------------------

    def begin(self) -> Context | None:
        """Do what the beginning means; return what is current inside, or None for no change."""
        return None

    def end(self, value: Any) -> Any:
        """Do what a returned ``value`` means; return what the caller gets."""
        return value

    def fail(self, error: BaseException) -> None:
        """Do what an exception means."""

    def shown(self) -> Mapping[str, Any]:
        """Return the values that hooks inside can refer to."""
        return {}

    def observer(self) -> Observer:
        """Return what is told of the steps of a generator."""
        return _Steps(self)

    # --- what the wrapper says ------------------------------------------------------------------

    def entered(self) -> Context:
        """Begin, and return what is current inside."""
        context: Context | None = None
        with guard("hooks.begin"):
            self.call.place.count()
            context = self.begin()
        self.context = context if context is not None else otel_context.get_current()
        with guard("hooks.frame"):
            call = self.call
            self._frame = frame = _frames.Frame(call.place.hook, call.place, call.instance, self.shown())
            self.context = frame.within(self.context)
        return self.context

    def returned(self, value: Any) -> Any:
        """End with a value, and return what the caller gets."""
        answer = value
        with guard("hooks.end"):
            if self._close():
                self.call.result = value
                if not self.late or self.wanted:
                    answer = self.end(value)
        return answer

    def failed(self, error: BaseException) -> None:
        """End with an exception of the application's."""
        with guard("hooks.fail"):
            if self._close():
                self.call.error = error
                self.fail(error)

    def closed(self, error: BaseException | None) -> None:
        """Take that a generator has ended, and what it was measured by knows."""
        with guard("hooks.closed"):
            if self._close():
                self.settle(error)

    def settle(self, error: BaseException | None) -> None:
        """Do what remains to be done at the end of a generator."""

    def _close(self) -> bool:
        if self._frame is not None:
            self._frame.open = False
        try:
            return self._open.pop()
        except IndexError:
            return False


class Told(Action):
    """A call whose end says all there is to say."""

    late = True


def ignored(_chunk: Any) -> bool:
    """Take one yielded item that means nothing."""
    return True


class _Steps:
    """Tells an action of the end of a generator; what it yields is nothing to it."""

    def __init__(self, action: Action) -> None:
        self._action = action

    plain = staticmethod(ignored)

    def examine(self, chunk: Any) -> None:
        """Take one yielded item."""

    def finish(self) -> None:
        """Take the natural end."""
        self._action.returned(None)

    def fail(self, error: BaseException) -> None:
        """Take an exception that the body raised."""
        self._action.failed(error)

    def abort(self) -> None:
        """Take the end of a generator that its consumer closed or dropped."""
        self._action.returned(None)


def telling(error: BaseException) -> BaseException:
    """Return the exception behind ``error`` that says most about what failed.

    Routers turn their providers' exceptions into their own and into HTTP answers, ``raise ... from`` what
    happened. What the outermost one says is taken, unless a cause says it more exactly.
    """
    kind = classify(error)
    if kind not in _VAGUE:
        return error
    found, cause = error, error.__cause__
    for _ in range(_MAX_CAUSES):
        if cause is None:
            break
        deeper = classify(cause)
        if deeper not in _VAGUE and deeper not in _ABORTS:
            return cause
        if kind == "internal" and deeper != "internal":
            found, kind = cause, deeper
        cause = cause.__cause__
    return found
