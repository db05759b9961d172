"""The hooks on what LiteLLM's Router makes requests wait for: its priority queue, a deployment's slots.

Room: `instrumentation`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, Final
from weakref import WeakValueDictionary

from otel_llm_router import telemetry
from otel_llm_router.instrumentation.litellm._decisions import Arguments, Keywords, Wrapped
from otel_llm_router.telemetry.instrumenting import defer, guard

SCHEDULER: Final = "litellm_scheduler"
SLOTS: Final = "litellm_parallel_requests"

_TICKET: Final = "_otel_llm_router_waiting"
_SEEN: Final = "_otel_llm_router_slots"

_mine: ContextVar[list[_Waiting]] = ContextVar("otel_llm_router_litellm_waiting")
_held: ContextVar[int] = ContextVar("otel_llm_router_litellm_slot", default=0)


class _Waiting:
    """One request in the priority queue; it has left, unserved, when nobody holds its place any more."""

    def __init__(self) -> None:
        self._wait: Any = telemetry.queue(SCHEDULER).wait(None)
        self._open = [True]
        self._wait.join()

    def leave(self, *, served: bool) -> None:
        try:
            self._open.pop()
        except IndexError:
            return
        self._wait.leave(served=served)

    def __del__(self) -> None:
        if self._open:
            defer(lambda: self.leave(served=False))


_waiting: WeakValueDictionary[str, _Waiting] = WeakValueDictionary()
"""By the request's identifier; who holds them is LiteLLM's item, which goes when nobody waits with it."""


class QueueHooks:
    """The hooks on queues, by the names of `_targets`."""

    async def scheduled(self, wrapped: Wrapped, instance: Any, args: Arguments, kwargs: Keywords) -> Any:
        """``Router.schedule_acompletion`` and its like: over, the request waits no more, however it ended.

        1.80 says nothing else of one that gave up waiting.
        """
        mine: list[_Waiting] = []
        _mine.set(mine)
        try:
            return await wrapped(*args, **kwargs)
        finally:
            with guard("litellm.scheduled"):
                for waiting in mine:
                    waiting.leave(served=False)

    scheduled_other = scheduled

    async def queued(self, wrapped: Wrapped, instance: Any, args: Arguments, kwargs: Keywords) -> Any:
        """``Scheduler.add_request``: a request takes its place in the queue."""
        with guard("litellm.queued"):
            item = kwargs.get("request", args[0] if args else None)
            identifier = getattr(item, "request_id", None)
            if isinstance(identifier, str):
                item.__dict__[_TICKET] = _waiting[identifier] = waiting = _Waiting()
                _mine.get([]).append(waiting)
        return await wrapped(*args, **kwargs)

    async def polled(self, wrapped: Wrapped, instance: Any, args: Arguments, kwargs: Keywords) -> Any:
        """``Scheduler.poll``: whether it is the request's turn."""
        try:
            turn = await wrapped(*args, **kwargs)
        except BaseException:
            with guard("litellm.polled"):
                _leave(_identifier(args, kwargs), served=False)
            raise
        if turn:
            with guard("litellm.polled"):
                _leave(_identifier(args, kwargs), served=True)
        return turn

    async def unqueued(self, wrapped: Wrapped, instance: Any, args: Arguments, kwargs: Keywords) -> Any:
        """``Scheduler.remove_request``: the request's place is gone, its turn having come or not."""
        with guard("litellm.unqueued"):
            _leave(kwargs.get("request_id", args[0] if args else None), served=False)
        return await wrapped(*args, **kwargs)

    def slots(self, wrapped: Wrapped, instance: Any, args: Arguments, kwargs: Keywords) -> Any:
        """``Router._get_client``: gives, among others, the semaphore of a deployment's parallel requests.

        Newer releases keep no semaphore: they turn away what has no slot.
        """
        client = wrapped(*args, **kwargs)
        if isinstance(client, asyncio.Semaphore):
            with guard("litellm.slots"):
                if _SEEN not in client.__dict__:
                    client.__dict__[_SEEN] = True
                    _measure(client)
        return client


def _measure(semaphore: asyncio.Semaphore) -> None:
    """Measure how long requests wait for ``semaphore``, and how long each holds it."""
    original, let_go = semaphore.acquire, semaphore.release

    async def acquire() -> Any:
        wait = telemetry.queue(SLOTS).wait(semaphore)
        wait.join()
        served = False
        try:
            result = await original()
            served = True
        finally:
            wait.leave(served=served)
        _held.set(time.perf_counter_ns())
        return result

    def release() -> None:
        let_go()
        with guard("litellm.slot"):
            telemetry.queue(SLOTS).processed((time.perf_counter_ns() - _held.get()) / 1e9)

    own: dict[str, Any] = semaphore.__dict__
    own.update(acquire=acquire, release=release)


def _identifier(args: Arguments, kwargs: Mapping[str, Any]) -> Any:
    """Return the request's: 1.80 polls by identifier, newer releases by the whole item."""
    found = kwargs.get("id", kwargs.get("request", args[0] if args else None))
    return getattr(found, "request_id", found)


def _leave(identifier: Any, *, served: bool) -> None:
    waiting = _waiting.pop(identifier, None) if isinstance(identifier, str) else None
    if waiting is not None:
        waiting.leave(served=served)
