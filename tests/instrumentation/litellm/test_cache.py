"""The response cache: a hit has no attempt and no cost."""

from __future__ import annotations

from typing import Any

import pytest

from otel_llm_router import testing

# LiteLLM's cache imports these without declaring them.
pytest.importorskip("orjson")
pytest.importorskip("soundfile")


@pytest.fixture
def cached_router(make_router: Any) -> Any:
    litellm = pytest.importorskip("litellm")
    litellm.cache = litellm.Cache(type="local")
    return make_router(cache_responses=True)


async def test_a_hit(cached_router: Any, eventually: Any, ask: Any, captured: testing.Captured, providers: Any) -> None:
    messages = ask(alpha=[{"prompt_tokens": 30, "completion_tokens": 12}])
    first = await cached_router.acompletion("smart", messages)
    second = await cached_router.acompletion("smart", messages)
    while not second._hidden_params.get("cache_hit"):  # it is written by a worker in the background
        second = await cached_router.acompletion("smart", messages)
    assert second.choices[0].message.content == first.choices[0].message.content
    attempts = providers["alpha"].record["attempts"]
    assert captured.value("llm_router.inference", model="gpt-4o-mini", cached="true", status="success") == 1
    assert captured.value("llm_router.inference", cached="false") == attempts
    assert captured.value("llm_router.attempts") == attempts
    assert captured.value("llm_router.cache.hits", cache_type="local") == 1
    assert captured.value("llm_router.cache.misses", cache_type="local") == attempts
    assert captured.value("llm_router.tokens", type="output") == providers["alpha"].record["tokens.output"]
    assert captured.value("llm_router.tokens.generated") == providers["alpha"].record["tokens.output"] + 12
    route = next(span for span in captured.spans("route smart") if (span.attributes or {})["llm_router.cached"])
    assert (route.attributes or {})["llm_router.attempt.count"] == 0
    assert await eventually(lambda: captured.value("llm_router.cost.saved.usd", saved_by="cache") > 0)
    assert captured.value("llm_router.cost.saved.usd", saved_by="cache", model="gpt-4o-mini") == pytest.approx(
        captured.value("llm_router.cost.usd") / attempts
    )


async def test_a_batch_that_is_cached_in_part(
    make_router: Any, eventually: Any, captured: testing.Captured, providers: Any
) -> None:
    """LiteLLM reports the cached part's tokens with the provider's own, in one sum."""
    litellm = pytest.importorskip("litellm")
    litellm.cache = litellm.Cache(type="local")
    models = [make_router.deployment("embed", "text-embedding-3-small", "alpha")]
    router = make_router(models=models, cache_responses=True)
    record = providers["alpha"].record
    batch = [f"{word} {id(router)}" for word in ("one", "two", "three", "four")]
    await router.aembedding("embed", input=batch)
    assert record["tokens.input"] == 12
    store = litellm.cache.cache.cache_dict
    assert await eventually(lambda: len(store) >= 4)  # it is written by a worker in the background
    whole = captured.value("llm_router.cost.usd")

    response = await router.aembedding("embed", input=[*batch, f"five {id(router)}"])
    assert len(response.data) == 5
    assert response.usage.prompt_tokens > 3
    assert record["attempts"] == 2
    assert record["tokens.input"] in (15, 27)  # LiteLLM 1.80 asks for the cached part again
    assert captured.value("llm_router.tokens", type="input", source="reported") == record["tokens.input"]
    assert captured.value("llm_router.tokens") == record["tokens.input"]
    assert captured.value("llm_router.usage.missing") == 0
    assert captured.value("llm_router.cost.usd", source="reported") == pytest.approx(whole)
    assert captured.value("llm_router.cost.unpriced") == 1
    assert captured.value("llm_router.inference", cached="false") == 2


async def test_no_cache_no_lookup(make_router: Any, ask: Any, captured: testing.Captured) -> None:
    await make_router().acompletion("smart", ask(alpha=[{}]))
    assert captured.value("llm_router.cache.hits") == 0
    assert captured.value("llm_router.cache.misses") == 0
