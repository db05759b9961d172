"""Attempts of ours around calls that another instrumentation makes a span of; the real ones are in `tests/foreign`."""

from __future__ import annotations

import logging
from collections.abc import Collection, Generator
from typing import Any

import httpx
import pytest
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor
from opentelemetry.trace import SpanKind

from otel_llm_router import telemetry as router
from otel_llm_router import testing
from otel_llm_router.telemetry import _foreign
from tests.instrumentation.wire.test_owners import ASK, CHAT, FOREIGN, ended, post
from tests.instrumentation.wire.upstreams import Upstreams, whole


class SdkInstrumentor(BaseInstrumentor):
    """One for the SDK of a provider."""

    def instrumentation_dependencies(self) -> Collection[str]:
        return ("openai >= 1.0",)

    def _instrument(self, **kwargs: Any) -> None: ...

    def _uninstrument(self, **kwargs: Any) -> None: ...


class RedisInstrumentor(BaseInstrumentor):
    """One for something else."""

    def instrumentation_dependencies(self) -> Collection[str]:
        return ("redis >= 2.6",)

    def _instrument(self, **kwargs: Any) -> None: ...

    def _uninstrument(self, **kwargs: Any) -> None: ...


@pytest.fixture(autouse=True)
def forgotten() -> Generator[None]:
    _foreign.said.clear()
    _foreign.beneath.clear()
    yield
    _foreign.beneath.clear()


@pytest.fixture
def active() -> Generator[None]:
    instrumentor = SdkInstrumentor()
    instrumentor.instrument(skip_dep_check=True)
    yield
    instrumentor.uninstrument()


async def sdk(upstream: Upstreams, captured: testing.Captured, marks: dict[str, Any] = FOREIGN["openai"]) -> str:
    """A call through an SDK that is instrumented, and its span's id."""
    tracer = captured.tracer_provider.get_tracer("somebody.else")
    with tracer.start_as_current_span("theirs", kind=SpanKind.CLIENT, attributes=marks) as span:
        await post(upstream, whole(CHAT))
    return f"{span.get_span_context().span_id:016x}"


def parents(captured: testing.Captured) -> dict[str, str | None]:
    """Names of spans, with their parents'."""
    names = {span.context.span_id: span.name for span in captured.spans() if span.context is not None}
    return {span.name: names.get(span.parent.span_id, "gone") if span.parent else None for span in captured.spans()}


@pytest.mark.usefixtures("active")
async def test_an_attempt_leaves_its_span_to_an_instrumentation_beneath(
    upstream: Upstreams, captured: testing.Captured
) -> None:
    with router.request("smart"), router.attempt("mine", "gpt-4o"):
        theirs = await sdk(upstream, captured)
    assert upstream.received[0].headers["traceparent"].split("-")[2] == theirs
    assert parents(captured) == {"theirs": "route smart", "route smart": None}
    assert ended(captured) == {"inference": 1, "attempts": 1, "tokens": 18, "usage.missing": 0, "chat spans": 0}
    assert captured.value("llm_router.attempts", provider="mine") == 1
    assert captured.points("gen_ai.client.token.usage") == []


@pytest.mark.usefixtures("active")
async def test_an_attempt_of_which_nobody_else_makes_a_span_has_its_own(
    upstream: Upstreams, captured: testing.Captured
) -> None:
    tracer = captured.tracer_provider.get_tracer("application")
    with router.request("smart") as request, router.attempt("mine", "gpt-4o"):
        await post(upstream, whole(CHAT))
        with tracer.start_as_current_span("after"):
            pass
    with router.request("no wire") as request, request.attempt("mine", "o3"):
        pass
    (span,) = captured.spans("chat gpt-4o")
    assert span.context is not None
    assert upstream.received[0].headers["traceparent"].split("-")[2] == f"{span.context.span_id:016x}"
    assert parents(captured) == {
        "after": "chat gpt-4o",
        "chat gpt-4o": "route smart",
        "route smart": None,
        "chat o3": "route no wire",
        "route no wire": None,
    }
    assert captured.count("gen_ai.client.operation.duration") == 2


@pytest.mark.usefixtures("active")
async def test_by_the_rule_own_both_are_made(
    upstream: Upstreams,
    captured: testing.Captured,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(router.default, "foreign", "own")
    with caplog.at_level(logging.WARNING, "otel_llm_router"), router.request("smart"), router.attempt("mine", "gpt-4o"):
        await sdk(upstream, captured)
        await sdk(upstream, captured)
    assert parents(captured)["theirs"] == "chat gpt-4o"
    assert captured.value("llm_router.tokens") == 36 / 2  # of one attempt
    assert captured.count("gen_ai.client.operation.duration") == 1
    assert [record.getMessage().count("OTEL_LLM_ROUTER_FOREIGN=own") for record in caplog.records] == [1]


async def test_one_that_nobody_knows_of_is_learned_of_by_its_first_span(
    upstream: Upstreams, captured: testing.Captured
) -> None:
    for _ in range(3):
        with router.request("smart"), router.attempt("mine", "gpt-4o"):
            await sdk(upstream, captured)
    assert len(captured.spans("theirs")) == 3
    assert len(captured.spans("chat gpt-4o")) == 1
    assert captured.points("gen_ai.client.operation.duration") == []  # theirs, if anybody's


async def test_an_instrumentation_around_the_attempt_keeps_its_span(
    upstream: Upstreams, captured: testing.Captured
) -> None:
    """As OpenInference's of LiteLLM, which says the kind of its spans at their end."""
    tracer = captured.tracer_provider.get_tracer("openinference.instrumentation.litellm")
    with (
        router.request("smart"),
        tracer.start_as_current_span("acompletion", attributes={"llm.model_name": "gpt-4o"}),
        router.attempt("mine", "gpt-4o"),
    ):
        await post(upstream, whole(CHAT))
    assert parents(captured) == {"acompletion": "route smart", "route smart": None}
    assert captured.value("llm_router.attempts", provider="mine") == 1
    assert captured.count("gen_ai.client.operation.duration") == 1  # it makes no metrics


async def test_an_instrumentor_of_something_else_changes_nothing(
    upstream: Upstreams, captured: testing.Captured
) -> None:
    instrumentor = RedisInstrumentor()
    instrumentor.instrument(skip_dep_check=True)
    try:
        with router.request("smart"), router.attempt("mine", "gpt-4o") as attempt:
            assert attempt.span.is_recording()
            async with httpx.AsyncClient(verify=False) as client:
                await client.post(f"{upstream.gives(whole(CHAT))}/v1/chat/completions", json=ASK)
    finally:
        instrumentor.uninstrument()
    assert parents(captured) == {"chat gpt-4o": "route smart", "route smart": None}
