"""Queues and slots: how many wait, how long, and how long they are served.

Room: `telemetry`. Application code waits through us, or tells us what it knows.
"""

from __future__ import annotations

import time
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Any

from otel_llm_router import _sanitize
from otel_llm_router.signals import attributes, spans
from otel_llm_router.signals.instruments import resources
from otel_llm_router.telemetry import _context, _guard

if TYPE_CHECKING:
    from otel_llm_router.telemetry._holdings import Holdings


class Queue:
    """One queue, or one set of slots, of the router's.

    Args:
        telemetry: What it was made on.
        name: Which queue, in words of which there are few: it is the label ``queue_type``.
    """

    def __init__(self, telemetry: Holdings, name: str) -> None:
        self._telemetry = telemetry
        self._name = name

    def wait(self, slots: Any) -> Wait:
        """Wait for ``slots`` (a semaphore, lock or pool: any context manager) and hold it.

        Use the result with ``with`` or ``async with``, whichever ``slots`` itself takes.
        """
        return Wait(self._telemetry, self._name, slots)

    def set_size(self, size: float) -> None:
        """State how many requests wait now."""
        with _guard.guard("queue.set_size"):
            self._telemetry.gauges.set(resources.QUEUE_SIZE, size, self._name)

    def waited(self, seconds: float) -> None:
        """Count one request that waited for ``seconds``."""
        with _guard.guard("queue.waited"):
            self._telemetry.recorder.record(resources.QUEUE_WAIT, max(0, seconds), self._name)
            request = _context.current_request()
            if request is not None:
                request.event(
                    spans.QUEUE_EVENT,
                    {attributes.QUEUE_TYPE_SPAN: self._name, attributes.QUEUE_WAIT: _sanitize.finite(seconds)},
                )

    def processed(self, seconds: float) -> None:
        """Count one request that was served for ``seconds`` after leaving the queue."""
        with _guard.guard("queue.processed"):
            self._telemetry.recorder.record(resources.QUEUE_PROCESSING, max(0, seconds), self._name)


class Wait(AbstractContextManager[Any], AbstractAsyncContextManager[Any]):
    """One wait for a slot, and the time it is held."""

    def __init__(self, telemetry: Holdings, name: str, slots: Any) -> None:
        self._telemetry = telemetry
        self._name = name
        self._slots = slots
        self._queue = Queue(telemetry, name)
        self._began = 0
        self._held = 0

    def join(self) -> None:
        """Begin to wait; for those who wait by a call of a function instead of a block."""
        with _guard.guard("queue.join"):
            self._began = time.perf_counter_ns()
            self._telemetry.gauges.add(resources.QUEUE_SIZE, 1, self._name)

    def leave(self, *, served: bool) -> None:
        """End waiting, having been served or not."""
        with _guard.guard("queue.leave"):
            self._held = time.perf_counter_ns()
            self._telemetry.gauges.add(resources.QUEUE_SIZE, -1, self._name)
            if served:
                self._queue.waited((self._held - self._began) / 1e9)

    def _done(self) -> None:
        self._queue.processed((time.perf_counter_ns() - self._held) / 1e9)

    def __enter__(self) -> Any:
        self.join()
        try:
            entered = self._slots.__enter__()
        except BaseException:
            self.leave(served=False)
            raise
        self.leave(served=True)
        return entered

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> Any:
        self._done()
        return self._slots.__exit__(kind, error, trace)

    async def __aenter__(self) -> Any:
        self.join()
        try:
            entered = await self._slots.__aenter__()
        except BaseException:
            self.leave(served=False)
            raise
        self.leave(served=True)
        return entered

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> Any:
        self._done()
        return await self._slots.__aexit__(kind, error, trace)
