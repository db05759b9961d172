"""Each call has one owner: the layer above where there is one, the wire where there is none."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from typing import Any

import httpx
import openai
import pytest
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.trace import SpanKind

from otel_llm_router import telemetry as router
from otel_llm_router import testing
from otel_llm_router.telemetry import _foreign
from tests.instrumentation.wire.upstreams import Answer, Upstreams, events, whole

ASK: dict[str, Any] = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hello"}]}
USAGE = {"prompt_tokens": 11, "completion_tokens": 7}
CHAT: dict[str, Any] = {
    "id": "1",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-4o-1",
    "choices": [],
    "usage": USAGE,
}
CHUNK = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o-1"}


def stream_of(*contents: str) -> Answer:
    choices: list[dict[str, Any]] = [
        {"index": 0, "delta": {"content": content}, "finish_reason": None} for content in contents
    ]
    last: dict[str, Any] = {"index": 0, "delta": {}, "finish_reason": "stop"}
    pieces: list[Any] = [{**CHUNK, "choices": [choice]} for choice in [*choices, last]]
    return events(*pieces, {**CHUNK, "choices": [], "usage": USAGE})


Sdk = Callable[..., openai.AsyncOpenAI]


@pytest.fixture
async def sdk(upstream: Upstreams) -> AsyncGenerator[Sdk]:
    """Make a client of OpenAI's, for answers to come."""
    made: list[openai.AsyncOpenAI] = []

    def make(*answers: Answer, retries: int = 0) -> openai.AsyncOpenAI:
        base = f"{upstream.gives(*answers)}/v1"
        made.append(openai.AsyncOpenAI(base_url=base, api_key="sk-secret", max_retries=retries))
        return made[-1]

    yield make
    for client in made:
        await client.close()


async def post(upstream: Upstreams, *answers: Answer) -> None:
    async with httpx.AsyncClient(verify=False) as client:
        await client.post(f"{upstream.gives(*answers)}/v1/chat/completions", json=ASK)


def ended(captured: testing.Captured) -> dict[str, float]:
    return {
        name: captured.value(f"llm_router.{name}") for name in ("inference", "attempts", "tokens", "usage.missing")
    } | {"chat spans": len(captured.spans("chat gpt-4o"))}


ONE = {"inference": 1, "attempts": 1, "tokens": 18, "usage.missing": 0, "chat spans": 1}


async def test_an_attempt_of_the_application_owns_the_call(upstream: Upstreams, captured: testing.Captured) -> None:
    with router.request("smart"), router.attempt("mine", "gpt-4o", deployment="d1") as call:
        await post(upstream, whole(CHAT, headers={"x-ratelimit-remaining-requests": "5"}))
        assert call.http_status == 200
    assert ended(captured) == ONE  # the application said nothing of usage: the wire did
    assert captured.value("llm_router.attempts", provider="mine") == 1
    assert captured.value("llm_router.rate_limit.remaining", provider="mine", kind="requests") == 5
    (span,) = captured.spans("chat gpt-4o")
    assert span.context is not None
    assert upstream.received[0].headers["traceparent"].split("-")[2] == f"{span.context.span_id:016x}"


async def test_usage_that_the_owner_has_read_is_not_counted_twice(sdk: Sdk, captured: testing.Captured) -> None:
    with router.request("smart"), router.attempt("mine", "gpt-4o") as call:
        completions: Any = sdk(whole(CHAT)).chat.completions
        call.response(await completions.create(**ASK))
    assert ended(captured) == ONE


async def test_an_attempt_that_was_not_made_current_owns_the_call_too(
    upstream: Upstreams, captured: testing.Captured
) -> None:
    with router.request("smart") as request:
        attempt = request.attempt("mine", "gpt-4o")
        await post(upstream, whole(CHAT))
        attempt.end()
    assert ended(captured) == ONE
    (span,) = captured.spans("chat gpt-4o")
    assert span.context is not None
    assert upstream.received[0].headers["traceparent"].split("-")[2] == f"{span.context.span_id:016x}"


async def test_calls_in_a_request_are_its_attempts(upstream: Upstreams, captured: testing.Captured) -> None:
    with router.request("smart") as request:
        await post(upstream, whole({}, status=500), whole(CHAT))
        await post(upstream)
    assert (request.attempts, captured.value("llm_router.retries", error_type="server_error")) == (2, 1)
    assert captured.value("llm_router.inference", status="success") == 1
    assert captured.value("llm_router.inference") == 1


async def test_a_stream_given_to_the_client_is_the_one_that_the_wire_measures(
    sdk: Sdk, captured: testing.Captured
) -> None:
    async def answer() -> Any:
        with router.request("smart") as request:
            opened = await sdk(stream_of("a", "b")).chat.completions.create(**ASK, stream=True)
            return request.stream(opened, model="gpt-4o", provider="mine")

    stream = await answer()
    assert captured.value("llm_router.requests.in_flight") == 1
    assert len([chunk async for chunk in stream]) == 4
    assert ended(captured) == ONE
    assert captured.count("llm_router.time_to_first_token") == 1


async def test_a_stream_that_the_client_leaves_takes_its_attempt_with_it(sdk: Sdk, captured: testing.Captured) -> None:
    with router.request("smart") as request:
        opened = await sdk(stream_of(*"abc")).chat.completions.create(**ASK, stream=True)
        stream = request.stream(opened)
    async for _ in stream:
        break
    await stream.close()
    assert captured.value("llm_router.inference", status="aborted") == captured.value("llm_router.inference") == 1
    assert captured.value("llm_router.attempts", status="aborted") == captured.value("llm_router.attempts") == 1


