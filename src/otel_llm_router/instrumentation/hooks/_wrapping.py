"""Functions of every kind, with an action around each call, that stay what they are.

Room: `instrumentation`. A place and wrapt's arguments come in; what the function would have given goes out:
a coroutine of a coroutine function, a generator of a generator function, and the application's exceptions.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Mapping
from types import CoroutineType
from typing import Any, Final, Literal, cast

import wrapt
from opentelemetry import context as otel_context
from opentelemetry.context import Context

from otel_llm_router import telemetry
from otel_llm_router.instrumentation.hooks import _frames, _requests, _resources, _routing
from otel_llm_router.instrumentation.hooks._actions import Action, ignored
from otel_llm_router.instrumentation.hooks._calls import Call, Place, place_of
from otel_llm_router.telemetry.instrumenting import Observer, async_driver, attached, guard, sync_driver

_ACTIONS: Final[Mapping[str, type[Action]]] = {
    "request": _requests.RequestAction,
    "attempt": _requests.AttemptAction,
    "decision": _routing.DecisionAction,
    "scope": _routing.ScopeAction,
    "refusal": _routing.RefusalAction,
    "cooldown": _routing.CooldownAction,
    "cache": _resources.CacheAction,
    "eviction": _resources.EvictionAction,
    "queue": _resources.QueueAction,
    "connection": _resources.ConnectionAction,
    "model_load": _resources.ModelLoadAction,
    "model_unload": _resources.ModelUnloadAction,
    "error": _resources.ErrorAction,
    "rate_limited": _resources.RateLimitedAction,
    "auth_failure": _resources.AuthFailureAction,
    "budget": _resources.BudgetAction,
    "saved": _resources.SavedAction,
}

Function = Callable[..., Any]
Wrapper = Callable[[Function, Any, tuple[Any, ...], dict[str, Any]], Any]
Active = Callable[[], bool]
FunctionKind = Literal["coroutine", "async generator", "generator", "plain"]


def kind_of(function: Any) -> FunctionKind:
    """Return which of Python's four kinds of function this is."""
    if inspect.iscoroutinefunction(function):
        return "coroutine"
    if inspect.isasyncgenfunction(function):
        return "async generator"
    return "generator" if inspect.isgeneratorfunction(function) else "plain"


def wrapper(place: Place, function: Any, active: Active) -> Wrapper:
    """Return what wrapt calls in place of ``function``; it does nothing while ``active`` says no."""
    if place.hook.target.argument:
        return _argument_wrapper(place, active)
    return _kind_wrapper(place, function, active)


def _started(
    place: Place, active: Active, instance: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Action | None:
    """Return the action of a call, or None when the call means nothing."""
    with guard("hooks.start"):
        if active() and not _frames.overridden(place.hook, place, instance):
            action = _ACTIONS[place.hook.kind.name](Call(place, instance, args, kwargs))
            if action.late or action.wanted:
                return action
    return None


def _plain_wrapper(place: Place, active: Active) -> Wrapper:
    def plain(wrapped: Function, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        action = _started(place, active, instance, args, kwargs)
        if action is None:
            return wrapped(*args, **kwargs)
        try:
            with attached(action.entered()):
                result = wrapped(*args, **kwargs)
        except BaseException as error:
            action.failed(error)
            raise
        if type(result) is CoroutineType:  # the decorator of an async function hid what it is
            return _awaited(cast("Coroutine[Any, Any, Any]", result), action)
        return action.returned(result)

    return plain


async def _awaited(body: Coroutine[Any, Any, Any], action: Action) -> Any:
    try:
        with attached(action.context):
            result = await body
    except BaseException as error:
        action.failed(error)
        raise
    return action.returned(result)


def _coroutine_wrapper(place: Place, active: Active) -> Wrapper:
    async def coroutine(wrapped: Function, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        action = _started(place, active, instance, args, kwargs)
        if action is None:
            return await wrapped(*args, **kwargs)
        try:
            with attached(action.entered()):
                result = await wrapped(*args, **kwargs)
        except BaseException as error:
            action.failed(error)
            raise
        return action.returned(result)

    return coroutine


class _Nothing:
    """An observer of a generator that means nothing."""

    plain = staticmethod(ignored)

    def examine(self, chunk: Any) -> None:
        """Take one yielded item."""

    def finish(self) -> None:
        """Take the natural end."""

    def fail(self, error: BaseException) -> None:
        """Take an exception that the body raised."""

    def abort(self) -> None:
        """Take the end of a generator that its consumer closed or dropped."""


_NOTHING: Final = _Nothing()


def _start_of(
    place: Place, active: Active, body: Any, instance: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Callable[[], tuple[Any, Context | None, Observer]]:
    """Return what begins when a generator is first asked for something.

    A generator is often made inside of a request and read outside, by the web framework: it belongs to the
    request that it was made in, unless it is read in another.
    """
    made = otel_context.get_current()

    def start() -> tuple[Any, Context | None, Observer]:
        with guard("hooks.start"), attached(made if telemetry.current() is None else otel_context.get_current()):
            action = _started(place, active, instance, args, kwargs)
            if action is not None:
                return body, action.entered(), action.observer()
        return body, None, _NOTHING

    return start


def _generator_wrapper(place: Place, active: Active) -> Wrapper:
    def generator(wrapped: Function, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        body = wrapped(*args, **kwargs)
        return sync_driver(_start_of(place, active, body, instance, args, kwargs))()

    return generator


def _async_generator_wrapper(place: Place, active: Active) -> Wrapper:
    def generator(wrapped: Function, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        body = wrapped(*args, **kwargs)
        return async_driver(_start_of(place, active, body, instance, args, kwargs))()

    return generator


def _argument_wrapper(place: Place, active: Active) -> Wrapper:
    """Return a wrapper that puts the hook on a function that is given as an argument."""
    name = place.hook.target.argument
    position = place.positions.get(name)

    def outside(wrapped: Function, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:  # noqa: ARG001  # wrapt's signature
        with guard("hooks.argument"):
            if name in kwargs:
                kwargs = {**kwargs, name: _hooked(place, active, kwargs[name])}
            elif position is not None and position < len(args):
                args = (*args[:position], _hooked(place, active, args[position]), *args[position + 1 :])
        return wrapped(*args, **kwargs)

    return outside


def _hooked(place: Place, active: Active, function: Any) -> Any:
    if not callable(function) or not active():
        return function
    reads_arguments = any("args" in expression.roots for expression in place.hook.values.values())
    own = place_of(place.hook, function, bound=False) if reads_arguments else Place(place.hook, place.name)
    own.outer = place
    return wrapt.FunctionWrapper(function, _kind_wrapper(own, function, active))


def _kind_wrapper(place: Place, function: Any, active: Active) -> Wrapper:
    makers = {
        "coroutine": _coroutine_wrapper,
        "async generator": _async_generator_wrapper,
        "generator": _generator_wrapper,
        "plain": _plain_wrapper,
    }
    return makers[kind_of(function)](place, active)
