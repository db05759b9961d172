"""The router's caches: look-ups where they happen, size and entries when a door collects."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from otel_llm_router import telemetry as router
from otel_llm_router import testing


class StoreError(Exception):
    """The cache itself is down."""


def test_a_look_up_that_says_nothing_was_a_miss(captured: testing.Captured):
    with router.request(), router.cache("exact"):
        pass

    assert captured.value("llm_router.cache.misses", cache_type="exact") == 1
    assert captured.points("llm_router.cache.hits") == []
    (span,) = captured.spans()
    (event,) = span.events
    assert event.name == "llm_router.cache.lookup"
    assert dict(event.attributes or {}) == {"llm_router.cache.type": "exact", "llm_router.cache.hit": False}
    assert captured.value("llm_router.inference", cached="false") == 1


def test_a_hit_answers_the_request_and_gives_the_value_back(captured: testing.Captured, answer: Callable[..., Any]):
    stored = answer(10, 5)
    with router.request(model="smart"), router.cache("semantic") as cache:
        assert cache.hit(stored, similarity=0.93, saved_usd=0.25) is stored

    assert captured.value("llm_router.cache.hits", cache_type="semantic") == 1
    assert captured.points("llm_router.cache.misses") == []
    assert captured.value("llm_router.cache.similarity", cache_type="semantic", result="hit") == pytest.approx(0.93)
    assert captured.value("llm_router.cost.saved.usd", saved_by="cache", model="gpt-4o-2024-08-06") == 0.25
    assert captured.value("llm_router.inference", cached="true", model="gpt-4o-2024-08-06") == 1
    assert captured.points("llm_router.attempts") == []
    assert captured.points("llm_router.cost.usd") == []


def test_a_hit_given_as_a_mapping(captured: testing.Captured):
    stored = {"model": "gpt-4o", "usage": {"prompt_tokens": 1, "completion_tokens": 6}}
    with router.request(model="smart"), router.cache("exact") as cache:
        cache.hit(stored, saved_usd=0.5)

    assert captured.value("llm_router.inference", cached="true", model="gpt-4o") == 1
    assert captured.value("llm_router.tokens.generated", model="gpt-4o") == 6
    assert captured.value("llm_router.cost.saved.usd", model="gpt-4o") == 0.5


def test_one_cache_after_another(captured: testing.Captured):
    with router.request():
        with router.cache("exact"):
            pass
        with router.cache("semantic") as cache:
            cache.miss(similarity=0.4)
    assert captured.value("llm_router.cache.misses", cache_type="exact") == 1
    assert captured.value("llm_router.cache.misses", cache_type="semantic") == 1
    assert captured.count("llm_router.cache.similarity", result="miss") == 1
    assert captured.value("llm_router.inference", cached="false") == 1


def test_a_cache_that_fails_is_neither_hit_nor_miss(captured: testing.Captured):
    with pytest.raises(StoreError), router.request(), router.cache("exact"):
        raise StoreError

    assert captured.points("llm_router.cache.misses") == []
    assert captured.points("llm_router.cache.hits") == []


def test_it_may_be_told_without_a_block_and_without_a_request(captured: testing.Captured):
    cache = router.cache("exact")
    cache.miss()
    assert cache.hit() is None
    cache.evicted(3)
    cache.evicted()
    assert captured.value("llm_router.cache.misses") == 1
    assert captured.value("llm_router.cache.hits") == 1
    assert captured.value("llm_router.cache.evictions", cache_type="exact") == 4


def test_async_look_ups(captured: testing.Captured):
    async def main() -> None:
        async with router.cache("exact") as cache:
            await asyncio.sleep(0)
            cache.hit("x")

    asyncio.run(main())
    assert captured.value("llm_router.cache.hits") == 1


def test_what_it_holds_is_what_was_last_said(captured: testing.Captured):
    router.cache("exact").set_size(100, entries=1)
    router.cache("exact").set_size(200, entries=2)
    router.cache("semantic").set_size(entries=7)
    assert captured.value("llm_router.cache.size", cache_type="exact") == 200
    assert captured.value("llm_router.cache.entries", cache_type="exact") == 2
    assert captured.value("llm_router.cache.entries", cache_type="semantic") == 7
    assert captured.points("llm_router.cache.size", cache_type="semantic") == []
    router.cache("exact").set_size(0)
    assert captured.points("llm_router.cache.size", cache_type="exact")[0].value == 0
    assert captured.value("llm_router.cache.entries", cache_type="exact") == 2


@pytest.mark.parametrize("similarity", [float("nan"), -0.5, "0.9", None])
def test_a_similarity_that_is_none(captured: testing.Captured, similarity: Any):
    router.cache("semantic").hit("x", similarity=similarity)
    assert captured.value("llm_router.cache.hits") == 1
    assert captured.points("llm_router.cache.similarity") == []
