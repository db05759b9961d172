"""Generators, run step by step inside their own context.

Room: `telemetry`. A generator and an observer come in; a generator of the same kind that forwards
``send``, ``throw`` and ``close`` goes out. What the body makes current is current during its steps
only, so that a consumer never inherits it and may be another task or thread each time.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any, Protocol

from opentelemetry.context import Context

from otel_llm_router.telemetry._context import current, step_back, step_in, step_out, stray


class Observer(Protocol):
    """What is told of a generator's life. Each end is reported once."""

    plain: Callable[[Any], bool]
    """Takes one yielded item, and says whether; if not it is for `examine`."""

    def examine(self, chunk: Any) -> None:
        """Take one yielded item that `plain` did not take."""
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


Start = Callable[..., tuple[Any, Context | None, Observer]]
"""Called with the driver's arguments at the first step; returns what to drive, what it sees as current, and whom to tell."""

# What happens at each step is written out here, twice: a call costs a tenth of what a chunk may.
#
# A consumer's close is forwarded as the GeneratorExit that it is, like any exception thrown in: the body
# may return, raise, or go on yielding, and each has the same consequence as without us.


def sync_driver(start: Start) -> Callable[..., Generator[Any, Any, Any]]:
    """Return a generator function that runs the generator ``start`` returns inside its scope."""

    def driver(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        body, given, observer = start(*args, **kwargs)
        inside = current() if given is None else given
        sent: Any = None
        thrown: BaseException | None = None
        while True:
            token = step_in(inside)
            try:
                item = body.send(sent) if thrown is None else body.throw(thrown)
            except StopIteration as end:
                step_out(token)
                _returned(observer, thrown)
                return end.value
            except BaseException as error:
                step_out(token)
                _failed(observer, error, thrown)
                raise
            inside = current()
            step_out(token)
            if not observer.plain(item):
                observer.examine(item)
            thrown = None
            try:
                sent = yield item
            except BaseException as error:  # noqa: BLE001  # the body decides what to do with it
                sent, thrown = None, error

    return driver


def async_driver(start: Start) -> Callable[..., AsyncGenerator[Any, Any]]:
    """Return an asynchronous generator function that runs the generator ``start`` returns inside its scope."""

    async def driver(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        body, given, observer = start(*args, **kwargs)
        inside = current() if given is None else given
        sent: Any = None
        thrown: BaseException | None = None
        while True:
            if thrown is not None and _is_closed(body, thrown):
                observer.abort()  # the end of an event loop closes all its generators, the body beside us
                raise thrown
            token = step_in(inside)
            try:
                item = await (body.asend(sent) if thrown is None else body.athrow(thrown))
            except StopAsyncIteration:
                step_back(token)
                _returned(observer, thrown)
                return
            except BaseException as error:
                step_back(token)
                _failed(observer, error, thrown)
                raise
            inside = current()
            try:
                step_out(token)
            except ValueError:
                stray(token)
            if not observer.plain(item):
                observer.examine(item)
            thrown = None
            try:
                sent = yield item
            except BaseException as error:  # noqa: BLE001  # the body decides what to do with it
                sent, thrown = None, error

    return driver


def _is_closed(body: Any, thrown: BaseException) -> bool:
    return isinstance(thrown, GeneratorExit) and (body.ag_frame is None or body.ag_running)


def _returned(observer: Observer, thrown: BaseException | None) -> None:
    if isinstance(thrown, GeneratorExit):
        observer.abort()
    else:
        observer.finish()


def _failed(observer: Observer, error: BaseException, thrown: BaseException | None) -> None:
    if isinstance(thrown, GeneratorExit):
        observer.abort()
    else:
        observer.fail(error)
