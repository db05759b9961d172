"""Streams: measured chunk by chunk, ended exactly once however their consumer walks away."""

# White-box: locks of the SDK and its own points.
# pyright: reportPrivateUsage=false

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import copy
import gc
import json
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator, Iterator
from types import SimpleNamespace
from typing import Any, Literal, TypeAlias

import pytest
from opentelemetry import context as otel_context
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.metrics._internal import aggregation  # the locks that a record takes
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import StatusCode
from typing_extensions import Self

from otel_llm_router import telemetry as router
from otel_llm_router import testing
from otel_llm_router.telemetry.instrumenting import StreamProbe, carry, probe_of


def _id(span: ReadableSpan) -> int:
    assert span.context is not None
    return span.context.span_id


CHUNKS = 6
Chunk: TypeAlias = Callable[..., Any]
Ways: TypeAlias = Literal["generator", "object", "route"]


class ConsumerError(Exception):
    """What a consumer raises between two chunks."""


class BrokenStreamError(ConnectionError):
    """What a provider's stream raises when its connection breaks."""


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


@pytest.fixture
def upstream(chunk: Chunk, captured: testing.Captured) -> Upstream:
    return Upstream(chunk, captured)


async def read(stream: AsyncIterator[Any], number: int) -> list[Any]:
    return [await stream.__anext__() for _ in range(number)]


class Checks:
    """What holds of every stream that ended, however it did."""

    def __init__(self, captured: testing.Captured) -> None:
        self._captured = captured

    def clean(self) -> None:
        """The context is clean: the next span, here, is a root and no child of a stream."""
        assert otel_context.get_current() == {}
        with self._captured.tracer_provider.get_tracer("application").start_as_current_span("next"):
            pass
        assert [span.parent for span in self._captured.spans("next")] == [None] * len(self._captured.spans("next"))

    def ended(self, status: str, error_type: str | tuple[str, ...], content: int, streams: int = 1) -> None:
        captured = self._captured
        gc.collect()
        allowed = (error_type,) if isinstance(error_type, str) else error_type
        assert [(p.labels["status"], p.value) for p in captured.points("llm_router.inference")] == [(status, streams)]
        attempts = captured.points("llm_router.attempts")
        assert [(p.labels["status"], p.value) for p in attempts] == [(status, streams)]
        assert {point.labels["error_type"] for point in attempts} <= set(allowed)
        assert captured.value("llm_router.requests.in_flight") == 0
        assert captured.value("llm_router.attempts.in_flight") == 0
        self._measured(status, content, streams)
        self._spans(status, allowed, content, streams)

    def _measured(self, status: str, content: int, streams: int) -> None:
        captured = self._captured
        assert captured.value("llm_router.tokens", type="output", source="estimated") == content * streams
        assert captured.value("llm_router.tokens.generated") == content * streams
        assert captured.count("llm_router.time_to_first_token") == (streams if content else 0)
        assert captured.count("llm_router.time_per_output_token") == (streams if content > 1 else 0)
        if status == "aborted":
            phase = "mid_stream" if content else "before_first_token"
            assert captured.value("llm_router.stream.aborts", side="client", phase=phase) == streams
            assert captured.value("llm_router.stream.aborts") == streams
            assert captured.value("llm_router.tokens.wasted", reason="aborted") == content * streams
            assert len(captured.events("llm_router.inference.aborted")) == streams
        else:
            assert captured.points("llm_router.stream.aborts") == []
            assert captured.points("llm_router.tokens.wasted") == []

    def _spans(self, status: str, allowed: tuple[str, ...], content: int, streams: int) -> None:
        captured = self._captured
        routes, attempts = captured.spans("route smart"), captured.spans("chat gpt-4o")
        assert len(routes) == len(attempts) == streams
        for span in (*routes, *attempts):
            attributes = dict(span.attributes or {})
            assert attributes["llm_router.outcome"] == status
            assert attributes.get("error.type", "") in allowed
            assert (span.status.status_code is StatusCode.ERROR) == (status != "success")
        for span in attempts:
            attributes = dict(span.attributes or {})
            assert attributes["gen_ai.request.stream"] is True
            assert attributes.get("gen_ai.usage.output_tokens", 0) == content
            assert ("gen_ai.response.time_to_first_chunk" in attributes) == bool(content)
            assert [event.name for event in span.events] == ["gen_ai.first_token"] * bool(content)
            assert span.parent is not None
            assert span.parent.span_id in {_id(route) for route in routes}
        parents = {_id(span) for span in attempts}
        for span in captured.spans("read socket"):
            assert span.parent is not None
            assert span.parent.span_id in parents


