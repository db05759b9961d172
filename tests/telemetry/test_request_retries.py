"""What the attempts of a request are to each other: retries, fallbacks, or neither."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry.trace import SpanKind

from otel_llm_router import telemetry as router
from otel_llm_router import testing
from otel_llm_router.telemetry import Target
from tests.telemetry.application_errors import ProviderError
from tests.telemetry.spans import span_id


def test_three_failures_and_a_fallback_are_four_attempts_of_one_request(
    captured: testing.Captured, answer: Callable[..., Any]
):
    with router.request(model="smart", strategy="cheapest") as request:
        for status in (429, 500, 503):
            with pytest.raises(ProviderError), request.attempt("openai", "gpt-4o", deployment="eu-1"):
                raise ProviderError(status)
        with request.attempt("anthropic", "claude", deployment="us-2") as call:
            call.response(answer(10, 5, model="claude"))

    assert captured.value("llm_router.inference", model="claude", status="success") == 1
    assert captured.value("llm_router.inference") == 1
    attempts = {
        tuple(point.labels[key] for key in ("provider", "model", "status", "error_type")): point.value
        for point in captured.points("llm_router.attempts")
    }
    assert attempts == {
        ("openai", "gpt-4o", "error", "rate_limit"): 1,
        ("openai", "gpt-4o", "error", "server_error"): 2,
        ("anthropic", "claude", "success", ""): 1,
    }
    assert captured.count("llm_router.attempt.duration") == 4
    assert {tuple(p.labels.values()): p.value for p in captured.points("llm_router.retries")} == {
        ("smart", "rate_limit"): 1,
        ("smart", "server_error"): 1,
    }
    assert captured.count("llm_router.retry.backoff", model="smart") == 2
    assert [(point.labels, point.value) for point in captured.points("llm_router.fallbacks")] == [
        ({"from_model": "gpt-4o", "to_model": "claude", "status": "success"}, 1)
    ]
    assert captured.value("llm_router.errors", component="upstream", severity="warning") == 3
    assert captured.points("llm_router.errors", component="router") == []
    assert captured.points("llm_router.stream.aborts") == []
    assert captured.value("llm_router.rate_limit.hits", provider="openai", model="gpt-4o") == 1
    assert captured.value("llm_router.attempts.in_flight") == 0
    assert captured.value("llm_router.requests.in_flight") == 0

    (route,) = captured.spans("route smart")
    assert (route.attributes or {})["llm_router.attempt.count"] == 4
    assert [event.name for event in route.events] == ["llm_router.retry", "llm_router.retry", "llm_router.fallback"]
    spans = [span for span in captured.spans() if span.kind is SpanKind.CLIENT]
    seen = [
        tuple(
            (span.attributes or {}).get(key)
            for key in (
                "llm_router.attempt.number",
                "llm_router.attempt.reason",
                "llm_router.deployment.id",
                "llm_router.outcome",
                "error.type",
                "http.response.status_code",
            )
        )
        for span in spans
    ]
    assert seen == [
        (1, "initial", "eu-1", "error", "rate_limit", 429),
        (2, "retry", "eu-1", "error", "server_error", 500),
        (3, "retry", "eu-1", "error", "server_error", 503),
        (4, "fallback", "us-2", "success", None, None),
    ]
    assert all(span.parent is not None and span.parent.span_id == span_id(route) for span in spans)


def test_when_every_deployment_fails_the_fallback_failed_too(captured: testing.Captured):
    def routed() -> None:
        with router.request(model="smart") as request:
            request.failed_attempt("eu-1", ProviderError(500), provider="openai", model="gpt-4o")
            with request.attempt("anthropic", "claude"):
                raise ProviderError(529)

    with pytest.raises(ProviderError):
        routed()

    assert captured.value("llm_router.fallbacks", from_model="gpt-4o", to_model="claude", status="error") == 1
    assert captured.value("llm_router.attempts", status="error") == 2
    assert captured.value("llm_router.inference", status="error") == 1
    (event,) = captured.events("llm_router.fallback")
    assert event.attributes["llm_router.outcome"] == "error"


def test_a_move_told_by_hand_ends_once(captured: testing.Captured):
    with router.request(model="smart") as request:
        move = request.fallback("gpt-4o", "claude", "rate_limit")
        assert captured.points("llm_router.fallbacks") == []
        move.end("success")
        move.end("error")

    assert [(point.labels, point.value) for point in captured.points("llm_router.fallbacks")] == [
        ({"from_model": "gpt-4o", "to_model": "claude", "status": "success"}, 1)
    ]
    (span,) = captured.spans()
    (event,) = span.events
    assert dict(event.attributes or {}) == {
        "llm_router.fallback.from": "gpt-4o",
        "llm_router.fallback.to": "claude",
        "llm_router.previous.error_type": "rate_limit",
    }


def test_a_second_call_after_a_successful_one_is_neither_retry_nor_fallback(captured: testing.Captured):
    with router.request(model="smart") as request:
        with request.attempt("openai", "small"):
            pass
        with request.attempt("openai", "small"):
            pass
        with request.attempt("anthropic", "claude"):
            pass

    assert captured.points("llm_router.retries") == []
    assert captured.points("llm_router.fallbacks") == []
    reasons = [(span.attributes or {})["llm_router.attempt.reason"] for span in captured.spans()[:3]]
    assert reasons == ["initial", "initial", "initial"]
    assert captured.value("llm_router.attempts", status="success") == 3


def test_an_attempt_given_up_at_a_timeout_is_followed_by_a_retry(captured: testing.Captured):
    async def hang(request: router.Request) -> None:
        with request.attempt("openai", "gpt-4o"):
            await asyncio.Event().wait()

    async def main() -> None:
        with router.request(model="smart") as request:
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(hang(request), 0.001)
            with request.attempt("openai", "gpt-4o"):
                pass

    asyncio.run(main())
    assert captured.value("llm_router.retries", model="smart", error_type="cancelled") == 1
    assert captured.value("llm_router.attempts", status="aborted", error_type="cancelled") == 1
    assert captured.value("llm_router.inference", status="success") == 1


def test_a_retry_is_counted_for_the_group_that_was_retried(captured: testing.Captured):
    target = Target("anthropic", "claude")
    with router.request(model="smart") as request:
        for group in ("backup", None):
            request.begin_attempt(target).fail(ProviderError(500))
            request.begin_attempt(target, reason="retry", group=group).end()

    assert {tuple(p.labels.values()): p.value for p in captured.points("llm_router.retries")} == {
        ("backup", "server_error"): 1,
        ("smart", "server_error"): 1,
    }
    assert captured.count("llm_router.retry.backoff", model="backup") == 1
    (route,) = captured.spans("route smart")
    retries = [event for event in route.events if event.name == "llm_router.retry"]
    assert [(event.attributes or {})["llm_router.request.model"] for event in retries] == ["backup", "smart"]


def test_failed_attempts_may_be_told_afterwards(captured: testing.Captured):
    with router.request(model="smart") as request:
        request.failed_attempt("eu-1", ProviderError(429), provider="openai", model="gpt-4o")
        request.failed_attempt("eu-1", ProviderError(429), provider="openai", model="gpt-4o")
        with request.attempt("openai", "gpt-4o"):
            pass

    assert captured.value("llm_router.attempts") == 3
    assert captured.value("llm_router.retries") == 2
    assert len(captured.spans("chat gpt-4o")) == 3
