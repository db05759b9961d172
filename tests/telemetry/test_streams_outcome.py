"""What a stream makes of its request: broken, whole, a fallback, or out of the cache."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator
from types import SimpleNamespace
from typing import Any

import pytest

from otel_llm_router import telemetry as router
from otel_llm_router import testing
from tests.telemetry.application_errors import BrokenStreamError
from tests.telemetry.streaming import Chunk, Upstream, Ways, every_way, read


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