@pytest.fixture
def checks(captured: testing.Captured) -> Checks:
    return Checks(captured)


WAYS: tuple[Ways, ...] = ("generator", "object", "route")
every_way = pytest.mark.parametrize("way", WAYS)
GONE = ("client_disconnect", "stream_abandoned")
"""Closed, or dropped without being closed, which for a generator is the same."""

# --- the ways to walk away, asynchronous -----------------------------------------------------------


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


class StuckError(Exception):
    """Says that a hung provider was let go of."""


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
    assert sorted(parents.count(_id(span)) for span in captured.spans("chat gpt-4o")) == [CHUNKS, CHUNKS]


def test_an_async_generator_may_be_closed_by_the_end_of_its_loop(checks: Checks, upstream: Upstream):
    kept: list[AsyncGenerator[Any]] = []

    async def main() -> None:
        stream = upstream.open("generator")
        await read(stream, 4)
        kept.append(stream)  # still alive when asyncio.run shuts asynchronous generators down

    asyncio.run(main())
    checks.ended("aborted", "client_disconnect", 3)


# --- the ways to walk away, synchronous ------------------------------------------------------------


def exhaust_sync(stream: Generator[Any]) -> None:
    assert len(list(stream)) == CHUNKS + 1


def stop_after_sync(stream: Generator[Any]) -> None:
    for event in stream:
        if event.choices and event.choices[0].delta.content == "t2":
            break


def close_sync(stream: Generator[Any]) -> None:
    for _ in range(4):
        next(stream)
    stream.close()


def drop_sync(stream: Generator[Any]) -> None:
    for _ in range(4):
        next(stream)


def raise_sync(stream: Generator[Any]) -> None:
    with contextlib.suppress(ConsumerError):
        for event in stream:
            if event.choices and event.choices[0].delta.content == "t2":
                raise ConsumerError


def drop_in_a_cycle_sync(stream: Generator[Any]) -> None:
    drop_sync(stream)
    cycle: dict[str, Any] = {"stream": stream}
    cycle["cycle"] = cycle


def move_across_threads(stream: Generator[Any]) -> None:
    def step() -> None:
        next(stream)
        assert otel_context.get_current() == {}

    for _ in range(CHUNKS + 1):
        thread = threading.Thread(target=step)
        thread.start()
        thread.join()
    with pytest.raises(StopIteration):
        next(stream)


SYNC_WALKS: list[tuple[Callable[[Generator[Any]], None], str, str | tuple[str, ...], int]] = [
    (exhaust_sync, "success", "", CHUNKS),
    (stop_after_sync, "aborted", GONE, 3),
    (close_sync, "aborted", "client_disconnect", 3),
    (drop_sync, "aborted", GONE, 3),
    (raise_sync, "aborted", GONE, 3),
    (drop_in_a_cycle_sync, "aborted", GONE, 3),
    (move_across_threads, "success", "", CHUNKS),
]


@every_way
@pytest.mark.parametrize(("walk", "status", "error_type", "content"), SYNC_WALKS)
def test_a_sync_stream_ends_however_it_is_left(
    checks: Checks,
    upstream: Upstream,
    way: Ways,
    walk: Callable[[Generator[Any]], None],
    status: str,
    error_type: str | tuple[str, ...],
    content: int,
):
    walk(upstream.open_sync(way))
    checks.clean()
    gc.collect()
    checks.clean()
    checks.ended(status, error_type, content)
    assert upstream.released == upstream.opened == 1


