"""How long a request and its attempts took, and the router's own share of it."""

from __future__ import annotations

import pytest

from otel_llm_router import telemetry as router
from otel_llm_router import testing
from tests.telemetry.application_errors import ProviderError


def test_overhead_is_the_time_without_an_open_attempt(captured: testing.Captured, monkeypatch: pytest.MonkeyPatch):
    now = [0]
    monkeypatch.setattr("time.perf_counter_ns", lambda: now[0])
    with router.request(model="smart", strategy="s") as request:
        now[0] += 1_000_000_000
        with request.attempt("openai", "gpt-4o"):
            now[0] += 5_000_000_000
        now[0] += 2_000_000_000
        with request.attempt("openai", "gpt-4o"):
            now[0] += 7_000_000_000

    assert captured.value("llm_router.overhead") == pytest.approx(3)
    assert captured.value("llm_router.inference.duration") == pytest.approx(15)
    assert captured.value("llm_router.attempt.duration") == pytest.approx(12)


def test_hedged_attempts_wait_once(captured: testing.Captured, monkeypatch: pytest.MonkeyPatch):
    now = [0]
    monkeypatch.setattr("time.perf_counter_ns", lambda: now[0])
    with router.request(model="smart", strategy="hedge") as request:
        first = request.attempt("openai", "gpt-4o")
        now[0] += 1_000_000_000
        second = request.attempt("azure", "gpt-4o")
        now[0] += 2_000_000_000
        first.end("aborted", "cancelled")
        now[0] += 1_000_000_000
        second.end()
        now[0] += 2_000_000_000

    assert captured.value("llm_router.overhead", strategy="hedge") == pytest.approx(2)
    assert captured.value("llm_router.inference.duration") == pytest.approx(6)
    assert captured.value("llm_router.attempt.duration") == pytest.approx(6)
    assert captured.points("llm_router.retries") == []
    assert captured.points("llm_router.fallbacks") == []


def test_an_attempt_told_afterwards_began_where_the_one_before_it_ended(
    captured: testing.Captured, monkeypatch: pytest.MonkeyPatch
):
    now = [0]
    monkeypatch.setattr("time.perf_counter_ns", lambda: now[0])
    with router.request(model="smart") as request:
        now[0] += 2_000_000_000
        request.failed_attempt("eu-1", ProviderError(500))
        now[0] += 3_000_000_000
        request.failed_attempt("us-1", ProviderError(500))
        now[0] += 1_000_000_000
        with request.decision(["ap-1"]) as decision:
            decision.select("ap-1")
        now[0] += 4_000_000_000
        request.failed_attempt("ap-1", ProviderError(500))

    durations = {p.labels["model"]: p.value for p in captured.points("llm_router.attempt.duration")}
    assert durations == {"eu-1": pytest.approx(2), "us-1": pytest.approx(3), "ap-1": pytest.approx(4)}
    assert captured.value("llm_router.overhead") == pytest.approx(1)


def test_time_that_goes_backwards_is_no_time(captured: testing.Captured, monkeypatch: pytest.MonkeyPatch):
    now = [10**12]
    monkeypatch.setattr("time.perf_counter_ns", lambda: now[0])
    with router.request(model="smart") as request, request.attempt("openai", "gpt-4o"):
        now[0] -= 10**11

    assert captured.value("llm_router.inference.duration") == 0
    assert captured.value("llm_router.attempt.duration") == 0
    for span in captured.spans():
        assert span.end_time is not None
        assert span.start_time is not None
        assert span.end_time >= span.start_time


@pytest.mark.parametrize("step", [-3_600_000_000_000, 3_600_000_000_000])
def test_a_wall_clock_step_moves_no_span_and_changes_no_duration(
    captured: testing.Captured, monkeypatch: pytest.MonkeyPatch, step: int
):
    wall, now = [1_700_000_000_000_000_000], [0]
    monkeypatch.setattr("time.time_ns", lambda: wall[0])
    monkeypatch.setattr("time.perf_counter_ns", lambda: now[0])
    began = wall[0]
    with router.request(model="smart") as request:
        now[0] += 1_000_000_000
        wall[0] += step
        with request.attempt("openai", "gpt-4o"):
            now[0] += 2_000_000_000
        request.failed_attempt("eu-1", ProviderError(500))

    times = {span.name: (span.start_time, span.end_time) for span in captured.spans()}
    assert times == {
        "route smart": (began, began + 3_000_000_000),
        "chat gpt-4o": (began + 1_000_000_000, began + 3_000_000_000),
        "chat eu-1": (began + 3_000_000_000, began + 3_000_000_000),
    }
