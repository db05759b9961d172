"""LiteLLM's streams, measured without becoming other objects.

Room: `instrumentation`. Stream objects that the Router returns or reads from come in; the methods of
their classes are wrapped, and each object that is watched carries its probe. The objects keep their
identity and their type, which LiteLLM and its users check.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any, Final

from otel_llm_router.telemetry.instrumenting import (
    PROBE,
    StreamProbe,
    carry,
    current,
    guard,
    probe_of,
    step_back,
    step_in,
    step_out,
    stray,
    track,
)

_WRAPPED: Final = "__otel_llm_router_wrapped__"


def watch(stream: Any, probe: StreamProbe) -> Any:
    """Measure ``stream`` with ``probe`` and return it; a plain generator is wrapped in one of its kind."""
    if inspect.isasyncgen(stream) or inspect.isgenerator(stream):
        generator: AsyncGenerator[Any, Any] | Generator[Any, Any, Any] = track(stream, probe)
        return generator
    _wrap_class(type(stream))  # pyright: ignore[reportUnknownArgumentType]
    if not carry(stream, probe):  # no __dict__: it cannot be told apart from others of its class
        probe.finish()
    return stream


# --- the wrapped methods ---------------------------------------------------------------------------

_patched: list[tuple[type, str, Any]] = []


def _wrap_class(cls: type) -> None:
    for name, make in _METHODS.items():
        # LiteLLM makes a new class for each stream of the Router; patching the class that defines a
        # method, not the one that inherits it, keeps the long-lived ones to one patch each.
        owner = next((base for base in cls.__mro__ if name in vars(base)), None)
        if owner is None or owner is object:
            continue
        original = vars(owner)[name]
        if hasattr(original, _WRAPPED) or not inspect.isfunction(original):
            continue
        wrapper = functools.wraps(original)(make(original))
        setattr(wrapper, _WRAPPED, True)
        if PROBE not in vars(owner):
            setattr(owner, PROBE, None)  # for good: the wrappers ask every stream for it
        setattr(owner, name, wrapper)
        if "<locals>" not in owner.__qualname__:
            _patched.append((owner, name, original))


def unwrap_classes() -> None:
    """Give every class its own methods back."""
    while _patched:
        owner, name, original = _patched.pop()
        setattr(owner, name, original)


# What happens at each step is written out here, twice: a call costs a tenth of what a chunk may.


def _anext(original: Callable[..., Any]) -> Callable[..., Any]:
    async def anext_measured(self: Any) -> Any:
        lifeline = self._otel_llm_router_probe
        if lifeline is None:
            return await original(self)
        probe = lifeline.probe
        inside = probe.inside
        if inside is None:
            return await original(self)
        # The Router's stream around this one may have made it current already.
        token = None if current() is inside else step_in(inside)
        probe.stepping = True
        try:
            chunk = await original(self)
        except StopAsyncIteration:
            _leave(probe, token)
            probe.finish()
            raise
        except BaseException as error:
            _leave(probe, token)
            probe.fail(error)
            raise
        probe.stepping = False
        if token is not None:
            try:
                step_out(token)
            except ValueError:
                stray(token)
        if probe.looks and not probe.plain(chunk):
            probe.examine(chunk)
        return chunk

    return anext_measured


def _next(original: Callable[..., Any]) -> Callable[..., Any]:
    def next_measured(self: Any) -> Any:
        lifeline = self._otel_llm_router_probe
        if lifeline is None:
            return original(self)
        probe = lifeline.probe
        inside = probe.inside
        if inside is None:
            return original(self)
        # The Router's stream around this one may have made it current already.
        token = None if current() is inside else step_in(inside)
        probe.stepping = True
        try:
            chunk = original(self)
        except StopIteration:
            _leave(probe, token)
            probe.finish()
            raise
        except BaseException as error:
            _leave(probe, token)
            probe.fail(error)
            raise
        probe.stepping = False
        if token is not None:
            step_out(token)
        if probe.looks and not probe.plain(chunk):
            probe.examine(chunk)
        return chunk

    return next_measured


def _aclose(original: Callable[..., Any]) -> Callable[..., Any]:
    async def aclose(self: Any) -> Any:
        try:
            return await original(self)
        finally:
            _abort(self)

    return aclose


def _close(original: Callable[..., Any]) -> Callable[..., Any]:
    def close(self: Any) -> Any:
        try:
            return original(self)
        finally:
            _abort(self)

    return close


def _leave(probe: StreamProbe, token: Any) -> None:
    probe.stepping = False
    if token is not None:
        step_back(token)
    elif (behind := probe.behind()) is not None:
        step_in(behind)  # until the stream around this one steps out


def _abort(stream: Any) -> None:
    with guard("litellm.stream.close"):
        probe = probe_of(stream)
        if probe is not None:
            probe.abort()


_METHODS: Final[dict[str, Callable[[Callable[..., Any]], Callable[..., Any]]]] = {
    "__anext__": _anext,
    "__next__": _next,
    "aclose": _aclose,
    "close": _close,
}
