"""Retries of an SDK: one call of it is one request, with an attempt for each try."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import httpx
import openai
import pytest

from otel_llm_router import telemetry as router
from otel_llm_router import testing
from tests.instrumentation.wire.test_owners import AGAIN, ASK, CHAT, stream_of
from tests.instrumentation.wire.upstreams import Answer, Upstreams, whole


def counted(captured: testing.Captured) -> dict[str, float]:
    names = ("inference", "attempts", "retries", "requests.in_flight", "attempts.in_flight")
    return {name: captured.value(f"llm_router.{name}") for name in names}


def call(upstream: Upstreams, *answers: Answer, retries: int, **options: Any) -> Any:
    with openai.OpenAI(base_url=f"{upstream.gives(*answers)}/v1", api_key="sk-secret", max_retries=retries) as client:
        completions: Any = client.chat.completions
        return completions.create(**ASK, **options)


async def acall(upstream: Upstreams, *answers: Answer, retries: int) -> Any:
    base = f"{upstream.gives(*answers)}/v1"
    async with openai.AsyncOpenAI(base_url=base, api_key="sk-secret", max_retries=retries) as client:
        completions: Any = client.chat.completions
        return await completions.create(**ASK)


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_the_tries_of_one_call_are_one_request(
    asynchronous: bool, upstream: Upstreams, captured: testing.Captured
) -> None:
    answers = (AGAIN, AGAIN, whole(CHAT))
    if asynchronous:
        asyncio.run(acall(upstream, *answers, retries=2))
    else:
        call(upstream, *answers, retries=2)
    assert len(upstream.received) == 3
    assert counted(captured) == {
        "inference": 1,
        "attempts": 3,
        "retries": 2,
        "requests.in_flight": 0,
        "attempts.in_flight": 0,
    }
    assert captured.value("llm_router.inference", status="success") == 1
    spans = captured.spans("chat gpt-4o")
    assert [(span.attributes or {})["llm_router.attempt.number"] for span in spans] == [1, 2, 3]
    assert [(span.attributes or {})["llm_router.attempt.reason"] for span in spans] == ["initial", "retry", "retry"]
    (route,) = captured.spans("route gpt-4o")
    assert {span.parent.span_id for span in spans if span.parent} == {route.context.span_id if route.context else 0}


def test_a_call_that_gives_up_is_one_failed_request_as_long_as_its_tries(
    upstream: Upstreams, captured: testing.Captured
) -> None:
    with pytest.raises(openai.InternalServerError):
        call(upstream, AGAIN, retries=1)
    assert counted(captured) == {
        "inference": 1,
        "attempts": 2,
        "retries": 1,
        "requests.in_flight": 0,
        "attempts.in_flight": 0,
    }
    assert captured.value("llm_router.inference", status="error") == 1
    (route,) = captured.spans("route gpt-4o")
    assert route.end_time == max(span.end_time or 0 for span in captured.spans("chat gpt-4o"))


def test_calls_one_after_the_other_are_requests_of_their_own(upstream: Upstreams, captured: testing.Captured) -> None:
    for _ in range(2):
        with pytest.raises(openai.InternalServerError):
            call(upstream, AGAIN, retries=0)
    assert (captured.value("llm_router.inference"), captured.value("llm_router.retries")) == (2, 0)


def test_a_stream_after_a_failure_ends_the_request(upstream: Upstreams, captured: testing.Captured) -> None:
    base = f"{upstream.gives(AGAIN, stream_of('a', 'b'))}/v1"
    with openai.OpenAI(base_url=base, api_key="sk-secret", max_retries=1) as client:
        stream: Any = client.chat.completions.create(**ASK, stream=True)
        assert captured.value("llm_router.requests.in_flight") == 1
        assert len(list(stream)) == 4
    assert counted(captured)["inference"] == captured.value("llm_router.inference", status="success") == 1
    assert captured.value("llm_router.attempts") == 2


def test_a_stream_that_breaks_when_the_call_is_over_ends_the_request(
    upstream: Upstreams, captured: testing.Captured
) -> None:
    broken = stream_of("a", "b")
    broken.cut = True
    base = f"{upstream.gives(broken)}/v1"
    with openai.OpenAI(base_url=base, api_key="sk-secret", max_retries=1) as client:
        stream: Any = client.chat.completions.create(**ASK, stream=True)
        with contextlib.suppress(httpx.HTTPError):  # which newer releases pass over after the last event
            list(stream)
    assert counted(captured)["inference"] == 1
    assert captured.value("llm_router.requests.in_flight") == 0


def test_within_a_request_they_are_its_attempts(upstream: Upstreams, captured: testing.Captured) -> None:
    with router.request("smart"):
        call(upstream, AGAIN, whole(CHAT), retries=1)
        call(upstream, retries=0)
    assert captured.value("llm_router.inference") == 1
    assert captured.value("llm_router.attempts") == 3


async def test_calls_at_the_same_time_do_not_mix(upstream: Upstreams, captured: testing.Captured) -> None:
    base = f"{upstream.gives(AGAIN)}/v1"
    async with openai.AsyncOpenAI(base_url=base, api_key="sk-secret", max_retries=2) as client:

        async def one() -> None:
            with pytest.raises(openai.InternalServerError):
                await client.chat.completions.create(**ASK)

        await asyncio.gather(*(one() for _ in range(8)))
    assert (captured.value("llm_router.inference"), captured.value("llm_router.attempts")) == (8, 24)
    counts = [(span.attributes or {})["llm_router.attempt.count"] for span in captured.spans("route gpt-4o")]
    assert counts == [3] * 8
