"""A provider that streams, and every way in which an application hands its stream to a client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from types import SimpleNamespace
from typing import Any, Literal, TypeAlias

import pytest
from typing_extensions import Self

from otel_llm_router import telemetry as router
from otel_llm_router import testing

CHUNKS = 6
Chunk: TypeAlias = Callable[..., Any]

Ways: TypeAlias = Literal["generator", "object", "route"]
WAYS: tuple[Ways, ...] = ("generator", "object", "route")
every_way = pytest.mark.parametrize("way", WAYS)

GONE = ("client_disconnect", "stream_abandoned")
"""Closed, or dropped without being closed, which for a generator is the same."""


class AsyncStream:
    """A stream class such as a provider's SDK has."""

    def __init__(self, items: AsyncGenerator[Any]) -> None:
        self._items = items
        self.closed = False
        self.response = SimpleNamespace(status_code=200)

    def __aiter__(self) -> AsyncIterator[Any]:
        return self._items

    async def __anext__(self) -> Any:
        return await self._items.__anext__()

    async def close(self) -> None:
        self.closed = True
        await self._items.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()


class SyncStream:
    """The same without ``async``."""

    def __init__(self, items: Generator[Any]) -> None:
        self._items = items
        self.closed = False

    def __iter__(self) -> Iterator[Any]:
        return self._items

    def __next__(self) -> Any:
        return next(self._items)

    def close(self) -> None:
        self.closed = True
        self._items.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class Upstream:
    """A provider that streams ``CHUNKS`` chunks and remembers whether its connection was released."""

    def __init__(self, chunk: Chunk, captured: testing.Captured) -> None:
        self._chunk = chunk
        self._tracer = captured.tracer_provider.get_tracer("application")
        self.opened = 0
        self.released = 0

    async def events(self) -> AsyncGenerator[Any]:
        self.opened += 1
        try:
            yield self._chunk()  # role only, no content
            for number in range(CHUNKS):
                await asyncio.sleep(0)
                with self._tracer.start_as_current_span("read socket"):
                    pass
                yield self._chunk(f"t{number}")
        finally:
            self.released += 1

    def sync_events(self) -> Generator[Any]:
        self.opened += 1
        try:
            yield self._chunk()
            for number in range(CHUNKS):
                with self._tracer.start_as_current_span("read socket"):
                    pass
                yield self._chunk(f"t{number}")
        finally:
            self.released += 1

    def open(self, way: Ways) -> AsyncGenerator[Any]:
        """Return a stream to the client, in each of the ways an application makes one."""
        if way == "route":
            return self._routed()
        with router.request(model="smart", strategy="s") as request:
            stream: Any = self.events() if way == "generator" else AsyncStream(self.events())
            return request.stream(stream, model="gpt-4o", provider="openai")

    @router.route(strategy="s", model="smart")
    async def _routed(self) -> AsyncGenerator[Any]:
        request = router.current()
        assert request is not None
        async with router.attempt("openai", "gpt-4o"):
            async for event in request.stream(self.events()):
                yield event

    def open_sync(self, way: Ways) -> Generator[Any]:
        if way == "route":
            return self._routed_sync()
        with router.request(model="smart", strategy="s") as request:
            stream: Any = self.sync_events() if way == "generator" else SyncStream(self.sync_events())
            return request.stream(stream, model="gpt-4o", provider="openai")

    @router.route(strategy="s", model="smart")
    def _routed_sync(self) -> Generator[Any]:
        request = router.current()
        assert request is not None
        with router.attempt("openai", "gpt-4o"):
            yield from request.stream(self.sync_events())


async def read(stream: AsyncIterator[Any], number: int) -> list[Any]:
    return [await stream.__anext__() for _ in range(number)]


def drop_sync(stream: Generator[Any]) -> None:
    """Leave a stream halfway, without closing it."""
    for _ in range(4):
        next(stream)
