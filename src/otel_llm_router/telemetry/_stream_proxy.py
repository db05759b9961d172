"""Stream objects that are no generators: a transparent proxy that measures them.

Room: `telemetry`. Used by `_streams.track` for what an application hands to `Request.stream`, such
as a provider SDK's stream class. The proxy has the object's attributes and passes ``isinstance``; it
is iterated and closed in the ways in which the object is, and in no other.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

import wrapt
from opentelemetry.context import Context

from otel_llm_router.telemetry._context import current, step_back, step_in, step_out

if TYPE_CHECKING:
    from otel_llm_router.telemetry._streams import Lifeline, StreamProbe

_CLOSING: Final = frozenset({"close", "aclose"})


class _Reading:
    """How far an object has been read: one thing to ask a proxy for, as asking a proxy is slow."""

    __slots__ = ("inside", "iterator", "probe", "stream")

    def __init__(self, stream: Any, probe: StreamProbe) -> None:
        self.stream = stream
        self.probe = probe
        self.iterator: Any = None
        self.inside: Context = current() if probe.context is None else probe.context


class _Proxy(wrapt.ObjectProxy):  # pyright: ignore[reportMissingTypeArgument]  # generic in wrapt 2 only
    """What every kind shares."""

    def __init__(self, wrapped: Any, lifeline: Lifeline) -> None:
        super().__init__(wrapped)  # pyright: ignore[reportUnknownMemberType]
        self._self_stream: Any = wrapped
        self._self_lifeline = lifeline
        self._self_probe = probe = lifeline.probe
        self._self_reading = _Reading(wrapped, probe)

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._self_stream, name)
        return _closing(value, self._self_probe) if name in _CLOSING and callable(value) else value

    def __enter__(self) -> Any:
        entered = self._self_stream.__enter__()
        return self if entered is self._self_stream else entered

    def __exit__(self, *exc: object) -> Any:
        try:
            return self._self_stream.__exit__(*exc)
        finally:
            self._self_probe.abort()

    async def __aenter__(self) -> Any:
        entered = await self._self_stream.__aenter__()
        return self if entered is self._self_stream else entered

    async def __aexit__(self, *exc: object) -> Any:
        try:
            return await self._self_stream.__aexit__(*exc)
        finally:
            self._self_probe.abort()


class _SyncProxy(_Proxy):
    """A stream that is read with ``for``."""

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        reading: _Reading = self._self_reading
        token = step_in(reading.inside)
        try:
            if reading.iterator is None:
                reading.iterator = iter(reading.stream)
            item = next(reading.iterator)
        except StopIteration:
            step_out(token)
            reading.probe.finish()
            raise
        except BaseException as error:
            step_out(token)
            reading.probe.fail(error)
            raise
        reading.inside = current()
        step_out(token)
        if not reading.probe.plain(item):
            reading.probe.examine(item)
        return item


class _AsyncProxy(_Proxy):
    """A stream that is read with ``async for``."""

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        reading: _Reading = self._self_reading
        token = step_in(reading.inside)
        try:
            if reading.iterator is None:
                reading.iterator = reading.stream.__aiter__()
            item = await reading.iterator.__anext__()
        except StopAsyncIteration:
            step_back(token)
            reading.probe.finish()
            raise
        except BaseException as error:
            step_back(token)
            reading.probe.fail(error)
            raise
        reading.inside = current()
        step_back(token)
        if not reading.probe.plain(item):
            reading.probe.examine(item)
        return item


class _DualProxy(_SyncProxy, _AsyncProxy):
    """A stream that can be read either way, as LiteLLM's can."""


def _closing(method: Callable[..., Any], probe: StreamProbe) -> Callable[..., Any]:
    """Return a stream's ``close`` that tells the probe, of the same kind as ``method``."""

    @functools.wraps(method)
    async def aclose(*args: Any, **kwargs: Any) -> Any:
        return await _awaited(method(*args, **kwargs), probe)

    @functools.wraps(method)
    def close(*args: Any, **kwargs: Any) -> Any:
        closed: Any = None
        try:
            closed = method(*args, **kwargs)
        finally:
            if not inspect.isawaitable(closed):
                probe.abort()
        return _awaited(closed, probe) if inspect.isawaitable(closed) else closed

    return aclose if inspect.iscoroutinefunction(method) else close


async def _awaited(closing: Awaitable[Any], probe: StreamProbe) -> Any:
    try:
        return await closing
    finally:
        probe.abort()


def proxy(stream: Any, lifeline: Lifeline) -> Any:
    """Return a proxy of ``stream`` that reports to the probe of ``lifeline``."""
    cls: type[object] = type(stream)  # pyright: ignore[reportUnknownVariableType]
    if not hasattr(cls, "__aiter__"):
        return _SyncProxy(stream, lifeline)
    return (_DualProxy if hasattr(cls, "__iter__") else _AsyncProxy)(stream, lifeline)
