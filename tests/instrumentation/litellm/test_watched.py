"""Hooks are watched while requests pass: what a release leaves behind is said, what is healthy is not."""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import pytest

from otel_llm_router import testing
from otel_llm_router.instrumentation.litellm import LiteLLMInstrumentor, _targets
from otel_llm_router.instrumentation.litellm._watch import PATIENCE

ENOUGH = PATIENCE * 3


@contextmanager
def left_behind(hooks: Iterable[str]) -> Generator[None]:
    """Instrument afresh, with ``hooks`` in places that LiteLLM calls no more."""
    instrumentor = LiteLLMInstrumentor()
    instrumentor.uninstrument()
    places = {hook: _targets.probe().owners[hook] for hook in hooks}
    instrumentor.instrument(skip_dep_check=True)
    patched = {place: place[0].__dict__[place[1]] for place in places.values()}
    for (owner, name), wrapper in patched.items():
        setattr(owner, name, wrapper.__wrapped__)
    try:
        yield
    finally:
        for (owner, name), wrapper in patched.items():
            setattr(owner, name, wrapper)


def degraded(captured: testing.Captured) -> set[str]:
    points = captured.points("llm_router.instrumentation.degraded", instrumentation="llm_router_litellm")
    assert len(points) > 5
    return {point.labels["hook"] for point in points if point.value}


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    messages = [record.getMessage() for record in caplog.records]
    return sorted(message.split("'")[1] for message in messages if "instrumentation degraded" in message)


def local_cache() -> None:
    for name in ("orjson", "soundfile"):  # which LiteLLM's cache imports without declaring them
        pytest.importorskip(name)
    litellm = pytest.importorskip("litellm")
    litellm.cache = litellm.Cache(type="local")


GONE = [("call",), ("request",), ("request", "call")]


@pytest.mark.parametrize("hooks", GONE, ids="+".join)
async def test_hooks_on_requests(
    make_router: Any, ask: Any, captured: testing.Captured, caplog: pytest.LogCaptureFixture, hooks: tuple[str, ...]
) -> None:
    with left_behind(hooks), caplog.at_level(logging.WARNING, logger="otel_llm_router"):
        router = make_router()
        for _ in range(PATIENCE - 1):
            await router.acompletion("smart", ask(alpha=[{}]))
        assert degraded(captured) == set()
        for _ in range(ENOUGH):
            await router.acompletion("smart", ask(alpha=[{}]))
    assert degraded(captured) == set(hooks)
    assert said(caplog) == sorted(hooks)


@pytest.mark.parametrize("hooks", GONE, ids="+".join)
async def test_hooks_on_requests_while_every_request_fails(
    make_router: Any, ask: Any, captured: testing.Captured, hooks: tuple[str, ...]
) -> None:
    with left_behind(hooks):
        router = make_router(num_retries=0)
        for _ in range(ENOUGH):
            with pytest.raises(Exception, match="simulated failure"):
                await router.acompletion("smart", ask(alpha=[{"status": 500}]))
    assert degraded(captured) == set(hooks)


@pytest.mark.parametrize("hooks", GONE, ids="+".join)
def test_hooks_on_requests_of_the_synchronous_api(
    make_router: Any, ask: Any, captured: testing.Captured, hooks: tuple[str, ...]
) -> None:
    with left_behind(hooks):
        router = make_router()
        for _ in range(ENOUGH):
            router.completion("smart", ask(alpha=[{}]))
    assert degraded(captured) == set(hooks)


async def test_the_hook_on_the_cache(
    make_router: Any, ask: Any, captured: testing.Captured, caplog: pytest.LogCaptureFixture, providers: Any
) -> None:
    local_cache()
    with left_behind(["cache"]), caplog.at_level(logging.WARNING, logger="otel_llm_router"):
        router = make_router(cache_responses=True)
        messages = ask(alpha=[{}])
        hits = 0
        while hits < ENOUGH:
            stream = hits % 2 == 1
            response = await router.acompletion("smart", messages, stream=stream)
            if stream:
                async for _ in response:
                    pass
            hits += stream or bool(response._hidden_params.get("cache_hit"))
    assert degraded(captured) == {"cache"}
    assert said(caplog) == ["cache"]
    assert captured.value("llm_router.attempts") == providers["alpha"].record["attempts"]
    answered = captured.value("llm_router.inference", status="success")
    assert captured.value("llm_router.inference", cached="true") == answered - captured.value("llm_router.attempts")


async def test_the_hook_on_the_cost_of_streams(
    make_router: Any, ask: Any, captured: testing.Captured, caplog: pytest.LogCaptureFixture
) -> None:
    with left_behind(["cost", "sync_cost"]), caplog.at_level(logging.WARNING, logger="otel_llm_router"):
        router = make_router()
        for _ in range(ENOUGH):
            stream = await router.acompletion(
                "smart", ask(alpha=[{}]), stream=True, stream_options={"include_usage": True}
            )
            async for _ in stream:
                pass
        stream = None

        await asyncio.sleep(0.2)  # its logging is done by a worker in the background
        gc.collect()
    assert degraded(captured) == {"cost"}
    assert said(caplog) == ["cost"]


async def test_the_hook_on_streams(make_router: Any, ask: Any, captured: testing.Captured) -> None:
    with left_behind(["stream"]):
        router = make_router()
        for _ in range(ENOUGH):
            async for _ in await router.acompletion("smart", ask(alpha=[{}]), stream=True):
                pass
    assert degraded(captured) == {"stream"}


