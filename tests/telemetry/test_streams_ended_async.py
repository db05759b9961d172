"""Asynchronous streams end exactly once, however their consumer walks away."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, TypeAlias

import pytest
from opentelemetry import context as otel_context

from otel_llm_router import testing
from tests.telemetry.application_errors import ConsumerError
from tests.telemetry.spans import span_id
from tests.telemetry.stream_checks import Checks
from tests.telemetry.streaming import CHUNKS, GONE, Chunk, Upstream, Ways, every_way, read


async def exhaust(stream: AsyncGenerator[Any]) -> None:
    assert len([event async for event in stream]) == CHUNKS + 1


async def stop_after(stream: AsyncGenerator[Any]) -> None:
    async for event in stream:
        if event.choices and event.choices[0].delta.content == "t2":
            break


async def stop_and_work(stream: AsyncGenerator[Any]) -> None:
    await stop_after(stream)
    assert otel_context.get_current() == {}
    await asyncio.sleep(0)


async def cancel_the_task(stream: AsyncGenerator[Any]) -> None:
    halfway = asyncio.Event()

    async def consume() -> None:
        await read(stream, 4)
        halfway.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(consume())
    await halfway.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def close_from_another_task(stream: AsyncGenerator[Any]) -> None:
    await read(stream, 4)
    closing: Any = getattr(stream, "aclose", None) or getattr(stream, "close", None)
    await asyncio.create_task(closing())


async def advance_in_other_tasks(stream: AsyncGenerator[Any]) -> None:
    async def step() -> None:
        await stream.__anext__()
        assert otel_context.get_current() == {}

    for _ in range(CHUNKS + 1):
        await asyncio.create_task(step())
    with pytest.raises(StopAsyncIteration):
        await asyncio.create_task(step())


async def raise_in_the_consumer(stream: AsyncGenerator[Any]) -> None:
    with contextlib.suppress(ConsumerError):
        async for event in stream:
            if event.choices and event.choices[0].delta.content == "t2":
                raise ConsumerError


async def drop(stream: AsyncGenerator[Any]) -> None:
    await read(stream, 4)


async def drop_in_a_cycle(stream: AsyncGenerator[Any]) -> None:
    await read(stream, 4)
    cycle: dict[str, Any] = {"stream": stream}
    cycle["cycle"] = cycle


Walk: TypeAlias = Callable[[AsyncGenerator[Any]], Awaitable[None]]
ASYNC_WALKS: list[tuple[Walk, str, str | tuple[str, ...], int]] = [
    (exhaust, "success", "", CHUNKS),
    (stop_after, "aborted", GONE, 3),
    (stop_and_work, "aborted", GONE, 3),
    (cancel_the_task, "aborted", GONE, 3),
    (close_from_another_task, "aborted", "client_disconnect", 3),
    (advance_in_other_tasks, "success", "", CHUNKS),
    (raise_in_the_consumer, "aborted", GONE, 3),
    (drop, "aborted", GONE, 3),
    (drop_in_a_cycle, "aborted", GONE, 3),
]


@every_way
@pytest.mark.parametrize(("walk", "status", "error_type", "content"), ASYNC_WALKS)
def test_an_async_stream_ends_however_it_is_left(
    checks: Checks,
    upstream: Upstream,
    way: Ways,
    walk: Walk,
    status: str,
    error_type: str | tuple[str, ...],
    content: int,
):
    async def main() -> None:
        await walk(upstream.open(way))
        checks.clean()
        gc.collect()
        await asyncio.sleep(0)  # the loop closes dropped generators in a task of its own
        await asyncio.sleep(0)
        checks.clean()

    asyncio.run(main())
    checks.ended(status, error_type, content)
    assert upstream.released == upstream.opened == 1


@every_way
@pytest.mark.parametrize("how", ["cancel", "wait_for"])
def test_a_stream_cancelled_while_it_waits_for_the_provider(
    captured: testing.Captured, checks: Checks, chunk: Chunk, way: Ways, how: str
):
    class Hanging(Upstream):
        async def events(self) -> AsyncGenerator[Any]:
            yield self._chunk("t0")
            yield self._chunk("t1")
            await asyncio.Event().wait()
            yield self._chunk("never")

    async def main() -> None:
        stream = Hanging(chunk, captured).open(way)
        await read(stream, 2)
        if how == "wait_for":
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(stream.__anext__(), 0.001)
        else:
            step = asyncio.create_task(read(stream, 1))
            await asyncio.sleep(0)
            step.cancel()
            with pytest.raises(asyncio.CancelledError):
                await step
        checks.clean()

    asyncio.run(main())
    checks.ended("aborted", "cancelled", 2)


@pytest.mark.parametrize("way", ["generator", "object"])
def test_a_stream_that_is_never_started_is_abandoned(checks: Checks, upstream: Upstream, way: Ways):
    async def main() -> None:
        upstream.open(way)
        await asyncio.sleep(0)
        checks.clean()

    asyncio.run(main())
    checks.ended("aborted", "stream_abandoned", 0)


def test_a_route_generator_that_is_never_started_is_no_request(captured: testing.Captured, upstream: Upstream):
    async def main() -> None:
        upstream.open("route")
        await asyncio.sleep(0)

    asyncio.run(main())
    assert captured.metric_names() == set()


@every_way
def test_two_interleaved_streams_keep_apart(captured: testing.Captured, checks: Checks, upstream: Upstream, way: Ways):
    async def main() -> None:
        first, second = upstream.open(way), upstream.open(way)
        for _ in range(CHUNKS + 1):
            await first.__anext__()
            checks.clean()
            await second.__anext__()
            checks.clean()
        for stream in (second, first):
            with pytest.raises(StopAsyncIteration):
                await stream.__anext__()
        checks.clean()

    asyncio.run(main())
    checks.ended("success", "", CHUNKS, streams=2)
    parents = [span.parent.span_id for span in captured.spans("read socket") if span.parent is not None]
    assert sorted(parents.count(span_id(span)) for span in captured.spans("chat gpt-4o")) == [CHUNKS, CHUNKS]


def test_an_async_generator_may_be_closed_by_the_end_of_its_loop(checks: Checks, upstream: Upstream):
    kept: list[AsyncGenerator[Any]] = []

    async def main() -> None:
        stream = upstream.open("generator")
        await read(stream, 4)
        kept.append(stream)  # still alive when asyncio.run shuts asynchronous generators down

    asyncio.run(main())
    checks.ended("aborted", "client_disconnect", 3)
