"""Where the request in flight is found, and how it becomes and stops being current.

Room: `telemetry`. The in-flight objects travel inside OpenTelemetry's context, so that they go
wherever a span goes. Context is attached around synchronous stretches and awaited calls only,
never across a ``yield``; leaving restores what was there before instead of resetting a token,
because a generator may be left from another task, thread or the garbage collector.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from contextvars import Context as Variables
from contextvars import ContextVar, copy_context
from typing import TYPE_CHECKING, Any, cast

from opentelemetry import context as otel_context
from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN, Span, set_span_in_context

from otel_llm_router.telemetry import _guard

if TYPE_CHECKING:
    from otel_llm_router.telemetry._attempt import Attempt
    from otel_llm_router.telemetry._decision import Decision
    from otel_llm_router.telemetry._inbound import Inbound
    from otel_llm_router.telemetry._request import Request
    from otel_llm_router.telemetry._sdk_call import SdkCall

_REQUEST = otel_context.create_key("otel_llm_router.request")
_ATTEMPT = otel_context.create_key("otel_llm_router.attempt")
_INBOUND = otel_context.create_key("otel_llm_router.inbound")
_DECISION = otel_context.create_key("otel_llm_router.decision")
_SDK_CALL = otel_context.create_key("otel_llm_router.sdk_call")
(_SPAN,) = set_span_in_context(INVALID_SPAN, Context())
"""Where the API keeps the current span: with it, span and request enter a context in one step."""
_replace: Callable[[Context, str, object], None] = dict.__setitem__  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
"""Changes a context of our own, which the API lets nobody do, so that it does not keep what has ended."""


def _variable() -> ContextVar[Context] | None:
    """Return the context variable that OpenTelemetry keeps its context in, or None if it keeps it elsewhere."""
    marker = Context({"otel_llm_router": "marker"})
    token = otel_context.attach(marker)
    try:
        return next((variable for variable, value in copy_context().items() if value is marker), None)
    finally:
        otel_context.detach(token)


Switches = tuple[Callable[[], Context], Callable[[Context], Any], Callable[[Any], object]]


def _switches() -> Switches:
    """Return the quickest functions that say what is current, and enter and leave a context.

    A stream enters and leaves one for each chunk. OpenTelemetry's functions do no more than ask a context
    variable, through two calls that take longer than the variable does. It is found by looking where a context
    went, in variables of our own that nobody sees.
    """
    with _guard.guard("context.variable"), contextlib.suppress(LookupError):  # a variable without a default
        variable = Variables().run(_variable)
        if variable is not None:
            Variables().run(variable.get)
            return variable.get, variable.set, variable.reset
    return _current, _step_in, _step_out


def _current() -> Context:
    with _guard.guard("context.current"):
        return otel_context.get_current()
    return Context()


@_guard.guarded("context.step_in")
def _step_in(context: Context) -> Any:
    return otel_context.attach(context)


@_guard.guarded("context.step_out")
def _step_out(token: Any) -> None:
    if token is not None:
        otel_context.detach(token)


current, step_in, step_out = _switches()
"""What is current; what makes a context current for a step and returns a token; what takes the token back.

Only `step_out` raises, a ``ValueError`` where an awaited step ended in other variables than it began in: see `stray`.
"""


def stray(token: Any) -> None:
    """Step out where `step_out` could not."""
    before = token.old_value
    step_in(before if isinstance(before, Context) else Context())


def step_back(token: Any) -> None:
    """Step out, wherever that is."""
    try:
        step_out(token)
    except ValueError:
        stray(token)


def current_request() -> Request | None:
    """Return the request in flight in this context, if it has not ended."""
    context = otel_context.get_current()
    request = cast("Request | None", context.get(_REQUEST))
    if request is not None and not request.ended:
        return request
    inbound = inbound_of(context)
    if inbound is not None and inbound.request is not None and inbound.request.counted:
        return inbound.request
    return None


def joined_request() -> Request | None:
    """Return the request in flight, or begin the one that the inbound request here is, if there is any."""
    request = current_request()
    if request is None:
        inbound = inbound_of(otel_context.get_current())
        if inbound is not None:
            return inbound.join()
    return request


def request_asked_for() -> Request | None:
    """Return the request in flight, or that of an inbound request which is known to ask for a model."""
    inbound = inbound_of(otel_context.get_current())
    return joined_request() if inbound is not None and inbound.of_interest else current_request()


def inbound_of(context: Context) -> Inbound | None:
    """Return the HTTP request to the router that ``context`` is of, if it has not ended."""
    inbound = cast("Inbound | None", context.get(_INBOUND))
    return inbound if inbound is not None and not inbound.ended else None


def any_inbound_of(context: Context) -> Inbound | None:
    """Return the HTTP request to the router that ``context`` is of, ended or not."""
    return cast("Inbound | None", context.get(_INBOUND))


def current_attempt() -> Attempt | None:
    """Return the attempt in flight in this context, if it has not ended."""
    attempt = cast("Attempt | None", otel_context.get_value(_ATTEMPT))
    return attempt if attempt is not None and not attempt.ended else None


def current_decision() -> Decision | None:
    """Return the decision whose block this is, if nothing has been selected yet."""
    decision = cast("Decision | None", otel_context.get_value(_DECISION))
    return decision if decision is not None and decision.open else None


def current_sdk_call() -> SdkCall | None:
    """Return the call of a provider's SDK that this is in."""
    return cast("SdkCall | None", otel_context.get_value(_SDK_CALL))


