"""Metrics of the GenAI conventions: under the old names, the new ones, both, or none."""

from __future__ import annotations

from collections.abc import Callable, Generator
from types import SimpleNamespace
from typing import Any

import pytest

from otel_llm_router import telemetry as router
from otel_llm_router import testing
from otel_llm_router.telemetry._genai import Names

# facts/otel-python.md 1.2: (old, new); token usage has no single successor.
RENAMED = {
    "gen_ai.client.operation.duration": "gen_ai.client.inference.duration",
    "gen_ai.client.operation.time_to_first_chunk": "gen_ai.client.inference.time_to_first_chunk",
    "gen_ai.client.operation.time_per_output_chunk": "gen_ai.client.inference.time_per_output_chunk",
}
OLD = {*RENAMED, "gen_ai.client.token.usage"}
NEW = {
    *RENAMED.values(),
    "gen_ai.client.inference.usage.input_tokens",
    "gen_ai.client.inference.usage.output_tokens",
    "gen_ai.client.inference.usage.cache_read.input_tokens",
    "gen_ai.client.inference.usage.cache_write.input_tokens",
    "gen_ai.client.inference.usage.reasoning.output_tokens",
}
EXPECTED: dict[Names, set[str]] = {"old": OLD, "new": NEW, "both": OLD | NEW, "none": set()}


class ProviderError(Exception):
    """A provider that says no."""

    status_code = 503


def _stream(chunk: Callable[..., Any]) -> Generator[Any]:
    usage = SimpleNamespace(
        prompt_tokens=10,
        completion_tokens=5,
        prompt_tokens_details=SimpleNamespace(cached_tokens=4),
        cache_creation_input_tokens=2,
        completion_tokens_details=SimpleNamespace(reasoning_tokens=3),
    )
    yield chunk("a")
    yield chunk("b")
    yield chunk(usage=usage)


@pytest.mark.parametrize("names", EXPECTED)
def test_the_option_chooses_the_names(names: Names, chunk: Callable[..., Any]):
    with testing.capture(genai_metrics=names) as captured:
        with router.request() as request:
            stream = request.stream(_stream(chunk), model="gpt-4o", provider="openai")
        list(stream)
        recorded = {name for name in captured.metric_names() if name.startswith("gen_ai.")}
        assert recorded == EXPECTED[names]
        assert captured.value("llm_router.tokens", type="output") == 5  # ours do not depend on it


def test_old_metrics_carry_what_the_convention_says(chunk: Callable[..., Any]):
    common = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "aws.bedrock",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.response.model": "gpt-4o-2024-08-06",
    }
    with testing.capture(genai_metrics="old") as captured:
        with router.request() as request:
            stream = request.stream(_stream(chunk), model="gpt-4o", provider="bedrock")
        list(stream)
        for name in RENAMED:
            assert [point.labels for point in captured.points(name)] == [common]
        usage = {p.labels["gen_ai.token.type"]: p for p in captured.points("gen_ai.client.token.usage")}
        assert {kind: (point.value, point.count) for kind, point in usage.items()} == {
            "input": (10, 1),
            "output": (5, 1),
        }
        assert usage["input"].labels == {**common, "gen_ai.token.type": "input"}


def test_new_metrics_carry_what_the_convention_says(chunk: Callable[..., Any]):
    common = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.response.model": "gpt-4o-2024-08-06",
    }
    with testing.capture(genai_metrics="new") as captured:
        with router.request() as request:
            stream = request.stream(_stream(chunk), model="gpt-4o", provider="openai")
        list(stream)
        for name in RENAMED.values():
            assert [point.labels for point in captured.points(name)] == [common]
        usage = {name: captured.points(name) for name in NEW if ".usage." in name}
        for points in usage.values():
            assert [point.labels for point in points] == [{**common, "gen_ai.token.modality": "unknown"}]
        values = {
            name.removeprefix("gen_ai.client.inference.usage."): points[0].value for name, points in usage.items()
        }
        assert values == {
            "input_tokens": 10,
            "output_tokens": 5,
            "cache_read.input_tokens": 4,
            "cache_write.input_tokens": 2,
            "reasoning.output_tokens": 3,
        }


def test_a_failed_call_has_an_error_type_on_durations_and_usage_of_zero():
    with testing.capture(genai_metrics="both") as captured:
        with pytest.raises(ProviderError), router.request(), router.attempt("openai", "gpt-4o"):
            raise ProviderError
        failed = {"error_type": "server_error", "gen_ai_provider_name": "openai"}
        assert captured.count("gen_ai.client.operation.duration", **failed) == 1
        assert captured.count("gen_ai.client.inference.duration", **failed) == 1
        assert captured.points("gen_ai.client.token.usage") == []
        for name in ("input_tokens", "output_tokens"):
            (point,) = captured.points(f"gen_ai.client.inference.usage.{name}")
            assert point.value == 0
            assert "error.type" not in point.labels
            assert "gen_ai.response.model" not in point.labels
        assert captured.points("gen_ai.client.inference.time_to_first_chunk") == []


def test_a_success_has_no_error_type(captured: testing.Captured):
    with router.request(), router.attempt("openai", "gpt-4o"):
        pass
    (point,) = captured.points("gen_ai.client.operation.duration")
    assert "error.type" not in point.labels


@pytest.mark.parametrize("names", ["old", "new", "both"])
def test_what_is_no_inference_keeps_the_old_name(names: Names):
    with testing.capture(genai_metrics=names) as captured:
        with router.request(), router.attempt("openai", "ada", operation="embeddings"):
            pass
        assert captured.count("gen_ai.client.operation.duration", gen_ai_operation_name="embeddings") == 1
        assert captured.points("gen_ai.client.inference.duration") == []


@pytest.mark.parametrize("operation", ["chat", "text_completion", "generate_content"])
def test_what_is_inference_moves(operation: str):
    with testing.capture(genai_metrics="new") as captured:
        with router.request(), router.attempt("openai", "ada", operation=operation):
            pass
        assert captured.points("gen_ai.client.operation.duration") == []
        assert captured.count("gen_ai.client.inference.duration", gen_ai_operation_name=operation) == 1


@pytest.mark.parametrize(
    ("provider", "name"),
    [
        ("openai", "openai"),
        ("anthropic", "anthropic"),
        ("azure", "azure.ai.openai"),
        ("azure_ai", "azure.ai.inference"),
        ("bedrock", "aws.bedrock"),
        ("gemini", "gcp.gemini"),
        ("vertex_ai", "gcp.vertex_ai"),
        ("mistral", "mistral_ai"),
        ("watsonx", "ibm.watsonx.ai"),
        ("xai", "x_ai"),
        ("ollama", "ollama"),
        ("my-provider", "my-provider"),
    ],
)
def test_providers_have_the_names_of_the_convention(captured: testing.Captured, provider: str, name: str):
    with router.request(), router.attempt(provider, "m"):
        pass
    assert captured.count("gen_ai.client.operation.duration", gen_ai_provider_name=name) == 1
    assert captured.value("llm_router.attempts", provider=provider) == 1
    (span,) = captured.spans("chat m")
    assert (span.attributes or {})["gen_ai.provider.name"] == name
