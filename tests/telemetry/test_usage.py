"""Token counts in every provider's shape, and what is done with counts that cannot be any."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from otel_llm_router import telemetry as router
from otel_llm_router import testing
from otel_llm_router.telemetry import _usage

Tokens = dict[str, int]


def _object(value: Any) -> Any:
    """The same answer as an SDK gives it: objects with attributes."""
    if isinstance(value, Mapping):
        fields: dict[str, Any] = {str(key): _object(inner) for key, inner in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        return SimpleNamespace(**fields)
    return value


ANSWERS: dict[str, tuple[dict[str, Any], Tokens]] = {
    "openai chat": (
        {
            "object": "chat.completion",
            "choices": [{"message": {"content": "hi"}}],
            "usage": {
                "prompt_tokens": 100,
                "completion_tokens": 50,
                "total_tokens": 150,
                "prompt_tokens_details": {"cached_tokens": 40, "audio_tokens": 0},
                "completion_tokens_details": {"reasoning_tokens": 20, "accepted_prediction_tokens": 0},
            },
        },
        {"input": 100, "output": 50, "cache_read": 40, "reasoning": 20},
    ),
    "openai responses": (
        {
            "object": "response",
            "usage": {
                "input_tokens": 100,
                "input_tokens_details": {"cached_tokens": 40},
                "output_tokens": 50,
                "output_tokens_details": {"reasoning_tokens": 20},
            },
        },
        {"input": 100, "output": 50, "cache_read": 40, "reasoning": 20},
    ),
    "openai responses event": (
        {"type": "response.completed", "response": {"usage": {"input_tokens": 7, "output_tokens": 3}}},
        {"input": 7, "output": 3},
    ),
    "anthropic, cached input beside input": (
        {
            "type": "message",
            "usage": {
                "input_tokens": 10,
                "cache_creation_input_tokens": 30,
                "cache_read_input_tokens": 60,
                "output_tokens": 5,
            },
        },
        {"input": 100, "cache_write": 30, "cache_read": 60, "output": 5},
    ),
    "anthropic, cache written and none read": (
        {"usage": {"input_tokens": 10, "cache_creation_input_tokens": 30, "output_tokens": 5}},
        {"input": 40, "cache_write": 30, "output": 5},
    ),
    "anthropic message_start": (
        {"type": "message_start", "message": {"usage": {"input_tokens": 25, "output_tokens": 1}}},
        {"input": 25, "output": 1},
    ),
    "litellm, cached input inside input": (
        {"usage": {"prompt_tokens": 100, "completion_tokens": 5, "cache_read_input_tokens": 60}},
        {"input": 100, "output": 5, "cache_read": 60},
    ),
    "gemini SDK": (
        {"usage_metadata": {"prompt_token_count": 9, "candidates_token_count": 4, "cached_content_token_count": 2}},
        {"input": 9, "output": 4, "cache_read": 2},
    ),
    "gemini wire, thoughts beside candidates": (
        {
            "usageMetadata": {
                "promptTokenCount": 55021,
                "candidatesTokenCount": 923,
                "totalTokenCount": 56729,
                "thoughtsTokenCount": 785,
            }
        },
        {"input": 55021, "output": 1708, "reasoning": 785},
    ),
    "gemini, thoughts inside candidates": (
        {
            "usageMetadata": {
                "promptTokenCount": 10,
                "candidatesTokenCount": 90,
                "totalTokenCount": 100,
                "thoughtsTokenCount": 80,
            }
        },
        {"input": 10, "output": 90, "reasoning": 80},
    ),
    "gemini, thoughts and no candidates": (
        {"usageMetadata": {"promptTokenCount": 10, "thoughtsTokenCount": 80, "totalTokenCount": 90}},
        {"input": 10, "output": 80, "reasoning": 80},
    ),
    "ollama chat": (
        {"model": "phi", "done": True, "prompt_eval_count": 26, "eval_count": 298, "eval_duration": 5},
        {"input": 26, "output": 298},
    ),
    "ollama, prompt cached": ({"model": "phi", "response": "hi", "done": True, "eval_count": 298}, {"output": 298}),
    "embeddings": ({"usage": {"prompt_tokens": 8, "total_tokens": 8}}, {"input": 8}),
    "zero": ({"usage": {"prompt_tokens": 8, "completion_tokens": 0}}, {"input": 8}),
    "whole floats": ({"usage": {"prompt_tokens": 8.0, "completion_tokens": 2.0}}, {"input": 8, "output": 2}),
}


@pytest.mark.parametrize("form", ["mapping", "object"])
@pytest.mark.parametrize("shape", list(ANSWERS))
def test_each_shape_is_read(captured: testing.Captured, shape: str, form: str):
    answer, expected = ANSWERS[shape]
    with router.request(), router.attempt("provider", "model") as call:
        call.response(answer if form == "mapping" else _object(answer))

    tokens = {point.labels["type"]: point.value for point in captured.points("llm_router.tokens", source="reported")}
    assert tokens == expected
    assert captured.points("llm_router.usage.missing") == []


@pytest.mark.parametrize(
    "answer",
    [
        None,
        "text",
        5,
        {},
        {"usage": None},
        {"usage": {}},
        {"usage": "none of your business"},
        {"usage": [1, 2]},
        {"usage": {"prompt_tokens": None, "completion_tokens": None}},
        {"usage_metadata": {}},
        {"response": "text", "message": "text"},
    ],
)
def test_an_answer_without_counts_is_missing_them(captured: testing.Captured, answer: Any):
    with router.request(), router.attempt("provider", "model") as call:
        assert call.response(answer) is answer

    assert captured.points("llm_router.tokens") == []
    assert captured.value("llm_router.usage.missing", reason="absent") == 1
    assert captured.value("llm_router.usage.missing") == 1


@pytest.mark.parametrize("nonsense", [-1, "12", 2**70, 10**400, 0.5, float("nan"), float("inf"), True, b"1", [], {}])
def test_a_count_that_cannot_be_one_is_left_out_and_its_neighbours_are_kept(
    captured: testing.Captured, caplog: pytest.LogCaptureFixture, nonsense: object
):
    usage = {
        "prompt_tokens": nonsense,
        "completion_tokens": 5,
        "prompt_tokens_details": {"cached_tokens": 3},
        "completion_tokens_details": {"reasoning_tokens": nonsense},
    }
    with router.request(), router.attempt("provider", "model") as call:
        call.response({"usage": usage})

    tokens = {point.labels["type"]: point.value for point in captured.points("llm_router.tokens")}
    assert tokens == {"output": 5, "cache_read": 3}
    assert captured.value("llm_router.usage.missing", provider="provider", model="model", reason="invalid") == 1
    assert captured.value("llm_router.usage.missing") == 1
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == 2
    assert "prompt_tokens " in messages[0]
    assert "completion_tokens_details.reasoning_tokens " in messages[1]
    assert all("provider provider" in message and "llm_router.usage.missing" in message for message in messages)


def test_nonsense_is_said_once_for_each_provider_and_field(
    captured: testing.Captured, caplog: pytest.LogCaptureFixture
):
    for provider in ("a", "a", "b"):
        for field in ("prompt_tokens", "prompt_tokens", "completion_tokens"):
            with router.request(), router.attempt(provider, "model") as call:
                call.response({"usage": {field: -1}})

    warned = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warned) == 4
    assert captured.value("llm_router.usage.missing", reason="invalid") == 9


def test_a_flood_of_providers_does_not_flood_the_log(captured: testing.Captured, caplog: pytest.LogCaptureFixture):
    for number in range(1500):
        router.default.warn_invalid_usage(f"provider-{number}", ["prompt_tokens"])
    assert len(caplog.records) == 1000


def test_the_payload_is_not_in_the_log(captured: testing.Captured, caplog: pytest.LogCaptureFixture):
    with router.request(), router.attempt("provider", "model") as call:
        call.response({"usage": {"prompt_tokens": "sk-secret\nforged line"}})
    assert caplog.records
    assert "secret" not in caplog.text


def test_a_cached_answer_counts_the_tokens_it_gives(captured: testing.Captured, answer: Callable[..., Any]):
    with router.request(model="smart"), router.cache("exact") as cache:
        cache.hit(answer(10, 5))

    assert captured.value("llm_router.tokens.generated", model="gpt-4o-2024-08-06") == 5
    assert captured.points("llm_router.tokens") == []
    assert captured.points("llm_router.tokens_per_second") == []


def test_a_later_report_completes_an_earlier_one():
    earlier = _usage.read({"input_tokens": 25, "output_tokens": 1, "cache_read_input_tokens": -1})
    later = _usage.read({"output_tokens": 15})
    later.fill(earlier)
    assert (later.input, later.output, later.source) == (25, 15, "reported")
    assert later.invalid == ("cache_read_input_tokens",)


def test_an_estimate_is_an_estimate(captured: testing.Captured):
    with router.request(), router.attempt("provider", "model") as call:
        call.read_usage({"input_tokens": 3, "output_tokens": 2}, "estimated")

    assert {point.labels["source"] for point in captured.points("llm_router.tokens")} == {"estimated"}
    (span,) = captured.spans("chat model")
    assert (span.attributes or {})["llm_router.usage.source"] == "estimated"
