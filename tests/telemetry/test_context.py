"""What is current where: nothing of ours outlives its block, and no later span gets a wrong parent."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import AsyncGenerator, Generator

import pytest
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan

from otel_llm_router import telemetry as router
from otel_llm_router import testing


def _id(span: ReadableSpan) -> int:
    assert span.context is not None
    return span.context.span_id


def test_the_callers_span_is_the_parent(captured: testing.Captured):
    tracer = captured.tracer_provider.get_tracer("application")
    with tracer.start_as_current_span("POST /chat") as server:
        with router.request(model="smart"):
            pass
        assert trace.get_current_span() is server

    (route,) = captured.spans("route smart")
    assert route.parent is not None
    assert route.parent.span_id == server.get_span_context().span_id


def test_tasks_and_threads_inherit_the_request_as_they_inherit_a_span(captured: testing.Captured):
    seen: list[router.Request | None] = []

    async def task() -> None:
        seen.append(router.current())

    async def main() -> None:
        with router.request() as request:
            await asyncio.create_task(task())
            copied = contextvars.copy_context()
            thread = threading.Thread(target=lambda: seen.append(copied.run(router.current)))
            thread.start()
            thread.join()
            assert seen == [request, request]

    asyncio.run(main())
    assert len(seen) == 2


def test_tasks_do_not_see_each_others_requests(captured: testing.Captured):
    async def routed(name: str) -> None:
        with router.request(model=name) as request:
            for _ in range(5):
                await asyncio.sleep(0)
                assert router.current() is request
                with router.attempt("openai", name):
                    await asyncio.sleep(0)

    async def main() -> None:
        await asyncio.gather(*(routed(f"model-{number}") for number in range(20)))

    asyncio.run(main())
    routes = {_id(span): span.name for span in captured.spans() if span.name.startswith("route")}
    for span in captured.spans():
        if span.name.startswith("chat"):
            assert span.parent is not None
            assert routes[span.parent.span_id] == span.name.replace("chat", "route")


def test_an_application_that_yields_inside_a_block_does_not_adopt_what_follows(captured: testing.Captured):
    """A plain generator leaves the block's context with its consumer; once it has ended, nothing becomes its child."""

    def careless() -> Generator[int]:
        with router.request(model="careless"):
            yield 1
            yield 2

    def main() -> None:
        stream = careless()
        next(stream)
        router.current()
        list(stream)
        with router.request(model="next"):
            pass

    contextvars.copy_context().run(main)
    (following,) = captured.spans("route next")
    assert following.parent is None


def test_a_block_left_by_another_task_does_not_disturb_that_task(
    captured: testing.Captured, caplog: pytest.LogCaptureFixture
):
    async def careless() -> AsyncGenerator[int]:
        with router.request(model="careless"):
            yield 1

    async def main() -> None:
        stream = careless()
        await asyncio.create_task(anext(stream))  # pyright: ignore[reportArgumentType]

        async def close() -> None:
            tracer = captured.tracer_provider.get_tracer("application")
            with tracer.start_as_current_span("closing") as span:
                await stream.aclose()
                assert trace.get_current_span() is span
            assert otel_context.get_current() == {}

        await asyncio.create_task(close())

    asyncio.run(main())
    assert captured.value("llm_router.inference", status="aborted") == 1
    assert caplog.records == []


def test_a_request_that_has_ended_takes_no_more_calls(captured: testing.Captured):
    """What is called in a context that was left behind belongs to a request of its own."""
    with router.request(model="first") as first:
        left_behind = first.context
    token = otel_context.attach(left_behind)
    try:
        assert router.current() is None
        with router.attempt("openai", "gpt-4o"):
            pass
    finally:
        otel_context.detach(token)

    assert captured.value("llm_router.inference") == 2
    (chat,) = captured.spans("chat gpt-4o")
    (second,) = captured.spans("route gpt-4o")
    assert chat.parent is not None
    assert chat.parent.span_id == _id(second)
    assert second.parent is None


def test_an_applications_own_context_values_survive(captured: testing.Captured):
    token = otel_context.attach(otel_context.set_value("tenant", "acme"))
    try:
        with router.request(), router.attempt("openai", "gpt-4o"):
            assert otel_context.get_value("tenant") == "acme"
        assert otel_context.get_value("tenant") == "acme"
    finally:
        otel_context.detach(token)
