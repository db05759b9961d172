"""Generators, run step by step inside their own context.

Room: `telemetry`. A generator and an observer come in; a generator of the same kind that forwards
``send``, ``throw`` and ``close`` goes out. What the body makes current is current during its steps
only, so that a consumer never inherits it and may be another task or thread each time.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any, Protocol

from opentelemetry import context as otel_context
from opentelemetry.context import Context

from otel_llm_router.telemetry import _guard


class Observer(Protocol):
    """What is told of a generator's life. Each end is reported once."""

    def chunk(self, chunk: Any) -> None:
        """Take one yielded item."""
        ...

    def finish(self) -> None:
        """Take the natural end."""
        ...

    def fail(self, error: BaseException) -> None:
        """Take an exception that the body raised."""
        ...

    def abort(self) -> None:
        """Take the end of a generator that its consumer closed or dropped."""
        ...


class Scope:
    """The context that a generator's body sees, kept between its steps."""

    __slots__ = ("_inside", "_outside")

    def __init__(self, context: Context | None) -> None:
        self._inside = context
        self._outside: Context | None = None

    def enter(self) -> None:
        """Make the body's context current."""
        with _guard.guard("step.enter"):
            self._outside = otel_context.get_current()
            if self._inside is not None:
                otel_context.attach(self._inside)

    def leave(self) -> None:
        """Keep what the body made current, and give the consumer back what it had."""
        with _guard.guard("step.leave"):
            self._inside = otel_context.get_current()
            if self._outside is not None:
                otel_context.attach(self._outside)


Start = Callable[..., tuple[Any, Scope, Observer]]
"""Called with the driver's arguments at the first step; returns what to drive."""

# A consumer's close is forwarded as the GeneratorExit that it is, like any exception thrown in: the body
# may return, raise, or go on yielding, and each has the same consequence as without us.


def sync_driver(start: Start) -> Callable[..., Generator[Any, Any, Any]]:
    """Return a generator function that runs the generator ``start`` returns inside its scope."""

    def driver(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        body, scope, observer = start(*args, **kwargs)
        sent: Any = None
        thrown: BaseException | None = None
        while True:
            closing = isinstance(thrown, GeneratorExit)
            scope.enter()
            try:
                item = body.send(sent) if thrown is None else body.throw(thrown)
            except StopIteration as end:
                scope.leave()
                (observer.abort if closing else observer.finish)()
                return end.value
            except BaseException as error:
                scope.leave()
                _failed(observer, error, closing=closing)
                raise
            scope.leave()
            observer.chunk(item)
            sent, thrown = None, None
            try:
                sent = yield item
            except BaseException as error:  # noqa: BLE001  # the body decides what to do with it
                thrown = error

    return driver


def async_driver(start: Start) -> Callable[..., AsyncGenerator[Any, Any]]:
    """Return an asynchronous generator function that runs the generator ``start`` returns inside its scope."""

    async def driver(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        body, scope, observer = start(*args, **kwargs)
        sent: Any = None
        thrown: BaseException | None = None
        while True:
            closing = isinstance(thrown, GeneratorExit)
            if isinstance(thrown, GeneratorExit) and (body.ag_frame is None or body.ag_running):
                observer.abort()  # the end of an event loop closes all its generators, the body beside us
                raise thrown
            scope.enter()
            try:
                item = await (body.asend(sent) if thrown is None else body.athrow(thrown))
            except StopAsyncIteration:
                scope.leave()
                (observer.abort if closing else observer.finish)()
                return
            except BaseException as error:
                scope.leave()
                _failed(observer, error, closing=closing)
                raise
            scope.leave()
            observer.chunk(item)
            sent, thrown = None, None
            try:
                sent = yield item
            except BaseException as error:  # noqa: BLE001  # the body decides what to do with it
                thrown = error

    return driver


def _failed(observer: Observer, error: BaseException, *, closing: bool) -> None:
    if closing:
        observer.abort()
    else:
        observer.fail(error)
