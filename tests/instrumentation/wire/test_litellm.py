"""LiteLLM's Router under its own instrumentation, with the wire beneath: each call has one owner."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import warnings
from collections.abc import Callable, Generator
from typing import Any

import pytest

from otel_llm_router import testing
from otel_llm_router.instrumentation.litellm import LiteLLMInstrumentor

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    litellm: Any = pytest.importorskip("litellm")

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.filterwarnings("error:::otel_llm_router")]


@pytest.fixture(scope="module", autouse=True)
def router_instrumented() -> Generator[None]:
    instrumentor = LiteLLMInstrumentor()
    ours = not instrumentor.is_instrumented_by_opentelemetry
    if ours:
        instrumentor.instrument(skip_dep_check=True)
    yield
    if ours:
        instrumentor.uninstrument()


@pytest.fixture
def router(providers: dict[str, Any]) -> Any:
    def deployment(group: str, model: str, provider: str) -> dict[str, Any]:
        # LiteLLM shares its connections between all that have the same key, in event loops that are over too.
        key = f"sk-secret-key-{next(_ids)}"
        params = {"model": f"openai/{model}", "api_base": f"{providers[provider].base}/v1", "api_key": key}
        return {"model_name": group, "litellm_params": params, "model_info": {"id": provider}}

    litellm.suppress_debug_info = True
    return litellm.Router(
        model_list=[deployment("smart", "gpt-4o-mini", "alpha"), deployment("backup", "gpt-4o", "beta")],
        num_retries=1,
        retry_after=0,
        disable_cooldowns=True,
        fallbacks=[{"smart": ["backup"]}],
    )


_ids = itertools.count()


def ask(identity: str, **upstreams: list[dict[str, Any]]) -> list[dict[str, str]]:
    return [{"role": "user", "content": json.dumps({"id": f"{identity} {next(_ids)}", "upstreams": upstreams})}]


def attempts(captured: testing.Captured) -> dict[tuple[str, str], float]:
    return {
        (point.labels["status"], point.labels["error_type"]): point.value
        for point in captured.points("llm_router.attempts")
    }


async def test_a_call_of_the_router_is_one_attempt_whose_trace_goes_on(
    router: Any, providers: dict[str, Any], captured: testing.Captured
) -> None:
    await router.acompletion("smart", ask("one", alpha=[{"prompt_tokens": 10, "completion_tokens": 5}]))
    assert attempts(captured) == {("success", ""): 1}
    assert captured.value("llm_router.tokens", type="input") == 10
    assert captured.value("llm_router.tokens", type="output") == 5
    assert [span.name for span in captured.spans() if span.name.startswith("chat")] == ["chat gpt-4o-mini"]
    assert providers["alpha"].record["traceparents"] == 1
    (span,) = captured.spans("chat gpt-4o-mini")
    assert (span.attributes or {})["http.response.status_code"] == 200
    assert (span.attributes or {})["gen_ai.provider.name"] == "openai"


async def test_an_embedding_is_one_attempt(router: Any, providers: dict[str, Any], captured: testing.Captured) -> None:
    await router.aembedding("smart", ["one", "two"])
    assert attempts(captured) == {("success", ""): 1}
    assert captured.value("llm_router.tokens", type="input") == providers["alpha"].record["tokens.input"] == 6


def test_the_synchronous_router_is_seen_once_too(
    router: Any, providers: dict[str, Any], captured: testing.Captured
) -> None:
    router.completion("smart", ask("sync", alpha=[{"status": 500}, {"completion_tokens": 4}]))
    stream = router.completion("smart", ask("sync stream", alpha=[{"completion_tokens": 4}]), stream=True)
    assert len(list(stream)) > 1
    assert attempts(captured) == {("success", ""): 2, ("error", "server_error"): 1}
    assert providers["alpha"].record["attempts"] == providers["alpha"].record["traceparents"] == 3
    assert captured.value("llm_router.retries") == 1


async def test_a_call_of_litellm_without_a_router_is_seen_on_the_wire(
    providers: dict[str, Any], captured: testing.Captured
) -> None:
    response = await litellm.acompletion(
        "openai/gpt-4o", ask("bare"), api_base=f"{providers['alpha'].base}/v1", api_key="sk-secret-key"
    )
    assert attempts(captured) == {("success", ""): 1}
    assert captured.value("llm_router.tokens", type="output") == response.usage.completion_tokens


async def test_usage_that_litellm_estimates_is_the_reported_one_where_the_wire_shows_it(
    router: Any, captured: testing.Captured
) -> None:
    options = {"stream": True, "stream_options": {"include_usage": True}}
    stream = await router.acompletion("smart", ask("usage", alpha=[{"completion_tokens": 9}]), **options)
    async for _ in stream:
        pass
    assert captured.value("llm_router.tokens", type="output", source="reported") == 9
    assert captured.value("llm_router.tokens", type="output", source="estimated") == 0


@pytest.mark.parametrize("captured", [True], indirect=True, ids=["fast"])
async def test_what_is_exported_is_what_the_upstreams_served(
    router: Any,
    providers: dict[str, Any],
    captured: testing.Captured,
    eventually: Callable[..., Any],
) -> None:
    """Mixed traffic, 64 at a time: streams, aborts, retries, fallbacks, failures, broken connections."""
    chance = random.Random(1)
    limit = asyncio.Semaphore(64)
    ends: list[str] = []

    async def one(number: int) -> None:
        first = chance.choice([{}, {}, {}, {"status": 500}, {"status": 429}, {"cut_after": 2}])
        plan = {
            "prompt_tokens": chance.randint(1, 99),
            "completion_tokens": chance.randint(3, 9),
            "chunk_latency": 0.001,
        }
        streamed = chance.random() < 0.6
        abandoned = streamed and not first and chance.random() < 0.2
        if abandoned:  # long enough for the upstream to notice
            plan |= {"completion_tokens": 5000, "chunk_latency": 0.01}
        options: dict[str, Any] = {"stream": True, "stream_options": {"include_usage": True}} if streamed else {}
        if not streamed:
            first.pop("cut_after", None)
        messages = ask(str(number), alpha=[{**plan, **first}, plan], beta=[plan])
        async with limit:
            try:
                answer = await router.acompletion("smart", messages, **options)
                if streamed:
                    async for _ in answer:
                        if abandoned:
                            if hasattr(answer, "aclose"):  # older releases have streams that cannot be closed
                                await answer.aclose()
                            break
                ends.append("aborted" if abandoned else "success")
            except Exception:  # noqa: BLE001  # whatever LiteLLM raises
                ends.append("error")

    await asyncio.gather(*(one(number) for number in range(80)))
    served = providers["alpha"].record + providers["beta"].record
    assert await eventually(lambda: captured.value("llm_router.inference") == len(ends) == 80)
    counted = {
        status: captured.value("llm_router.inference", status=status) for status in ("success", "aborted", "error")
    }
    assert counted == {status: ends.count(status) for status in counted}
    assert captured.value("llm_router.attempts") == served["attempts"] == served["traceparents"]
    cut = captured.value("llm_router.attempts", error_type="stream_interrupted")
    hidden = 0 if cut else served["errors.cut"]  # LiteLLM 1.80 makes complete answers of streams that break off
    assert captured.value("llm_router.attempts", status="error") == served["errors"] - hidden
    assert captured.value("llm_router.attempts", error_type="rate_limit") == served["errors.429"]
    assert cut == served["errors.cut"] - hidden
    for kind in ("input", "output"):
        assert captured.value("llm_router.tokens", type=kind, source="reported") == served[f"tokens.{kind}"]
    assert len([span for span in captured.spans() if span.name.startswith("chat")]) == served["attempts"]
    assert captured.value("llm_router.attempts.in_flight") == captured.value("llm_router.requests.in_flight") == 0
