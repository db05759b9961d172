"""What is asked when a door collects, and money and limits that are stated."""

from __future__ import annotations

import functools
import gc

import pytest

from otel_llm_router import telemetry as router
from otel_llm_router import testing
from otel_llm_router.signals import instrument


def test_questions_are_asked_at_each_collection_and_not_before(captured: testing.Captured):
    asked: list[str] = []

    def depth() -> int:
        asked.append("depth")
        return len(asked)

    router.observe_queue("slots", depth=depth, capacity=8)
    assert asked == []
    assert captured.value("llm_router.queue.size", queue_type="slots") == 1
    assert captured.value("llm_router.queue.size", queue_type="slots") == 2
    assert captured.value("llm_router.queue.capacity", queue_type="slots") == 8


def test_caches_and_pools_are_asked_the_same_way(captured: testing.Captured):
    router.observe_cache("exact", bytes=lambda: 4096, entries=lambda: 3)
    router.observe_connections("openai", open=lambda: 5, idle=lambda: 2, waiting=lambda: 0)
    assert captured.value("llm_router.cache.size", cache_type="exact") == 4096
    assert captured.value("llm_router.cache.entries", cache_type="exact") == 3
    states = {point.labels["state"]: point.value for point in captured.points("llm_router.upstream.connections")}
    assert states == {"open": 5, "idle": 2, "waiting": 0}


def test_a_cache_is_asked_itself_and_not_kept(captured: testing.Captured):
    class Cache(dict[str, int]):
        """As cachetools' are: it has a length, and can be referred to weakly."""

    @functools.lru_cache(maxsize=2)
    def answer(number: int) -> int:
        return number

    cache = Cache(a=1, b=2)
    router.observe_cache("exact", cache=cache)
    router.observe_cache("function", cache=answer)
    router.observe_cache("plain", cache={"a": 1})
    for number in range(5):
        answer(number)
    del cache["a"]
    found = {p.labels["cache_type"]: p.value for p in captured.points("llm_router.cache.entries")}
    assert found == {"exact": 1, "function": 2, "plain": 1}
    del cache
    gc.collect()
    assert captured.points("llm_router.cache.entries", cache_type="exact") == []


def test_evictions_are_counted_from_the_first_answer_on(captured: testing.Captured):
    counts = iter([100, 103, 103, None, 110, 2])
    router.observe_cache("redis", entries=lambda: 7, evictions=lambda: next(counts, 2))
    seen: list[float] = []
    for _ in range(7):
        assert captured.value("llm_router.cache.entries", cache_type="redis") == 7
        seen.append(captured.value("llm_router.cache.evictions", cache_type="redis"))
    assert seen[-1] == 3 + 7 + 2  # the server began again from 0


def test_a_question_asked_again_replaces_the_first(captured: testing.Captured):
    router.observe_queue("slots", depth=lambda: 1)
    router.observe_queue("slots", depth=lambda: 2)
    assert captured.value("llm_router.queue.size", queue_type="slots") == 2


def test_a_source_that_is_forgotten_is_asked_no_more(captured: testing.Captured):
    recorder = router.default.recorder
    declared = instrument("llm_router.health.check.state")
    recorder.observe(declared, "mine", lambda: [(1, ("disk_space",))])
    recorder.observe(declared, "other", lambda: [(0, ("memory_usage",))])
    assert len(captured.points(declared.name)) == 2
    recorder.forget(declared, "mine")
    assert [point.labels["check"] for point in captured.points(declared.name)] == ["memory_usage"]
    recorder.forget(declared, "never there")


@pytest.mark.parametrize("answer", [None, float("nan"), float("inf"), "5", 10**400, True])
def test_an_answer_that_is_no_number_is_no_series(captured: testing.Captured, answer: object):
    router.observe_queue("slots", depth=lambda: answer)  # pyright: ignore[reportArgumentType]
    router.observe_queue("other-queue", depth=lambda: 1)
    assert captured.points("llm_router.queue.size", queue_type="slots") == []
    assert captured.value("llm_router.queue.size") == 1


def test_what_is_asked_beats_what_was_said(captured: testing.Captured):
    router.cache("exact").set_size(1, entries=1)
    router.observe_cache("exact", bytes=lambda: 100)
    router.cache("exact").set_size(2, entries=2)
    assert captured.value("llm_router.cache.size") == 100
    assert captured.value("llm_router.cache.entries") == 2


def test_budgets(captured: testing.Captured):
    router.budget("team-a", limit_usd=100, spent_usd=31.2)
    router.budget("team-b", spent_usd=5)
    assert captured.value("llm_router.budget.limit.usd", scope="team-a") == 100
    assert captured.value("llm_router.budget.used.usd", scope="team-a") == pytest.approx(31.2)
    assert captured.points("llm_router.budget.limit.usd", scope="team-b") == []
    assert captured.events() == []


def test_a_budget_used_up_is_said_once_until_it_is_below_again(captured: testing.Captured):
    for spent in (100, 101, 120):
        router.budget("team-a", limit_usd=100, spent_usd=spent)
    (event,) = captured.events("llm_router.budget.exceeded")
    assert dict(event.attributes) == {"scope": "team-a"}
    router.budget("team-a", limit_usd=200, spent_usd=120)
    router.budget("team-a", limit_usd=200, spent_usd=200)
    assert len(captured.events("llm_router.budget.exceeded")) == 2


@pytest.mark.parametrize("usd", [0, None, -1, float("nan"), "1", 2**70])
def test_nothing_saved_is_no_saving(captured: testing.Captured, usd: float | None):
    router.saved(usd)
    assert captured.points("llm_router.cost.saved.usd") == []


def test_savings(captured: testing.Captured):
    router.saved(0.25, by="routing", model="gpt-4o")
    router.saved(0.5, by="cache")
    points = {tuple(p.labels.values()): p.value for p in captured.points("llm_router.cost.saved.usd")}
    assert points == {("gpt-4o", "routing"): 0.25, ("unknown", "cache"): 0.5}


def test_rate_limits_of_providers_and_of_the_router(captured: testing.Captured):
    router.rate_limit("openai", "gpt-4o", requests_left=10, tokens_left=2000)
    router.rate_limit("openai", "gpt-4o", requests_left=9)
    router.rate_limited("key-1")
    router.rate_limited("key-1", kind="tokens")
    left = {point.labels["kind"]: point.value for point in captured.points("llm_router.rate_limit.remaining")}
    assert left == {"requests": 9, "tokens": 2000}
    assert captured.value("llm_router.rate_limit.triggers", scope="key-1", kind="requests") == 1
    assert captured.value("llm_router.rate_limit.triggers", scope="key-1", kind="tokens") == 1


def test_authentication_failures(captured: testing.Captured):
    router.auth_failure()
    router.auth_failure("expired")
    reasons = {point.labels["reason"]: point.value for point in captured.points("llm_router.auth.failures")}
    assert reasons == {"invalid": 1, "expired": 1}