class Traffic:
    """Healthy traffic of every kind; each method is one kind."""

    def __init__(self, make_router: Any, ask: Any) -> None:
        self.ask = ask
        self.router = make_router(fallbacks=[{"smart": ["backup"]}], num_retries=0)
        embed = make_router.deployment("embed", "text-embedding-3-small", "alpha")
        self.embedder = make_router(models=[embed], num_retries=0)
        shadowed = make_router.deployment("smart", "gpt-4o-mini", "alpha")
        shadowed["litellm_params"]["silent_model"] = "backup"
        self.shadowing = make_router(models=[shadowed, make_router.deployment("backup", "gpt-4o", "beta")])
        self.litellm: Any = sys.modules["litellm"]

    async def complete(self) -> None:
        await self.router.acompletion("smart", self.ask(alpha=[{}]))

    async def stream(self) -> None:
        options = {"stream_options": {"include_usage": True}}
        async for _ in await self.router.acompletion("smart", self.ask(alpha=[{}]), stream=True, **options):
            pass

    async def stream_without_usage(self) -> None:
        async for _ in await self.router.acompletion("smart", self.ask(alpha=[{}]), stream=True):
            pass

    async def stream_to_the_finish_reason(self) -> None:
        async for chunk in await self.router.acompletion("smart", self.ask(alpha=[{}]), stream=True):
            if chunk.choices and chunk.choices[0].finish_reason:
                break

    async def abandoned_stream(self) -> None:
        async for _ in await self.router.acompletion("smart", self.ask(alpha=[{}]), stream=True):
            break

    async def synchronous(self) -> None:
        self.router.completion("smart", self.ask(alpha=[{}]))

    async def synchronous_elsewhere(self) -> None:
        await asyncio.to_thread(self.router.completion, "smart", self.ask(alpha=[{}]))

    async def synchronous_stream(self) -> None:
        options = {"stream": True, "stream_options": {"include_usage": True}}
        list(self.router.completion("smart", self.ask(alpha=[{}]), **options))

    async def fallback(self) -> None:
        await self.router.acompletion("smart", self.ask(alpha=[{"status": 500}], beta=[{}]))

    async def rehearsed_fallback(self) -> None:
        await self.router.acompletion("smart", self.ask(beta=[{}]), mock_testing_fallbacks=True)

    async def all_fail(self) -> None:
        with suppress(Exception):
            await self.router.acompletion("smart", self.ask(alpha=[{"status": 500}], beta=[{"status": 500}]))

    async def unknown_model(self) -> None:
        with suppress(Exception):
            await self.router.acompletion("nobody", self.ask())

    async def mocked(self) -> None:
        await self.router.acompletion("smart", self.ask(), mock_response="hello")

    async def experiment(self) -> None:
        await self.shadowing.acompletion("smart", self.ask(alpha=[{}], beta=[{}]))

    async def embed(self) -> None:
        await self.embedder.aembedding("embed", input=["one", "two"])

    async def embed_synchronously(self) -> None:
        self.embedder.embedding("embed", input=["one", "two"])

    async def batch(self) -> None:
        await self.router.abatch_completion(models=["smart", "backup"], messages=self.ask(alpha=[{}], beta=[{}]))

    async def fastest(self) -> None:
        await self.router.abatch_completion_fastest_response(model="smart, backup", messages=self.ask(alpha=[{}]))

    async def moderation(self) -> None:
        with suppress(Exception):  # no upstream of ours does it
            await self.router.amoderation(model="smart", input="hello")

    async def speech(self) -> None:
        with suppress(Exception):
            await self.router.aspeech(model="smart", input="hello", voice="alloy")

    async def deciding_only(self) -> None:
        self.router.get_available_deployment("smart", self.ask())
        await self.router.async_get_available_deployment("smart", messages=self.ask(), request_kwargs={})

    async def outside_a_router(self) -> None:
        params = self.router.model_list[0]["litellm_params"]
        for metadata in (None, {"model_group": "mine"}):
            await self.litellm.acompletion(**params, messages=self.ask(alpha=[{}]), metadata=metadata)
        self.litellm.completion(**params, messages=self.ask(alpha=[{}]))

    async def outside_a_router_in_a_stream(self) -> None:
        params = self.router.model_list[0]["litellm_params"]
        async for _ in await self.litellm.acompletion(**params, messages=self.ask(alpha=[{}]), stream=True):
            pass


def same(messages: list[dict[str, str]], **_upstreams: Any) -> list[dict[str, str]]:
    return messages


KINDS = [name for name in vars(Traffic) if not name.startswith("_")]


@pytest.mark.parametrize("cached", [False, True], ids=["uncached", "cached"])
@pytest.mark.parametrize("kind", KINDS)
async def test_healthy_traffic_of_one_kind_degrades_nothing(
    make_router: Any, ask: Any, captured: testing.Captured, kind: str, cached: bool
) -> None:
    messages: list[dict[str, str]] = []
    if cached:
        local_cache()
        messages = ask(alpha=[{}], beta=[{}])

    with left_behind([]):
        traffic = Traffic(make_router, partial(same, messages) if messages else ask)
        for _ in range(PATIENCE + 2):
            await getattr(traffic, kind)()
        await asyncio.sleep(0.05)
        del traffic
        gc.collect()
        assert degraded(captured) == set()
