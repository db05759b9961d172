"""HTTP requests to a real FastAPI application behind a real server."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Generator
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI, HTTPException
from fastapi.responses import StreamingResponse
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.trace import SpanKind

from otel_llm_router import testing
from otel_llm_router.instrumentation.asgi import AsgiInstrumentor

TRACE = "0af7651916cd43dd8448eb211c80319c"


def traceparent(trace: str) -> dict[str, str]:
    return {"traceparent": f"00-{trace}-b7ad6b7169203331-01"}


@pytest.fixture(params=[False, True], ids=["sdk", "fast"])
def captured(request: pytest.FixtureRequest) -> Generator[testing.Captured]:
    instrumentor = AsgiInstrumentor()
    instrumentor.instrument(skip_dep_check=True)
    with testing.capture(fast_path=request.param) as found:
        yield found
    instrumentor.uninstrument()


@pytest.fixture
def base(captured: testing.Captured, serve: Any) -> str:
    app, inner, sub = FastAPI(), APIRouter(), FastAPI()

    @app.get("/items/{item}")
    async def item(item: str) -> dict[str, str]:
        if item == "gone":
            raise HTTPException(410)
        if item == "broken":
            raise RuntimeError("a secret in a message")
        return {"item": item}

    @inner.post("/{part}")
    async def part(part: str) -> str:
        return part

    @sub.get("/deep/{leaf}")
    async def leaf(leaf: str) -> str:
        return leaf

    @app.get("/events")
    async def events(slow: bool = False) -> StreamingResponse:
        async def stream() -> AsyncIterator[str]:
            for number in range(100 if slow else 3):
                yield f"data: {number}\n\n"
                await asyncio.sleep(0.02 if slow else 0)

        return StreamingResponse(stream(), media_type="text/event-stream")

    app.include_router(inner, prefix="/parts")
    app.mount("/sub", sub)
    for one in (app, sub):
        FastAPIInstrumentor.instrument_app(
            one,
            tracer_provider=captured.tracer_provider,
            meter_provider=captured.meter_provider,
            exclude_spans=["receive", "send"],
            excluded_urls="/excluded",
        )
    return serve(app)


async def test_requests_by_route_template(base: str, captured: testing.Captured, eventually: Any) -> None:
    async with httpx.AsyncClient(base_url=base) as http:
        for name in ("a", "b", "gone"):
            await http.get(f"/items/{name}")
        await http.post("/parts/one")
        await http.get("/sub/deep/x")
        await http.get("/nowhere")
        await http.request("BREW", "/items/a")
        assert (await http.get("/items/broken")).status_code == 500  # the last: uvicorn closes its connection
    value = captured.value
    assert await eventually(lambda: value("llm_router.http.requests") == 8)
    assert value("llm_router.http.requests", method="GET", route="/items/{item}", status_code="200") == 2
    assert value("llm_router.http.requests", method="GET", route="/items/{item}", status_code="410") == 1
    assert value("llm_router.http.requests", method="GET", route="/items/{item}", status_code="500") == 1
    assert value("llm_router.http.requests", method="POST", route="/parts/{part}", status_code="200") == 1
    assert value("llm_router.http.requests", method="GET", route="/sub/deep/{leaf}", status_code="200") == 1
    assert value("llm_router.http.requests", method="GET", route="", status_code="404") == 1
    assert value("llm_router.http.requests", method="other", status_code="405") == 1
    assert value("llm_router.http.requests") == 8
    assert captured.count("llm_router.http.request.duration") == 8
    assert captured.value("llm_router.active_connections") == 0
    assert captured.count("llm_router.connection.duration", type="http", protocol="http/1.1") == 8


async def test_one_server_span_under_the_callers_trace(base: str, captured: testing.Captured, eventually: Any) -> None:
    async with httpx.AsyncClient(base_url=base) as http:
        await http.get("/events", headers=traceparent(TRACE))
    assert await eventually(captured.spans)
    (span,) = captured.spans()
    assert span.kind is SpanKind.SERVER
    assert format(span.get_span_context().trace_id, "032x") == TRACE  # pyright: ignore[reportOptionalMemberAccess]


async def test_a_connection_that_is_kept_alive_hands_no_trace_on(
    base: str, captured: testing.Captured, eventually: Any
) -> None:
    """After a body over 64 KiB, uvicorn starts the next request inside the context of the one before."""
    host, port = base.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    traces = [f"{number:032x}" for number in range(1, 9)]
    for trace in traces:
        body = b"x" * 100_000
        writer.write(
            f"POST /parts/one HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n"
            f"traceparent: 00-{trace}-b7ad6b7169203331-01\r\n\r\n".encode()
            + body
        )
        await writer.drain()
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(next(line.split(b":")[1] for line in head.split(b"\r\n") if line.startswith(b"content-length")))
        await reader.readexactly(length)
    writer.close()
    assert await eventually(lambda: len(captured.spans()) == len(traces))
    spans = captured.spans()
    assert [span.kind for span in spans] == [SpanKind.SERVER] * len(traces)
    found = [format(span.get_span_context().trace_id, "032x") for span in spans]  # pyright: ignore[reportOptionalMemberAccess]
    assert found == traces


async def test_pipelined_requests_each_have_their_own_trace(
    base: str, captured: testing.Captured, eventually: Any
) -> None:
    host, port = base.removeprefix("http://").split(":")
    traces = [f"{number:032x}" for number in range(1, 6)]
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(
            b"".join(
                f"GET /items/a HTTP/1.1\r\nhost: x\r\ntraceparent: 00-{trace}-b7ad6b7169203331-01\r\n\r\n".encode()
                for trace in traces
            )
        )
        assert await eventually(lambda: len(captured.spans()) == len(traces))
    spans = captured.spans()
    assert {span.kind for span in spans} == {SpanKind.SERVER}
    found = {format(span.get_span_context().trace_id, "032x") for span in spans}  # pyright: ignore[reportOptionalMemberAccess]
    assert found == set(traces)


async def test_a_stream_of_events_is_a_connection_of_its_own_kind(
    base: str, captured: testing.Captured, eventually: Any
) -> None:
    async with httpx.AsyncClient(base_url=base) as http, http.stream("GET", "/events?slow=true") as answer:
        async for _ in answer.aiter_lines():
            break
        assert captured.value("llm_router.active_connections", type="sse") == 1
        assert captured.value("llm_router.active_connections", type="http") == 0
    assert await eventually(lambda: captured.value("llm_router.active_connections", type="sse") == 0)
    assert captured.count("llm_router.connection.duration", type="sse") == 1
    assert captured.value("llm_router.http.requests", route="/events", status_code="200") == 1


async def test_excluded_paths_are_left_out(base: str, captured: testing.Captured) -> None:
    async with httpx.AsyncClient(base_url=base) as http:
        await http.get("/excluded")
    assert captured.value("llm_router.http.requests") == 0
    assert captured.spans() == []