def with_sdk_call(call: SdkCall, context: Context) -> Context:
    """Return ``context`` with ``call`` as the current one."""
    return Context({**context, _SDK_CALL: call})


def with_decision(decision: Decision, context: Context) -> Context:
    """Return ``context`` with ``decision`` as the current one."""
    return Context({**context, _DECISION: decision})


def with_inbound(inbound: Inbound, context: Context) -> Context:
    """Return ``context`` with ``inbound`` as the current one."""
    return Context({**context, _INBOUND: inbound})


def with_request(request: Request, span: Span, context: Context) -> Context:
    """Return ``context`` with ``request`` and its ``span``, if it has one, as the current ones and no attempt."""
    if span is INVALID_SPAN:
        return Context({**context, _REQUEST: request, _ATTEMPT: None})
    return Context({**context, _SPAN: span, _REQUEST: request, _ATTEMPT: None})


def with_attempt(attempt: Attempt, span: Span, context: Context) -> Context:
    """Return ``context`` with ``attempt`` and its ``span``, if it has one, as the current ones."""
    if span is INVALID_SPAN:
        return Context({**context, _ATTEMPT: attempt})
    return Context({**context, _SPAN: span, _ATTEMPT: attempt})


def give_span(context: Context, span: Span) -> None:
    """Make ``span`` the current one of a context of an attempt's, which had none of its own."""
    if span is not INVALID_SPAN:
        _replace(context, _SPAN, span)


def within(request: Request) -> Context:
    """Return what is current, if it is within ``request``; else the context of the request."""
    context = current()
    return context if context.get(_REQUEST) is request else request.context


class _Ended:
    """What stands in a context for a request that has ended and was recorded."""

    __slots__ = ("outer",)

    ended = True

    def __init__(self, outer: Context) -> None:
        self.outer = outer


def let_go_of_request(request: Request) -> None:
    """Take an ended request out of its own context, so that both are gone with the last one who knows them.

    Together they would stay until the garbage collector comes by, and what it finds costs the application time.
    """
    _replace(request.context, _REQUEST, _Ended(request.outer))


def let_go_of_attempt(attempt: Attempt) -> None:
    """Take an ended attempt out of its own context; see `let_go_of_request`."""
    _replace(attempt.context, _ATTEMPT, None)


def parent() -> Context:
    """Return the context that something new should be a child of.

    A context that a finished request of ours was left attached in (by application code that
    yielded inside it) is stepped out of, so that what follows does not become its child.
    """
    context = otel_context.get_current()
    request = cast("Request | None", context.get(_REQUEST))
    while request is not None and request.ended:
        context = request.outer
        request = cast("Request | None", context.get(_REQUEST))
    return context


class attached:  # noqa: N801  # reads as a statement
    """Make a context current for the duration of a ``with`` that contains no ``yield``."""

    __slots__ = ("_context", "_previous")

    def __init__(self, context: Context) -> None:
        self._context = context
        self._previous = context

    def __enter__(self) -> None:
        self._previous = enter(self._context)

    def __exit__(self, *_exc: object) -> None:
        leave(self._context, self._previous)


def enter(context: Context) -> Context:
    """Make ``context`` current and return what was current before."""
    previous = current()
    step_in(context)
    return previous


def leave(context: Context, previous: Context) -> None:
    """Make ``previous`` current again, unless something else became current in between."""
    if current() is context:
        step_in(previous)
