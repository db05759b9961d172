"""The decorator that makes a routed request of each call of a function.

Room: `telemetry`. Functions of all four kinds come in, functions of the same kind go out.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

from opentelemetry.context import Context

from otel_llm_router.telemetry import _guard
from otel_llm_router.telemetry._drive import async_driver, sync_driver
from otel_llm_router.telemetry._streams import StreamProbe

if TYPE_CHECKING:
    from otel_llm_router.telemetry._request import Request
    from otel_llm_router.telemetry._telemetry import Telemetry

F = TypeVar("F", bound=Callable[..., Any])

ModelOf = str | Callable[..., str] | None
"""The requested model: a name, or a function of the call's arguments; None guesses."""


def decorate(telemetry: Telemetry, function: F, *, strategy: str, model: ModelOf) -> F:
    """Return ``function`` with a request around each call."""
    position = _position(function, "model")

    def begin(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Request:
        name = ""
        with _guard.guard("route.model"):
            name = _requested_model(model, position, args, kwargs)
        return telemetry.request(model=name, strategy=strategy)

    def start(*args: Any, **kwargs: Any) -> tuple[Any, Context, StreamProbe]:
        body = function(*args, **kwargs)  # raises here, before a request has begun, when the arguments do not fit
        request = begin(args, kwargs)
        request.drive()
        return body, request.context, StreamProbe(request=request)

    async def coroutine(*args: Any, **kwargs: Any) -> Any:
        request = begin(args, kwargs)
        with request:
            return await function(*args, **kwargs)

    def plain(*args: Any, **kwargs: Any) -> Any:
        request = begin(args, kwargs)
        with request:
            return function(*args, **kwargs)

    if inspect.isasyncgenfunction(function):
        wrapper: Any = async_driver(start)
    elif inspect.isgeneratorfunction(function):
        wrapper = sync_driver(start)
    else:
        wrapper = coroutine if inspect.iscoroutinefunction(function) else plain
    return cast("F", functools.wraps(function)(wrapper))


def _position(function: Callable[..., Any], name: str) -> int:
    """Return the position of a parameter, or one beyond all arguments."""
    with contextlib.suppress(ValueError, TypeError):  # no signature, as with some builtins
        for position, parameter in enumerate(inspect.signature(function).parameters.values()):
            if parameter.name == name and parameter.kind is parameter.POSITIONAL_OR_KEYWORD:
                return position
    return sys.maxsize


def _requested_model(model: ModelOf, position: int, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
    if isinstance(model, str):
        return model
    if model is not None:
        return model(*args, **kwargs)
    named = args[position] if position < len(args) else kwargs.get("model")
    if isinstance(named, str):
        return named
    # What a request says comes before what an object that has the method says: it is the first argument.
    for value in (*args[1:], *kwargs.values(), *args[:1]):
        found = value.get("model") if isinstance(value, Mapping) else getattr(value, "model", None)  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
        if isinstance(found, str):
            return found
    return ""