@every_way
def test_two_interleaved_sync_streams_keep_apart(checks: Checks, upstream: Upstream, way: Ways):
    for _ in zip(upstream.open_sync(way), upstream.open_sync(way), strict=False):
        checks.clean()
    gc.collect()
    checks.clean()


# --- what the provider does ------------------------------------------------------------------------


@every_way
@pytest.mark.parametrize("content", [0, 2])
def test_a_stream_that_breaks_is_an_upstream_error(captured: testing.Captured, chunk: Chunk, way: Ways, content: int):
    class Breaking(Upstream):
        async def events(self) -> AsyncGenerator[Any]:
            for number in range(content):
                yield self._chunk(f"t{number}")
            raise BrokenStreamError

    async def main() -> None:
        stream = Breaking(chunk, captured).open(way)
        await read(stream, content)
        with pytest.raises(BrokenStreamError):
            await stream.__anext__()

    asyncio.run(main())
    error_type = "stream_interrupted" if content else "connection"
    phase = "mid_stream" if content else "before_first_token"
    assert captured.value("llm_router.inference", status="error") == 1
    assert captured.value("llm_router.attempts", status="error", error_type=error_type) == 1
    assert captured.value("llm_router.errors", component="upstream", type=error_type) == 1
    assert captured.value("llm_router.errors", component="router", type=error_type) == 1
    assert captured.value("llm_router.stream.aborts", side="upstream", phase=phase) == 1
    assert captured.value("llm_router.stream.aborts") == 1
    assert captured.value("llm_router.tokens", type="output") == content


@every_way
def test_usage_at_the_end_of_a_stream_is_what_counts(captured: testing.Captured, chunk: Chunk, way: Ways):
    class Reporting(Upstream):
        def sync_events(self) -> Generator[Any]:
            yield self._chunk("a")
            yield self._chunk("b")
            yield self._chunk(finish="stop")
            yield self._chunk(usage=SimpleNamespace(prompt_tokens=9, completion_tokens=7))

    assert len(list(Reporting(chunk, captured).open_sync(way))) == 4
    tokens = {(p.labels["type"], p.labels["source"]): p.value for p in captured.points("llm_router.tokens")}
    assert tokens == {("input", "reported"): 9, ("output", "reported"): 7}
    assert captured.value("llm_router.tokens.generated") == 7
    assert captured.points("llm_router.usage.missing") == []
    (span,) = captured.spans("chat gpt-4o")
    attributes = dict(span.attributes or {})
    assert attributes["gen_ai.response.model"] == "gpt-4o-2024-08-06"
    assert attributes["gen_ai.response.finish_reasons"] == ("stop",)


def test_a_consumer_that_leaves_after_the_last_word_had_a_whole_answer(captured: testing.Captured, chunk: Chunk):
    def events() -> Generator[Any]:
        yield chunk("a")
        yield chunk(finish="stop")
        yield chunk(usage=SimpleNamespace(prompt_tokens=9, completion_tokens=7))

    with router.request(model="smart") as request:
        stream = request.stream(events(), model="gpt-4o", provider="openai")
    next(stream)
    next(stream)
    stream.close()
    assert captured.value("llm_router.inference", status="success") == 1
    assert captured.points("llm_router.stream.aborts") == []


def test_times_of_a_stream(captured: testing.Captured, chunk: Chunk, monkeypatch: pytest.MonkeyPatch):
    now = [0]
    monkeypatch.setattr("time.perf_counter_ns", lambda: now[0])

    def events() -> Generator[Any]:
        now[0] += 500_000_000
        yield chunk()  # a role is no content
        now[0] += 1_500_000_000
        yield chunk("a")
        now[0] += 1_000_000_000
        yield chunk("b")
        now[0] += 3_000_000_000
        yield chunk("c")
        yield chunk(usage=SimpleNamespace(prompt_tokens=1, completion_tokens=9))

    with router.request(model="smart", strategy="s") as request:
        stream = request.stream(events(), model="gpt-4o", provider="openai")
    list(stream)
    assert captured.value("llm_router.time_to_first_token", model="gpt-4o", strategy="s") == pytest.approx(2)
    assert captured.value("llm_router.time_per_output_token") == pytest.approx(4 / 8)  # nine tokens, eight intervals
    assert captured.value("gen_ai.client.operation.time_to_first_chunk") == pytest.approx(2)
    assert captured.value("gen_ai.client.operation.time_per_output_chunk") == pytest.approx(2)
    assert captured.value("llm_router.tokens_per_second") == pytest.approx(9 / 6)
    (span,) = captured.spans("chat gpt-4o")
    assert (span.attributes or {})["gen_ai.response.time_to_first_chunk"] == pytest.approx(2)


