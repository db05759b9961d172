"""The examples of the manual for routers, as they are written there."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncGenerator, Callable, Coroutine
from types import SimpleNamespace
from typing import Any

import pytest

from otel_llm_router import telemetry as router
from otel_llm_router import testing

CHAT = """
@router.route(strategy="cheapest")            # sync, async, generator and async-generator functions alike
async def chat(req):
    with router.cache("exact") as c:
        if (hit := store.get(req.key)) is not None:
            return c.hit(hit)
    with router.decision(candidates=MODELS) as d:
        model = d.select(pick(req), reason="code detected", score=0.82, estimated_cost=0.0004)
    async with router.queue("slots").wait(slots):
        async with router.attempt("openai", model) as call:
            return call.response(await client.chat.completions.create(model=model, messages=req.messages))
"""
STREAM = """
async def stream(req):
    with router.request(user=req.user) as r:
        for dep in deployments(req):
            try:
                return r.stream(await dep.open(req), model=dep.model, provider=dep.provider)
            except ProviderError as e:
                r.failed_attempt(dep.name, e)     # the fallback is counted by itself
        raise AllDown()
"""
HOLDS = """
with router.model_load("llama.gguf", format="gguf") as m:
    m.size_bytes = load(path)
router.observe_queue("slots", depth=lambda: slots.waiting, capacity=8)
router.observe_cache("responses", bytes=lambda: store.nbytes, entries=lambda: len(store))
router.budget(scope="team-a", limit_usd=100, spent_usd=31.2)
"""


def _example(code: str, **names: Any) -> dict[str, Any]:
    namespace: dict[str, Any] = {"router": router, **names}
    exec(compile(code, "routers.md", "exec"), namespace)
    return namespace


def _pick(_request: Any) -> str:
    return "gpt-4o"


def test_the_chat_example(captured: testing.Captured, answer: Callable[..., Any]):
    made = answer(10, 5)

    async def create(**_: Any) -> Any:
        await asyncio.sleep(0)
        return made

    store: dict[str, Any] = {}
    request = SimpleNamespace(key="k", model="smart", messages=[])

    async def main() -> None:
        chat = _example(
            CHAT,
            store=store,
            MODELS=["gpt-4o", "phi"],
            pick=_pick,
            slots=asyncio.Semaphore(1),
            client=SimpleNamespace(chat=SimpleNamespace(completions=SimpleNamespace(create=create))),
        )["chat"]
        assert inspect.iscoroutinefunction(chat)
        assert await chat(request) is made
        store["k"] = made
        assert await chat(request) is made

    asyncio.run(main())
    assert captured.value("llm_router.inference", model="gpt-4o", strategy="cheapest", cached="false") == 1
    assert captured.value("llm_router.inference", model="gpt-4o-2024-08-06", strategy="cheapest", cached="true") == 1
    assert captured.value("llm_router.inference", status="success") == 2
    assert captured.value("llm_router.cache.misses", cache_type="exact") == 1
    assert captured.value("llm_router.cache.hits", cache_type="exact") == 1
    assert captured.value("llm_router.decisions", strategy="cheapest", model="gpt-4o", reason="code detected") == 1
    assert captured.count("llm_router.queue.wait", queue_type="slots") == 1
    assert captured.count("llm_router.queue.processing", queue_type="slots") == 1
    assert captured.value("llm_router.queue.size", queue_type="slots") == 0
    assert captured.value("llm_router.attempts", provider="openai", model="gpt-4o", status="success") == 1
    assert captured.value("llm_router.tokens.generated") == 10
    first, second = captured.spans("route smart")
    assert [event.name for event in first.events] == [
        "llm_router.cache.lookup",
        "llm_router.decision",
        "llm_router.queue.wait",
    ]
    assert [event.name for event in second.events] == ["llm_router.cache.lookup"]
    assert (second.attributes or {})["llm_router.cached"] is True


class ProviderError(Exception):
    """Of the example."""


class AllDownError(Exception):
    """Of the example."""


class _Deployment:
    def __init__(self, name: str, chunks: list[Any] | None) -> None:
        self.name, self.provider, self.model = name, "openai", name + "-model"
        self._chunks = chunks

    async def open(self, _request: Any) -> AsyncGenerator[Any]:
        await asyncio.sleep(0)
        if self._chunks is None:
            raise ProviderError
        return self._events(self._chunks)

    @staticmethod
    async def _events(chunks: list[Any]) -> AsyncGenerator[Any]:
        for item in chunks:
            await asyncio.sleep(0)
            yield item


def _stream_example(*deployments: _Deployment) -> Callable[[Any], Coroutine[Any, Any, AsyncGenerator[Any]]]:
    def listed(_request: Any) -> tuple[_Deployment, ...]:
        return deployments

    return _example(STREAM, deployments=listed, ProviderError=ProviderError, AllDown=AllDownError)["stream"]


def test_the_stream_example(captured: testing.Captured, chunk: Callable[..., Any]):
    chunks = [chunk("a"), chunk("b"), chunk(usage=SimpleNamespace(prompt_tokens=3, completion_tokens=2))]

    async def main() -> None:
        stream = await _stream_example(_Deployment("eu", None), _Deployment("us", chunks))(SimpleNamespace(user="ada"))
        untyped: Any = stream
        assert inspect.isasyncgen(untyped)
        assert [item async for item in stream] == chunks

    asyncio.run(main())
    assert captured.value("llm_router.inference", model="us-model", status="success") == 1
    assert captured.value("llm_router.inference") == 1
    assert captured.value("llm_router.attempts", status="error") == 1
    assert captured.value("llm_router.attempts", provider="openai", model="us-model", status="success") == 1
    assert captured.value("llm_router.attempts") == 2
    assert captured.value("llm_router.fallbacks", from_model="eu", to_model="us-model", status="success") == 1
    assert captured.value("llm_router.fallbacks") == 1
    assert captured.points("llm_router.retries") == []
    assert captured.value("llm_router.tokens.generated", model="us-model") == 2
    assert captured.count("llm_router.time_to_first_token") == 1
    (route,) = [span for span in captured.spans() if span.name.startswith("route")]
    assert (route.attributes or {})["user.id"] == "ada"


def test_the_stream_example_when_all_are_down(captured: testing.Captured):
    with pytest.raises(AllDownError):
        asyncio.run(_stream_example(_Deployment("eu", None), _Deployment("us", None))(SimpleNamespace(user="ada")))

    assert captured.value("llm_router.inference", status="error") == 1
    assert captured.value("llm_router.attempts", status="error") == 2
    assert captured.value("llm_router.requests.in_flight") == 0


def test_the_example_of_what_a_router_holds(captured: testing.Captured):
    class Store(dict[str, int]):
        nbytes = 4096

    def load(_path: str) -> float:
        return 4e9

    _example(HOLDS, load=load, path="/models", slots=SimpleNamespace(waiting=3), store=Store(a=1, b=2))
    assert captured.count("llm_router.model.load.duration", model="llama.gguf", format="gguf") == 1
    assert captured.value("llm_router.models.loaded", format="gguf", size_category="medium") == 1
    assert captured.value("llm_router.model.memory", model="llama.gguf", format="gguf") == 4e9
    assert captured.value("llm_router.queue.size", queue_type="slots") == 3
    assert captured.value("llm_router.queue.capacity", queue_type="slots") == 8
    assert captured.value("llm_router.cache.size", cache_type="responses") == 4096
    assert captured.value("llm_router.cache.entries", cache_type="responses") == 2
    assert captured.value("llm_router.budget.limit.usd", scope="team-a") == 100
    assert captured.value("llm_router.budget.used.usd", scope="team-a") == pytest.approx(31.2)
