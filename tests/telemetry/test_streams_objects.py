"""What is no generator stays what it is: stream objects, and answers that are no stream."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import Iterator
from typing import Any

import pytest
from typing_extensions import Self

from otel_llm_router import telemetry as router
from otel_llm_router import testing
from tests.telemetry.application_errors import ConsumerError
from tests.telemetry.streaming import AsyncStream, Chunk, SyncStream, Upstream, read


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
