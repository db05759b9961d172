"""Streams: first token, usage and where it comes from, breaks, abandonment, unchanged types."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from typing import Any

import pytest
from opentelemetry import context as otel_context

from otel_llm_router import telemetry, testing

SLOW = {"completion_tokens": 200, "chunk_latency": 0.01}


async def test_a_stream_with_usage(
    eventually: Any, make_router: Any, ask: Any, captured: testing.Captured, providers: Any
) -> None:
    router = make_router()
    messages = ask(alpha=[{"prompt_tokens": 20, "completion_tokens": 9, "cached_tokens": 8, "reasoning_tokens": 3}])
    stream = await router.acompletion("smart", messages, stream=True, stream_options={"include_usage": True})
    text = ""
    async for chunk in stream:
        if chunk.choices:
            text += chunk.choices[0].delta.content or ""
    assert len(text.split()) == 9
    record = providers["alpha"].record
    for kind in ("input", "output", "cache_read", "reasoning"):
        assert captured.value("llm_router.tokens", type=kind, source="reported") == record[f"tokens.{kind}"]
    assert captured.value("llm_router.tokens.generated") == 9
    assert captured.value("llm_router.usage.missing") == 0
    assert captured.count("llm_router.time_to_first_token", model="gpt-4o-mini", strategy="simple-shuffle") == 1
    assert captured.count("llm_router.time_per_output_token", model="gpt-4o-mini") == 1
    assert captured.value("llm_router.inference", status="success") == 1
    (attempt,) = captured.spans("chat gpt-4o-mini")
    assert attempt.attributes is not None
    assert attempt.attributes["gen_ai.request.stream"] is True
    assert attempt.attributes["llm_router.usage.source"] == "reported"
    assert attempt.attributes["gen_ai.response.time_to_first_chunk"] > 0  # pyright: ignore[reportOperatorIssue]
    assert await eventually(lambda: captured.value("llm_router.cost.usd", source="reported") > 0)


async def test_a_stream_without_usage_is_said_to_be(
    make_router: Any, ask: Any, captured: testing.Captured, providers: Any
) -> None:
    router = make_router()
    stream = await router.acompletion("smart", ask(alpha=[{"completion_tokens": 6}]), stream=True)
    async for _ in stream:
        pass
    assert providers["alpha"].record["usage_missing"] == 1
    assert captured.value("llm_router.usage.missing", reason="absent") == 1
    assert captured.value("llm_router.tokens", source="reported") == 0
    assert captured.value("llm_router.tokens", type="output", source="estimated") > 0
    assert captured.value("llm_router.cost.usd", source="reported") == 0


async def test_the_stream_keeps_its_type(make_router: Any, ask: Any, captured: testing.Captured) -> None:
    handler: Any = pytest.importorskip("litellm.litellm_core_utils.streaming_handler")
    router = make_router()
    stream = await router.acompletion("smart", ask(alpha=[{}]), stream=True)
    assert type(stream).__name__ == "FallbackStreamWrapper"
    assert isinstance(stream, handler.CustomStreamWrapper)
    assert stream.__aiter__() is stream
    assert {type(chunk).__name__ async for chunk in stream} == {"ModelResponseStream"}
    with pytest.raises(StopAsyncIteration):
        await stream.__anext__()
    assert captured.value("llm_router.inference") == 1


async def test_a_stream_that_breaks_off(make_router: Any, ask: Any, captured: testing.Captured, providers: Any) -> None:
    litellm = pytest.importorskip("litellm")
    router = make_router(num_retries=0)
    stream = await router.acompletion("smart", ask(alpha=[{"completion_tokens": 9, "cut_after": 4}]), stream=True)
    broke = False
    try:
        async for _ in stream:
            pass
    except litellm.APIConnectionError:
        broke = True
    assert providers["alpha"].record["errors.cut"] == 1
    if not broke:  # LiteLLM 1.80 makes a complete answer of it, and the client sees no failure
        assert captured.value("llm_router.inference", status="success") == 1
        return
    assert captured.value("llm_router.inference", status="error") == 1
    assert captured.value("llm_router.attempts", status="error", error_type="stream_interrupted") == 1
    assert captured.value("llm_router.stream.aborts", side="upstream", phase="mid_stream") == 1
    assert captured.value("llm_router.tokens.wasted", reason="attempt_failed") == 4


async def test_a_stream_that_fails_before_its_first_chunk_falls_back(
    make_router: Any, ask: Any, captured: testing.Captured, providers: Any
) -> None:
    router = make_router(fallbacks=[{"smart": ["backup"]}], num_retries=0)
    messages = ask(alpha=[{"status": 503}], beta=[{"completion_tokens": 5}])
    stream = await router.acompletion("smart", messages, stream=True, stream_options={"include_usage": True})
    chunks = [chunk async for chunk in stream]
    assert chunks
    assert captured.value("llm_router.inference", model="gpt-4o", status="success") == 1
    assert captured.value("llm_router.attempts") == 2
    assert captured.value("llm_router.tokens", type="output") == providers["beta"].record["tokens.output"] == 5


async def test_an_abandoned_stream_is_aborted_with_the_tokens_so_far(
    eventually: Any, make_router: Any, ask: Any, captured: testing.Captured, providers: Any
) -> None:
    router = make_router()
    stream = await router.acompletion("smart", ask(alpha=[SLOW]), stream=True)
    seen = 0
    async for _ in stream:
        seen += 1
        if seen == 5:
            break
    closes = hasattr(stream, "aclose")  # which LiteLLM 1.80's stream has not: it never closes its upstream
    if closes:
        await stream.aclose()
    del stream
    gc.collect()
    assert await eventually(lambda: captured.value("llm_router.inference", status="aborted") == 1)
    assert captured.value("llm_router.attempts", status="aborted") == 1
    assert captured.value("llm_router.tokens.wasted", reason="aborted") == 5
    assert captured.value("llm_router.tokens.generated") == 5
    assert captured.value("llm_router.stream.aborts", side="client", phase="mid_stream") == 1
    assert captured.value("llm_router.requests.in_flight") == 0
    assert captured.value("llm_router.errors") == 0
    if closes:
        assert await eventually(lambda: providers["alpha"].record["aborts"] == 1)


async def test_a_dropped_stream_ends_too(
    eventually: Any, make_router: Any, ask: Any, captured: testing.Captured
) -> None:
    router = make_router()
    stream = await router.acompletion("smart", ask(alpha=[SLOW]), stream=True)
    await stream.__anext__()
    del stream
    gc.collect()
    assert await eventually(lambda: captured.value("llm_router.inference", status="aborted") == 1)
    assert captured.value("llm_router.attempts", status="aborted") == 1


async def test_a_cancelled_consumer(eventually: Any, make_router: Any, ask: Any, captured: testing.Captured) -> None:
    router = make_router()

    started: list[Any] = []

    async def consume() -> None:
        async for chunk in await router.acompletion("smart", ask(alpha=[SLOW]), stream=True):
            started.append(chunk)  # noqa: PERF401  # it is looked at while it grows

    task = asyncio.create_task(consume())
    assert await eventually(lambda: len(started) > 3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    gc.collect()
    assert await eventually(lambda: captured.value("llm_router.inference", status="aborted") == 1)
    assert captured.value("llm_router.attempts", status="aborted") == 1


async def test_reading_to_the_finish_reason_is_a_success(
    eventually: Any, make_router: Any, ask: Any, captured: testing.Captured
) -> None:
    router = make_router()
    stream = await router.acompletion("smart", ask(alpha=[{"completion_tokens": 4}]), stream=True)
    async for chunk in stream:
        if chunk.choices and chunk.choices[0].finish_reason:
            break
    if hasattr(stream, "aclose"):
        await stream.aclose()
    del stream
    gc.collect()
    assert await eventually(lambda: captured.value("llm_router.inference", status="success") == 1)
    assert captured.value("llm_router.attempts", status="success") == 1


async def test_the_consumer_never_inherits_our_context(make_router: Any, ask: Any, captured: testing.Captured) -> None:
    router = make_router()
    before = otel_context.get_current()
    stream = await router.acompletion("smart", ask(alpha=[SLOW]), stream=True)
    assert otel_context.get_current() is before
    async for _ in stream:
        assert otel_context.get_current() is before
        assert telemetry.current() is None
        break
    assert otel_context.get_current() is before


@pytest.mark.parametrize("cut", [None, 4])
async def test_the_consumer_gets_its_own_context_back_after_the_end_and_after_a_break(
    make_router: Any, ask: Any, captured: testing.Captured, cut: int | None
) -> None:
    litellm = pytest.importorskip("litellm")
    router = make_router(num_retries=0)
    answer = {"completion_tokens": 9} if cut is None else {"completion_tokens": 9, "cut_after": cut}
    with captured.tracer_provider.get_tracer("application").start_as_current_span("consumer"):
        before = otel_context.get_current()
        stream = await router.acompletion("smart", ask(alpha=[answer]), stream=True)
        with contextlib.suppress(litellm.APIConnectionError):
            async for _ in stream:
                assert otel_context.get_current() is before
        assert otel_context.get_current() is before
    assert captured.value("llm_router.inference") == 1


async def test_many_streams_at_once(make_router: Any, ask: Any, captured: testing.Captured, providers: Any) -> None:
    router = make_router()

    async def consume(number: int) -> None:
        messages = ask(alpha=[{"completion_tokens": 3 + number % 7, "chunk_latency": 0.001}])
        options: dict[str, Any] = {"stream_options": {"include_usage": True}} if number % 2 else {}
        async for _ in await router.acompletion("smart", messages, stream=True, **options):
            pass

    await asyncio.gather(*(consume(number) for number in range(40)))
    record = providers["alpha"].record
    assert captured.value("llm_router.inference", status="success") == 40
    assert captured.value("llm_router.attempts", status="success") == record["attempts"] == 40
    assert captured.value("llm_router.tokens", type="output", source="reported") == record["tokens.output"]
    assert captured.value("llm_router.usage.missing") == record["usage_missing"] == 20


def test_a_synchronous_stream(make_router: Any, ask: Any, captured: testing.Captured, providers: Any) -> None:
    router = make_router()
    messages = ask(alpha=[{"completion_tokens": 8}])
    stream = router.completion("smart", messages, stream=True, stream_options={"include_usage": True})
    assert list(stream)
    assert captured.value("llm_router.inference", status="success") == 1
    assert captured.value("llm_router.tokens", type="output", source="reported") == 8
    assert captured.count("llm_router.time_to_first_token") == 1


async def test_a_stream_of_the_applications_request_ends_it(
    make_router: Any, ask: Any, captured: testing.Captured
) -> None:
    router = make_router()

    @telemetry.route(strategy="house rule", model="mine")
    async def handle() -> Any:
        request = telemetry.current()
        assert request is not None
        return request.stream(await router.acompletion("smart", ask(alpha=[{"completion_tokens": 5}]), stream=True))

    stream = await handle()
    assert captured.value("llm_router.inference") == 0
    async for _ in stream:
        pass
    assert captured.value("llm_router.inference", strategy="house rule", status="success") == 1
    assert captured.value("llm_router.inference") == 1
    assert captured.value("llm_router.attempts") == 1
    assert captured.count("llm_router.time_to_first_token", strategy="house rule") == 1
