"""What the chunks of a stream say: the first token, the time between tokens, and usage, in every provider's shape."""

from __future__ import annotations

from collections.abc import Generator
from types import SimpleNamespace
from typing import Any

import pytest

from otel_llm_router import telemetry as router
from otel_llm_router import testing
from tests.telemetry.streaming import Chunk, Upstream, Ways, every_way


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