def test_an_anthropic_stream_begins_with_the_input_and_ends_with_the_output(
    captured: testing.Captured, monkeypatch: pytest.MonkeyPatch
):
    now = [0]
    monkeypatch.setattr("time.perf_counter_ns", lambda: now[0])

    def events() -> Generator[dict[str, Any]]:
        usage = {
            "input_tokens": 25,
            "cache_read_input_tokens": 100,
            "cache_creation_input_tokens": 0,
            "output_tokens": 1,
        }
        yield {"type": "message_start", "message": {"model": "claude-3", "usage": usage}}
        yield {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
        yield {"type": "ping"}
        now[0] += 1_000_000_000
        yield {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello"}}
        yield {"type": "content_block_stop", "index": 0}
        yield {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 15}}
        yield {"type": "message_stop"}

    with router.request(model="smart") as request:
        stream = request.stream(events(), model="claude", provider="anthropic")
    list(stream)
    tokens = {point.labels["type"]: point.value for point in captured.points("llm_router.tokens")}
    assert tokens == {"input": 125, "cache_read": 100, "output": 15}
    assert captured.value("llm_router.time_to_first_token") == pytest.approx(1)


def test_a_responses_stream_counts_what_is_completed(captured: testing.Captured, monkeypatch: pytest.MonkeyPatch):
    now = [0]
    monkeypatch.setattr("time.perf_counter_ns", lambda: now[0])

    def events() -> Generator[Any]:
        yield SimpleNamespace(type="response.created", response=SimpleNamespace(usage=None))
        now[0] += 1_000_000_000
        yield SimpleNamespace(type="response.output_text.delta", delta="Hi")
        usage = SimpleNamespace(input_tokens=4, output_tokens=2)
        yield SimpleNamespace(type="response.completed", response=SimpleNamespace(usage=usage))

    with router.request(model="smart") as request:
        stream = request.stream(events(), model="gpt-5", provider="openai")
    list(stream)
    assert captured.value("llm_router.tokens", type="input") == 4
    assert captured.value("llm_router.tokens", type="output") == 2
    assert captured.value("llm_router.time_to_first_token") == pytest.approx(1)


@pytest.mark.parametrize("items", [["a", "b"], [b"data: a\n\n"], [{"unknown": 1}]])
def test_chunks_of_an_unknown_shape_are_passed_on_and_not_taken_for_tokens(
    captured: testing.Captured, items: list[Any]
):
    with router.request(model="smart") as request:
        stream = request.stream((item for item in items), model="gpt-4o", provider="openai")
    assert list(stream) == items
    assert captured.value("llm_router.inference", status="success") == 1
    assert captured.points("llm_router.tokens") == []
    assert captured.value("llm_router.usage.missing", reason="absent") == 1
    assert captured.count("llm_router.time_to_first_token") == 1


@pytest.mark.parametrize(
    ("item", "content"),
    [
        ({"choices": [{"delta": {"content": "a"}}]}, True),
        ({"choices": [{"delta": {"tool_calls": [{"index": 0}]}}]}, True),
        ({"choices": [{"delta": {"reasoning_content": "hm"}}]}, True),
        ({"choices": [{"text": "a"}]}, True),
        ({"choices": [{"delta": {"role": "assistant", "content": ""}}]}, False),
        ({"choices": [{"text": ""}]}, False),
        ({"choices": []}, False),
        ({"message": {"content": "a"}, "done": False}, True),
        ({"message": {"content": ""}, "done": True, "eval_count": 3}, False),
        ({"response": "a", "done": True}, True),
        ({"type": "content_block_delta", "delta": {"text": "a"}}, True),
        ({"type": "message_delta", "usage": {"output_tokens": 3}}, False),
        ({"type": "response.reasoning_summary_text.delta", "delta": "hm"}, True),
        ({"type": "response.in_progress"}, False),
        ("", False),
        (b"", False),
        (None, False),
    ],
)
def test_the_first_token_is_the_first_chunk_with_content(captured: testing.Captured, item: object, *, content: bool):
    with router.request(model="smart") as request:
        stream = request.stream((chunk for chunk in [item]), model="m", provider="p")
    assert list(stream) == [item]
    assert captured.count("llm_router.time_to_first_token") == content
    (span,) = captured.spans("chat m")
    assert len(span.events) == content


def test_after_a_failed_deployment_the_stream_is_a_fallback(captured: testing.Captured, upstream: Upstream):
    with router.request(model="smart") as request:
        request.failed_attempt("eu-1", BrokenStreamError())
        stream = request.stream(upstream.sync_events(), model="gpt-4o", provider="openai")
    assert captured.points("llm_router.fallbacks") == []  # how it ends is not known yet
    list(stream)
    assert captured.value("llm_router.fallbacks", from_model="eu-1", to_model="gpt-4o", status="success") == 1
    assert captured.value("llm_router.attempts") == 2
    assert captured.value("llm_router.inference", status="success") == 1


def test_a_stream_out_of_the_cache_calls_no_deployment(captured: testing.Captured, chunk: Chunk):
    with router.request(model="smart") as request, router.cache("exact") as cache:
        stored = cache.hit([chunk("a"), chunk("b")])
        stream = request.stream(event for event in stored)
    assert len(list(stream)) == 2
    assert captured.points("llm_router.attempts") == []
    assert captured.value("llm_router.inference", cached="true", status="success") == 1
    assert captured.count("llm_router.time_to_first_token") == 1


# --- what is not a generator stays what it is ------------------------------------------------------


def test_a_stream_object_that_fails_to_close_says_so_and_ends(captured: testing.Captured, upstream: Upstream):
    class Unclosable(AsyncStream):
        async def close(self) -> None:
            raise ConsumerError

    class UnclosableSync(SyncStream):
        def close(self) -> None:
            raise ConsumerError

    async def main() -> None:
        with router.request(model="smart") as request:
            stream = request.stream(Unclosable(upstream.events()), model="gpt-4o", provider="openai")
        with pytest.raises(ConsumerError):
            await stream.close()
        with router.request(model="smart") as request:
            stream = request.stream(Unclosable(upstream.events()), model="gpt-4o", provider="openai")
        with pytest.raises(ConsumerError):
            await stream.__aexit__(None, None, None)

    asyncio.run(main())
    with router.request(model="smart") as request:
        sync_stream = request.stream(UnclosableSync(upstream.sync_events()), model="gpt-4o", provider="openai")
    with pytest.raises(ConsumerError):
        sync_stream.close()
    assert captured.value("llm_router.inference", status="aborted") == 3
    assert captured.value("llm_router.requests.in_flight") == 0


def test_a_stream_object_keeps_its_class_attributes_and_close(captured: testing.Captured, upstream: Upstream):
    async def main() -> None:
        original = AsyncStream(upstream.events())
        with router.request(model="smart") as request:
            stream = request.stream(original, model="gpt-4o", provider="openai")
        assert isinstance(stream, AsyncStream)
        assert stream.response is original.response
        assert not hasattr(stream, "aclose")
        assert not hasattr(stream, "send")
        async with stream as entered:
            assert entered is stream
            await read(entered, 3)
        assert original.closed

    asyncio.run(main())
    assert captured.value("llm_router.inference", status="aborted") == 1


def test_a_sync_stream_object_is_closed_as_it_was(captured: testing.Captured, upstream: Upstream):
    original = SyncStream(upstream.sync_events())
    with router.request(model="smart") as request:
        stream = request.stream(original, model="gpt-4o", provider="openai")
    assert not hasattr(stream, "aclose")
    with stream as entered:
        next(entered)
    assert original.closed
    assert captured.value("llm_router.inference", status="aborted") == 1


def test_a_stream_that_cannot_be_closed_does_not_pretend_to(captured: testing.Captured):
    class Bare:
        def __iter__(self) -> Iterator[str]:
            yield "a"

    with router.request(model="smart") as request:
        stream = request.stream(Bare(), model="gpt-4o", provider="openai")
    assert not hasattr(stream, "close")
    assert not hasattr(stream, "aclose")
    assert list(stream) == ["a"]
    assert captured.value("llm_router.inference", status="success") == 1


@pytest.mark.parametrize("reading", ["for", "async for"])
def test_a_stream_of_both_kinds_can_be_read_either_way(captured: testing.Captured, reading: str):
    class Both:
        """As LiteLLM's stream wrapper is."""

        def __init__(self) -> None:
            self._items = iter(["a", "b"])

        def __iter__(self) -> Self:
            return self

        def __next__(self) -> str:
            return next(self._items)

        def __aiter__(self) -> Self:
            return self

        async def __anext__(self) -> str:
            try:
                return next(self._items)
            except StopIteration:
                raise StopAsyncIteration from None

    with router.request(model="smart") as request:
        stream = request.stream(Both(), model="gpt-4o", provider="openai")

    async def main() -> list[str]:
        return [item async for item in stream]

    assert (list(stream) if reading == "for" else asyncio.run(main())) == ["a", "b"]
    assert captured.value("llm_router.inference", status="success") == 1
    assert captured.count("llm_router.time_to_first_token") == 1


def test_a_dropped_stream_ends_at_once_though_the_application_keeps_the_request(
    captured: testing.Captured, upstream: Upstream
):
    """Without waiting for the garbage collector: nothing but the application's own names holds a stream."""
    gc.disable()
    try:
        with router.request(model="smart") as request, request.attempt("openai", "gpt-4o") as attempt:
            stream = request.stream(SyncStream(upstream.sync_events()))
        next(stream)
        next(stream)
        del stream
        assert captured.value("llm_router.inference", status="aborted") == 1
        assert captured.value("llm_router.attempts", status="aborted", error_type="stream_abandoned") == 1
        assert captured.value("llm_router.tokens.generated") == 1
        assert attempt.ended
    finally:
        gc.enable()


def test_what_a_stream_enters_is_what_the_application_gets(captured: testing.Captured):
    class Manager:
        """As Anthropic's: entering it gives the stream, which is another object."""

        def __iter__(self) -> Iterator[str]:
            yield "a"

        def __enter__(self) -> list[str]:
            return ["entered"]

        def __exit__(self, *exc: object) -> None: ...

    with router.request(model="smart") as request:
        stream = request.stream(Manager(), model="gpt-4o", provider="openai")
    with stream as entered:
        assert entered == ["entered"]
    assert captured.value("llm_router.inference") == 1


@pytest.mark.parametrize(
    "given",
    [{"model": "gpt-4o", "usage": {"prompt_tokens": 3, "completion_tokens": 2}}, [1, 2], "text", b"bytes", None],
)
def test_an_answer_that_is_no_stream_comes_back_itself_and_ends_the_request(captured: testing.Captured, given: object):
    with router.request(model="smart") as request:
        returned = request.stream(given, model="gpt-4o", provider="openai")

    assert returned is given
    if not isinstance(given, bytes):
        json.dumps(returned)
    assert captured.value("llm_router.inference", status="success") == 1
    assert captured.count("llm_router.time_to_first_token") == 0
    assert captured.value("llm_router.tokens") == (5 if isinstance(given, dict) else 0)
    (span,) = captured.spans("chat gpt-4o")
    assert "gen_ai.request.stream" not in (span.attributes or {})


def test_an_answer_that_iterates_over_its_fields_is_no_stream(captured: testing.Captured, answer: Chunk):
    class Model:
        """Stands for pydantic's BaseModel, which every SDK's answers are."""

        def __iter__(self) -> Iterator[tuple[str, Any]]:
            yield from vars(self).items()

    Model.__module__ = "pydantic.main"

    class Answer(Model):
        def __init__(self) -> None:
            self.model = "gpt-4o-2024"
            self.usage = answer(3, 2).usage

    given = Answer()
    with router.request(model="smart") as request:
        assert request.stream(given, model="gpt-4o", provider="openai") is given

    assert captured.value("llm_router.inference", status="success") == 1
    assert captured.value("llm_router.tokens") == 5
    (span,) = captured.spans("chat gpt-4o")
    assert (span.attributes or {})["gen_ai.response.model"] == "gpt-4o-2024"


# --- what instrumentations make of it --------------------------------------------------------------


class Carrier:
    """A stream object of a library, whose class an instrumentation has patched."""

    def __iter__(self) -> Iterator[str]:
        yield "a"


def test_a_stream_that_is_measured_already_is_adopted_and_not_measured_twice(captured: testing.Captured):
    with router.request(model="smart") as request:
        attempt = request.attempt("openai", "gpt-4o")
        stream = Carrier()
        probe = StreamProbe(attempt=attempt)
        assert carry(stream, probe)
        assert probe_of(stream) is probe
        assert request.stream(stream, model="ignored") is stream
    assert captured.value("llm_router.requests.in_flight") == 1
    probe.chunk("a")
    probe.finish()
    assert probe_of(stream) is None
    assert captured.value("llm_router.inference", model="gpt-4o", status="success") == 1
    assert captured.value("llm_router.attempts") == 1
    assert captured.count("llm_router.time_to_first_token") == 1


def test_a_measured_stream_that_is_dropped_is_abandoned_though_its_attempt_is_not(captured: testing.Captured):
    with router.request(model="smart") as request:
        attempt = request.attempt("openai", "gpt-4o")
        stream = Carrier()
        carry(stream, StreamProbe(request=request, attempt=attempt))
        request.stream(stream)
    copied = copy.deepcopy(stream)
    del stream
    assert not attempt.ended
    del copied
    assert attempt.ended
    assert captured.value("llm_router.attempts", status="aborted", error_type="stream_abandoned") == 1
    assert captured.value("llm_router.inference", status="aborted") == 1


def test_a_stream_that_cannot_carry_a_probe_says_so():
    assert not carry(object(), StreamProbe())
    assert probe_of(object()) is None
    assert probe_of(SimpleNamespace(_otel_llm_router_probe="somebody else's")) is None


# --- finalisers inside the garbage collector -------------------------------------------------------


def _in_time(work: Callable[[], None]) -> None:
    """Run ``work`` in a thread of its own, so that a deadlock fails the test instead of hanging it."""
    failures: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            failures.append(error)
            raise

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(20)
    assert not thread.is_alive(), "deadlock"
    assert failures == []


class Sdk:
    """An SDK with one lock for everything, in which the garbage collector strikes once, when it is armed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._lock = threading.Lock()
        self._garbage: list[dict[str, Any]] = []
        self.collections = 0
        for owner, name in (
            (aggregation._SumAggregation, "aggregate"),
            (aggregation._ExplicitBucketHistogramAggregation, "aggregate"),
            (SimpleSpanProcessor, "on_end"),
            (SimpleLogRecordProcessor, "on_emit"),
        ):
            self._lock_up(monkeypatch, owner, name)

    def _lock_up(self, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str) -> None:
        original = getattr(owner, name)

        def locked(*args: Any, **kwargs: Any) -> Any:
            with self._lock:
                if self._garbage:
                    self._garbage.clear()
                    self.collections += 1
                    gc.collect()
                return original(*args, **kwargs)

        monkeypatch.setattr(owner, name, locked)

    def collect_inside(self, dropped: object) -> None:
        """Let ``dropped`` be garbage that the collector finds while the lock is held."""
        cycle: dict[str, Any] = {"dropped": dropped}
        cycle["cycle"] = cycle
        self._garbage.append(cycle)


@pytest.fixture
def sdk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sdk]:
    gc.disable()
    yield Sdk(monkeypatch)
    gc.enable()


@every_way
def test_a_stream_collected_while_the_sdk_holds_its_lock_does_not_deadlock_and_is_not_lost(
    captured: testing.Captured, checks: Checks, upstream: Upstream, way: Ways, sdk: Sdk
):
    """The collector runs wherever memory is allocated: also between an SDK lock's two ends."""

    def work() -> None:
        stream = upstream.open_sync(way)
        drop_sync(stream)
        sdk.collect_inside(stream)
        del stream
        with router.request(model="other"), router.attempt("openai", "other"):
            pass
        assert sdk.collections == 1
        assert upstream.released == 1

    _in_time(work)
    assert captured.value("llm_router.inference", model="other", status="success") == 1
    assert captured.value("llm_router.inference", model="gpt-4o", status="aborted") == 1
    assert captured.value("llm_router.attempts", model="gpt-4o", status="aborted") == 1
    assert captured.value("llm_router.tokens.generated", model="gpt-4o") == 3
    assert captured.value("llm_router.requests.in_flight") == 0
    assert captured.value("llm_router.attempts.in_flight") == 0
    assert len(captured.spans("route smart")) == len(captured.spans("chat gpt-4o")) == 1
    assert len(captured.events("llm_router.inference.aborted")) == 1
    checks.clean()


def test_everything_that_a_collected_generator_does_is_deferred(captured: testing.Captured, sdk: Sdk):
    """Its own blocks end inside the collector too, with whatever the application does there."""
    left, lasted = router.counter("app.left", labels=["how"]), router.histogram("app.lasted")

    def careless() -> Generator[int]:
        try:
            with (
                router.request(model="careless") as request,
                router.connection("sse"),
                router.cache("exact"),
                router.decision(["a"]),
                router.queue("slots").wait(threading.Lock()),
                router.attempt("openai", "gpt-4o"),
            ):
                request.fallback("a", "b").end("error")
                yield 1
        finally:
            router.error("left", severity="warning")
            left.add(how="collected")
            lasted.record(1)
            with router.request(model="last words"):
                pass

    def work() -> None:
        stream = careless()
        contextvars.copy_context().run(next, stream)
        sdk.collect_inside(stream)
        del stream
        left.add(how="seen")
        assert sdk.collections == 1
        router.error("next")

    left.add(how="seen")
    lasted.record(1)
    router.error("left", severity="warning")
    _in_time(work)
    assert captured.value("llm_router.errors", type="left") == 2
    assert captured.value("app.left", how="collected") == 1
    assert captured.value("app.left", how="seen") == 2
    assert captured.count("app.lasted") == 2
    assert captured.value("llm_router.active_connections") == 0
    assert captured.count("llm_router.connection.duration") == 1
    assert captured.count("llm_router.queue.processing") == 1
    assert captured.value("llm_router.decisions", reason="none_available") == 1
    assert captured.value("llm_router.attempts", status="aborted", error_type="client_disconnect") == 1
    assert captured.value("llm_router.inference", model="careless", status="aborted") == 1
    assert captured.value("llm_router.inference", model="last words", status="success") == 1
    assert captured.value("llm_router.requests.in_flight") == 0
    assert captured.value("llm_router.attempts.in_flight") == 0
    assert [span.name for span in captured.spans()].count("chat gpt-4o") == 1


def test_what_was_deferred_is_done_when_metrics_are_collected(captured: testing.Captured, upstream: Upstream):
    """An idle router has no further request that would do it."""
    router.observe_queue("slots", depth=lambda: 0)
    stream = upstream.open_sync("generator")
    next(stream)
    cycle: dict[str, Any] = {"stream": stream}
    cycle["cycle"] = cycle
    del stream, cycle
    gc.collect()
    data = captured._reader.get_metrics_data()
    assert data is not None
    names = {m.name for r in data.resource_metrics for s in r.scope_metrics for m in s.metrics}
    assert "llm_router.inference" in names
