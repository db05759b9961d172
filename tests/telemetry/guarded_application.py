"""An application that uses everything of ours, and whose answers must not depend on us."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import AbstractContextManager
from typing import Any, TypeAlias

from otel_llm_router.telemetry import Telemetry

Call: TypeAlias = Callable[..., Any]


class ProviderError(Exception):
    """The application's own failure."""


class Application:
    """A router that uses everything; what it answers must not depend on us."""

    def __init__(self, telemetry: Telemetry, chunk: Call, answer: Call) -> None:
        self._router = telemetry
        self._answer = answer(10, 5)
        self._chunks = [chunk("a"), chunk("b")]
        self._counter = telemetry.counter("app.requests", labels=["tenant"])
        self._histogram = telemetry.histogram("app.latency", labels=["tenant"], buckets=[1, 2])

    def run(self) -> list[Any]:
        return [
            *self._holds(),
            self._answers(),
            self._fails(),
            list(self._streams()),
            self._walks_away(),
            list(self._generates()),
            asyncio.run(self._awaits()),
        ]

    def _answers(self) -> Any:
        router = self._router
        with router.request(model="smart", user="ada"):
            with router.cache("exact") as cache:
                cache.miss(similarity=0.3)
            with router.decision(["gpt-4o"]) as decision:
                decision.filtered("cooldown")
                decision.select("gpt-4o", reason="cheapest")
            with router.queue("slots").wait(_Slots()), router.attempt("openai", "gpt-4o") as call:
                call.cost(0.1)
                return call.response(self._answer)

    def _fails(self) -> Any:
        try:
            with self._router.request(model="smart") as request:
                request.failed_attempt("eu", ProviderError("first"), provider="openai")
                with request.attempt("openai", "gpt-4o"):
                    raise ProviderError("second")  # noqa: TRY301  # as a provider's SDK does
        except ProviderError as error:
            return type(error), error.args

    def _streams(self) -> Any:
        with self._router.request(model="smart") as request:
            return request.stream(iter(self._chunks), model="gpt-4o", provider="openai")

    def _walks_away(self) -> Any:
        with self._router.request(model="smart") as request:
            stream = request.stream((item for item in self._chunks), model="gpt-4o", provider="openai")
        first = next(stream)
        stream.close()
        return first

    def _generates(self) -> Generator[Any]:
        def body() -> Generator[Any]:
            with self._router.attempt("openai", "gpt-4o"):
                yield from self._chunks

        return self._router.route(model="smart")(body)()

    async def _awaits(self) -> list[Any]:
        async def events() -> AsyncGenerator[Any]:
            for item in self._chunks:
                yield item

        async def body() -> list[Any]:
            request = self._router.current()
            stream = events() if request is None else request.stream(events(), model="gpt-4o")
            return [item async for item in stream]

        return await self._router.route(model="smart")(body)()

    def _holds(self) -> list[Any]:
        router = self._router
        blocks: list[AbstractContextManager[Any]] = [
            router.connection("sse"),
            router.model_load("llama"),
            router.cache("exact"),
            router.decision(["a"]),
            router.attempt("openai", "alone"),
        ]
        for block in blocks:
            with block:
                pass
        cache = router.cache("exact")
        return [
            cache.hit("found", saved_usd=0.1),
            *(
                cache.evicted(2),
                cache.set_size(1, entries=2),
                router.queue("slots").set_size(1),
                router.queue("slots").processed(0.1),
                router.model_loaded("phi", size_bytes=1),
                router.model_unloaded("phi"),
                router.observe_queue("slots", depth=lambda: 1, capacity=2),
                router.observe_cache("exact", bytes=lambda: 1, entries=lambda: 1),
                router.observe_connections("openai", open=lambda: 1),
                router.budget("team", limit_usd=1, spent_usd=2),
                router.saved(0.1),
                router.rate_limit("openai", "gpt-4o", requests_left=1, tokens_left=2),
                router.rate_limited("team"),
                router.auth_failure(),
                router.deployment("eu", provider="openai", model="gpt-4o"),
                router.cooldown("eu", provider="openai", model="gpt-4o", seconds=1, error=ProviderError()),
                router.error(ProviderError()),
                self._counter.add(1, tenant="a"),
                self._histogram.record(1, tenant="a"),
            ),
        ]


class _Slots:
    def __enter__(self) -> str:
        return "slot"

    def __exit__(self, *exc: object) -> None: ...


def healthy_results(application: Application) -> list[Any]:
    results = application.run()
    assert (ProviderError, ("second",)) in results
    return results
