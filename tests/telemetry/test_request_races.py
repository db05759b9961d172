"""Whatever ends a request, in whatever order, thread or task: it ends once, and counts are exact."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import itertools
import threading
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from otel_llm_router import telemetry as router
from otel_llm_router import testing
from tests.telemetry.application_errors import ProviderError
from tests.telemetry.spans import span_id


def _ends(request: router.Request) -> dict[str, Callable[[], None]]:
    return {
        "end": request.end,
        "abort": lambda: request.end("aborted", "client_disconnect"),
        "fail": lambda: request.fail(ProviderError(500)),
    }


@pytest.mark.parametrize("order", list(itertools.permutations(["end", "abort", "fail", "stream", "close", "gc"], 2)))
def test_it_ends_exactly_once_in_whatever_order_ends_come(captured: testing.Captured, order: tuple[str, ...]):
    def upstream() -> Generator[str]:
        yield "a"
        yield "b"

    with router.request(model="smart") as request:
        stream: Generator[str] | None = request.stream(upstream(), model="gpt-4o", provider="openai")
        next(stream)
    for step in order:
        if step == "stream" and stream is not None:
            list(stream)
        elif step == "close" and stream is not None:
            stream.close()
        elif step == "gc":
            stream = None
            gc.collect()
        elif step in _ends(request):
            _ends(request)[step]()
    del stream
    gc.collect()

    expected = {"end": "success", "stream": "success", "close": "aborted", "gc": "aborted", "abort": "aborted"}
    assert [(p.labels["status"], p.value) for p in captured.points("llm_router.inference")] == [
        (expected.get(order[0], "error"), 1)
    ]
    assert captured.value("llm_router.attempts") == 1
    assert captured.count("llm_router.inference.duration") == 1
    assert captured.value("llm_router.requests.in_flight") == 0
    assert captured.value("llm_router.attempts.in_flight") == 0
    assert len(captured.spans("route smart")) == 1
    assert len(captured.spans("chat gpt-4o")) == 1


def test_racing_threads_end_it_once(captured: testing.Captured):
    for _ in range(50):
        request = router.request(model="smart")
        barrier = threading.Barrier(4)

        def race(end: Callable[[], None], barrier: threading.Barrier = barrier) -> None:
            barrier.wait()
            end()

        ends = [request.end, request.end, *_ends(request).values()][:4]
        threads = [threading.Thread(target=race, args=(end,)) for end in ends]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert captured.value("llm_router.inference") == 50
    assert captured.value("llm_router.requests.in_flight") == 0
    assert len(captured.spans()) == 50


def test_counts_are_exact_under_tasks_and_threads_mixed(captured: testing.Captured, answer: Callable[..., Any]):
    tasks, threads = 150, 100

    async def routed(number: int) -> None:
        with router.request(model="smart", strategy="s"):
            for _ in range(number % 3):
                with contextlib.suppress(ProviderError):
                    async with router.attempt("openai", "gpt-4o"):
                        await asyncio.sleep(0)
                        raise ProviderError(500)
            async with router.attempt("anthropic", "claude") as call:
                await asyncio.sleep(0)
                call.response(answer(number, 2))
            if number % 10 == 0:
                raise ProviderError(400)

    def threaded(number: int) -> None:
        asyncio.run(routed(number))

    async def main() -> list[BaseException | None]:
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(8) as pool:
            return await asyncio.gather(
                *(routed(number) for number in range(tasks)),
                *(loop.run_in_executor(pool, threaded, number) for number in range(threads)),
                return_exceptions=True,
            )

    results = asyncio.run(main())
    numbers = [*range(tasks), *range(threads)]
    failed = sum(1 for number in numbers if number % 10 == 0)
    extra = sum(number % 3 for number in numbers)
    assert sum(isinstance(result, ProviderError) for result in results) == failed
    assert captured.value("llm_router.inference") == len(numbers)
    assert captured.value("llm_router.inference", status="error") == failed
    assert captured.value("llm_router.attempts") == len(numbers) + extra
    assert captured.value("llm_router.attempts", provider="openai", status="error") == extra
    assert captured.count("llm_router.attempt.duration") == len(numbers) + extra
    assert captured.value("llm_router.tokens", type="input") == sum(numbers)
    assert captured.value("llm_router.tokens", type="output") == 2 * len(numbers)
    assert captured.value("llm_router.tokens.generated") == 2 * len(numbers)
    assert captured.value("llm_router.retries") == sum(max(0, number % 3 - 1) for number in numbers)
    assert captured.value("llm_router.fallbacks") == sum(1 for number in numbers if number % 3)
    assert captured.value("llm_router.requests.in_flight") == 0
    assert captured.value("llm_router.attempts.in_flight") == 0
    routes = {span_id(span): span for span in captured.spans("route smart")}
    children = [span for span in captured.spans() if span.name != "route smart"]
    assert len(routes) == len(numbers)
    assert len(children) == len(numbers) + extra
    assert all(span.parent is None for span in routes.values())
    assert all(child.parent is not None and child.parent.span_id in routes for child in children)
