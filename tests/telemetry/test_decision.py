"""Routing decisions: what could be chosen, what was, why, and how long it took."""

from __future__ import annotations

import asyncio

import pytest

from otel_llm_router import telemetry as router
from otel_llm_router import testing


class NoRouteError(Exception):
    """What a router raises when nothing can be chosen."""


def test_a_decision_is_counted_by_what_was_chosen_and_why(captured: testing.Captured):
    with router.request(strategy="cheapest"), router.decision(candidates=["gpt-4o", "phi"]) as decision:
        assert decision.select("phi", reason="code detected", score=0.82, estimated_cost=0.0004) == "phi"

    assert captured.value("llm_router.decisions", strategy="cheapest", model="phi", reason="code detected") == 1
    assert captured.count("llm_router.decision.duration", strategy="cheapest") == 1


def test_it_is_an_event_and_attributes_of_the_route_span(captured: testing.Captured):
    with router.request(), router.decision(candidates=["gpt-4o", "phi"]) as decision:
        decision.select("phi", reason="code", score=0.82, estimated_cost=0.0004, deployment="eu-1")

    (span,) = captured.spans()
    expected = {
        "llm_router.decision.candidates": ("gpt-4o", "phi"),
        "llm_router.decision.candidate_count": 2,
        "llm_router.decision.chosen": "eu-1",
        "llm_router.decision.reason": "code",
        "llm_router.decision.score": 0.82,
        "llm_router.decision.estimated_cost": 0.0004,
    }
    (event,) = span.events
    assert event.name == "llm_router.decision"
    assert dict(event.attributes or {}) == expected
    assert expected.items() <= dict(span.attributes or {}).items()


def test_select_gives_back_the_very_object(captured: testing.Captured):
    class Model:
        def __str__(self) -> str:
            return "phi"

    chosen = Model()
    with router.decision(candidates=[chosen]) as decision:
        assert decision.select(chosen) is chosen

    assert captured.value("llm_router.decisions", model="phi") == 1


def test_many_candidates_are_counted_and_twenty_named(captured: testing.Captured):
    with router.request(), router.decision() as decision:
        decision.candidates(f"model-{number}" for number in range(1000))
        decision.select("model-7")

    (span,) = captured.spans()
    attributes = dict(span.attributes or {})
    named = attributes["llm_router.decision.candidates"]
    assert isinstance(named, tuple)
    assert len(named) == 20
    assert attributes["llm_router.decision.candidate_count"] == 1000


def test_without_a_choice_none_was_available(captured: testing.Captured):
    with pytest.raises(NoRouteError), router.request(model="smart", strategy="s"), router.decision(["a"]):
        raise NoRouteError

    assert captured.value("llm_router.decisions", strategy="s", reason="none_available") == 1
    assert captured.value("llm_router.inference", status="error") == 1


def test_a_decision_may_stand_outside_a_request(captured: testing.Captured):
    with router.decision(["a", "b"], strategy="random") as decision:
        decision.select("a")

    assert captured.value("llm_router.decisions", strategy="random", model="a") == 1
    assert captured.spans() == []


def test_its_strategy_becomes_that_of_a_request_that_has_none(captured: testing.Captured):
    with router.request(), router.decision(["a"], strategy="cost") as decision:
        decision.select("a")

    assert captured.value("llm_router.inference", strategy="cost") == 1
    assert captured.value("llm_router.decisions", strategy="cost") == 1


def test_the_strategy_that_a_request_was_begun_with_stays(captured: testing.Captured):
    with router.request(strategy="default"), router.decision(["a"], strategy="cost") as decision:
        decision.select("a")

    assert captured.value("llm_router.inference", strategy="default") == 1
    assert captured.value("llm_router.decisions", strategy="cost") == 1


def test_candidates_left_out_are_counted_by_reason(captured: testing.Captured):
    with router.request(strategy="s"), router.decision(["a"]) as decision:
        decision.filtered("cooldown", 2)
        decision.filtered("budget")
        decision.filtered("budget", 0)

    assert captured.value("llm_router.decision.filtered", strategy="s", reason="cooldown") == 2
    assert captured.value("llm_router.decision.filtered", strategy="s", reason="budget") == 1


def test_it_ends_once(captured: testing.Captured):
    async def main() -> None:
        async with router.decision(["a"]) as decision:
            decision.select("a")
            decision.end()
            decision.end()

    asyncio.run(main())
    assert captured.value("llm_router.decisions") == 1


def test_nothing_is_said_of_a_score_that_is_none(captured: testing.Captured):
    with router.request(), router.decision(["a"]) as decision:
        decision.select("a", score=float("nan"), estimated_cost=float("inf"))

    (span,) = captured.spans()
    assert "llm_router.decision.score" not in (span.attributes or {})
    assert "llm_router.decision.estimated_cost" not in (span.attributes or {})