async def test_a_failure_that_the_application_tells_of_is_the_one_that_the_wire_saw(
    sdk: Sdk, captured: testing.Captured
) -> None:
    client = sdk(whole({"error": {}}, status=503), whole(CHAT))
    with router.request("smart") as request:
        try:
            await client.chat.completions.create(**ASK)
        except openai.APIStatusError as error:
            request.failed_attempt("first", error)
        await client.chat.completions.create(**ASK)
        request.failed_attempt("elsewhere", ConnectionError())  # which no wire saw
    assert captured.value("llm_router.attempts", status="error", error_type="server_error") == 1
    assert captured.value("llm_router.attempts", status="error", error_type="connection") == 1
    assert captured.value("llm_router.attempts") == 3


@pytest.mark.parametrize("in_request", [True, False])
async def test_a_call_made_while_deciding_is_made_for_routing_and_no_traffic(
    in_request: bool, upstream: Upstreams, captured: testing.Captured
) -> None:
    async def decide_and_call() -> None:
        with router.decision(candidates=["gpt-4o", "other"]) as decision:
            await post(upstream, whole(CHAT))
            decision.select("gpt-4o", reason="cheapest")
        await post(upstream)

    if in_request:
        with router.request("smart"):
            await decide_and_call()
    else:
        await decide_and_call()
    reasons = [(span.attributes or {})["llm_router.attempt.reason"] for span in captured.spans("chat gpt-4o")]
    assert reasons == ["routing", "initial"]
    assert captured.value("llm_router.inference") == 1
    assert captured.value("llm_router.attempts") == 2
    assert captured.value("llm_router.requests.in_flight") == captured.value("llm_router.attempts.in_flight") == 0


async def test_a_call_after_the_choice_is_made_is_traffic(upstream: Upstreams, captured: testing.Captured) -> None:
    with router.request("smart") as request, request.decision(candidates=["a"]) as decision:
        decision.select("gpt-4o")
        await post(upstream, whole(CHAT))
    (span,) = captured.spans("chat gpt-4o")
    assert (span.attributes or {})["llm_router.attempt.reason"] == "initial"


AGAIN = whole({}, status=500, headers={"retry-after-ms": "1"})


async def test_a_retry_of_an_sdk_says_so(upstream: Upstreams, captured: testing.Captured) -> None:
    base = f"{upstream.gives(AGAIN, whole(CHAT))}/v1/chat/completions"
    async with httpx.AsyncClient() as client:  # as an SDK does that is not known here
        for count in ("0", "1"):
            await client.post(base, json=ASK, headers={"x-stainless-retry-count": count})
    reasons = [(span.attributes or {})["llm_router.attempt.reason"] for span in captured.spans("chat gpt-4o")]
    assert reasons == ["initial", "retry"]
    assert captured.value("llm_router.inference") == 2


FOREIGN: dict[str, dict[str, Any]] = {
    "openai": {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o"},
    "openinference": {"openinference.span.kind": "LLM"},
    "openllmetry": {"gen_ai.system": "openai", "llm.request.type": "chat"},
}


@pytest.mark.parametrize("marks", FOREIGN.values(), ids=FOREIGN.keys())
async def test_the_span_of_another_instrumentation_is_the_call_s_and_no_second_is_made(
    marks: dict[str, Any], upstream: Upstreams, captured: testing.Captured, caplog: pytest.LogCaptureFixture
) -> None:
    _foreign.said.clear()
    tracer = captured.tracer_provider.get_tracer("somebody.else")
    with caplog.at_level(logging.WARNING, "otel_llm_router"):
        for _ in range(2):
            with tracer.start_as_current_span("ChatCompletion", kind=SpanKind.CLIENT, attributes=marks) as span:
                await post(upstream, whole(CHAT))
                assert (
                    upstream.received[-1].headers["traceparent"].split("-")[2]
                    == f"{span.get_span_context().span_id:016x}"
                )
    assert [span.name for span in captured.spans()] == ["ChatCompletion"] * 2
    assert captured.value("llm_router.attempts", status="success") == captured.value("llm_router.inference") == 2
    assert captured.value("llm_router.tokens") == 36
    assert captured.points("gen_ai.client.token.usage") == []
    assert len([record for record in caplog.records if "somebody.else" in record.getMessage()]) == 1


async def test_a_span_around_an_agent_is_not_the_call_s(upstream: Upstreams, captured: testing.Captured) -> None:
    tracer = captured.tracer_provider.get_tracer("somebody.else")
    with tracer.start_as_current_span("agent", attributes={"gen_ai.operation.name": "invoke_agent"}):
        await post(upstream, whole(CHAT))
    assert ended(captured) == ONE


async def test_what_is_suppressed_is_not_seen(upstream: Upstreams, captured: testing.Captured) -> None:
    with suppress_instrumentation():
        await post(upstream, whole(CHAT))
    assert captured.points("llm_router.attempts") == []
    assert "traceparent" not in upstream.received[0].headers


async def test_calls_in_parallel_do_not_mix_and_leave_nothing_current(
    upstream: Upstreams, captured: testing.Captured
) -> None:
    before = otel_context.get_current()
    upstream.gives(stream_of("a"))
    await asyncio.gather(*(post(upstream) for _ in range(20)))
    assert otel_context.get_current() == before
    assert trace.get_current_span() is trace.INVALID_SPAN
    sent = [received.headers["traceparent"].split("-")[2] for received in upstream.received]
    spans = [span.context.span_id for span in captured.spans("chat gpt-4o") if span.context is not None]
    assert sorted(sent) == sorted(f"{span_id:016x}" for span_id in spans)
    assert len(set(sent)) == 20
