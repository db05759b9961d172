"""Where OpenTelemetry's middleware is put in place: once for each request, whatever serves it."""

# pyright: reportMissingTypeStubs=false

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any

import httpx
import pytest
from fastapi import applications as fastapi_applications
from hypercorn.config import Config as HypercornConfig
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.trace import SpanKind, StatusCode
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.websockets import WebSocket
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, CloseConnection, TextMessage
from wsproto.events import Request as Opening

from otel_llm_router import testing
from otel_llm_router.instrumentation.asgi import AsgiInstrumentor

Captured = testing.Captured


async def echo(request: Request) -> Response:
    return PlainTextResponse(str(len(await request.body())))


async def fails(request: Request) -> Response:
    raise RuntimeError("a secret")


def routes() -> list[Any]:
    return [
        Route("/items/{item}", echo, methods=["GET", "POST"]),
        Route("/fails", fails),
        Mount("/inner", Starlette(routes=[Route("/deep/{leaf}", echo)])),
        Mount("/group", routes=[Route("/part/{part}", echo)]),
    ]


def starlette(captured: Captured) -> Any:
    return Starlette(routes=routes())


def _fastapi() -> Any:
    app: Any = fastapi_applications.FastAPI()
    app.router.routes.extend(routes())
    return app


def fastapi_that_was_not_reached(captured: Captured) -> Any:
    return _fastapi()


def fastapi_with_its_instrumentation(captured: Captured) -> Any:
    app = _fastapi()
    providers: Any = {"tracer_provider": captured.tracer_provider, "meter_provider": captured.meter_provider}
    FastAPIInstrumentor.instrument_app(app, exclude_spans=["receive", "send"], **providers)
    return app


def wrapped_by_its_author(captured: Captured) -> Any:
    """A bare function around an application that has a middleware of its own."""
    app = fastapi_with_its_instrumentation(captured)

    async def around(scope: Any, receive: Any, send: Any) -> None:
        await app(dict(scope), receive, send)

    return around


def with_a_middleware_among_others(captured: Captured) -> Any:
    middleware = Middleware(
        OpenTelemetryMiddleware,
        tracer_provider=captured.tracer_provider,
        meter_provider=captured.meter_provider,
        exclude_spans=["receive", "send"],
    )
    return Starlette(routes=routes(), middleware=[middleware])


Make = Callable[[Captured], Any]
WITH_ROUTES: list[Make] = [
    starlette,
    fastapi_that_was_not_reached,
    fastapi_with_its_instrumentation,
    wrapped_by_its_author,
]


def spans_of(captured: Captured, kind: SpanKind) -> list[Any]:
    return [span for span in captured.spans() if span.kind is kind]


@pytest.mark.parametrize("make", WITH_ROUTES)
async def test_each_request_has_one_span_by_its_route(
    make: Make, watched: Captured, serve: Any, eventually: Any
) -> None:
    async with httpx.AsyncClient(base_url=serve(make(watched))) as http:
        for path in ("/items/1", "/inner/deep/2", "/group/part/3", "/nowhere"):
            await http.get(path)
        assert (await http.get("/fails")).status_code == 500
    assert await eventually(lambda: watched.value("llm_router.http.requests") == 5)
    # FastAPI's instrumentation does not look into a group of routes that is mounted without an application.
    group = "/group/part/{part}" if make in {starlette, fastapi_that_was_not_reached} else "/group"
    expected = {"/items/{item}": "200", "/inner/deep/{leaf}": "200", group: "200", "/fails": "500"}
    for route, status in expected.items():
        assert watched.value("llm_router.http.requests", route=route, status_code=status) == 1, route
    spans = {str(span.attributes.get("http.route")): span for span in spans_of(watched, SpanKind.SERVER)}
    assert len(spans_of(watched, SpanKind.SERVER)) == 5
    assert spans["/items/{item}"].name == "GET /items/{item}"
    assert spans["/fails"].status.status_code is StatusCode.ERROR
    assert "/nowhere" not in {span.name.partition(" ")[2] for span in spans.values()} - {""}
    assert spans_of(watched, SpanKind.INTERNAL) == []


async def bare(scope: Any, receive: Any, send: Any) -> None:
    size, more = 0, True
    while more:
        message = await receive()
        size, more = size + len(message["body"]), message["more_body"]
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-own", b"1")]})
    await send({"type": "http.response.body", "body": str(size).encode()})


class Bare:
    def __call__(self, scope: Any, receive: Any, send: Any) -> Awaitable[None]:
        return bare(scope, receive, send)


@pytest.mark.parametrize("options", [{}, {"proxy_headers": False}, {"interface": "asgi3"}])
@pytest.mark.parametrize("app", [bare, Bare()])
async def test_a_bare_application_has_spans_without_a_path_in_their_names(
    app: Any, options: Any, watched: Captured, serve: Any, eventually: Any
) -> None:
    if isinstance(app, Bare):
        options = {**options, "interface": "asgi3"}
    async with httpx.AsyncClient(base_url=serve(app, **options)) as http:
        answer = await http.post("/a/b", content=b"xyz")
    assert (answer.text, answer.headers["x-own"]) == ("3", "1")
    assert await eventually(lambda: watched.value("llm_router.http.requests", route="", status_code="200") == 1)
    (span,) = spans_of(watched, SpanKind.SERVER)
    assert span.name == "POST"


async def test_a_middleware_of_the_applications_own_is_enough(watched: Captured, serve: Any, eventually: Any) -> None:
    async with httpx.AsyncClient(base_url=serve(with_a_middleware_among_others(watched))) as http:
        await http.get("/items/1")
    assert await eventually(lambda: watched.value("llm_router.http.requests") == 1)
    assert len(spans_of(watched, SpanKind.SERVER)) == len(watched.spans()) == 1


def nothing_but_a_function(captured: Captured) -> Any:
    return bare


@pytest.mark.parametrize("server", ["h11", "httptools"])
@pytest.mark.parametrize("make", [starlette, fastapi_with_its_instrumentation, nothing_but_a_function])
async def test_a_connection_hands_no_trace_from_one_request_to_the_next(
    make: Make, server: str, watched: Captured, serve: Any, eventually: Any
) -> None:
    """After a body over 64 KiB, or pipelined, a server starts a request inside the context of the one before."""
    host, port = serve(make(watched), http=server).removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    body = b"x" * 100_000
    traces = [f"{number:032x}" for number in range(1, 9)]
    for pair in zip(traces[::2], traces[1::2], strict=True):  # two at once, in one write
        for trace in pair:
            head = f"POST /items/1 HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n"
            writer.write(f"{head}traceparent: 00-{trace}-b7ad6b7169203331-01\r\n\r\n".encode() + body)
        await writer.drain()
        for _ in pair:
            answer = await reader.readuntil(b"\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 200")
            if b"chunked" in answer:
                await reader.readuntil(b"0\r\n\r\n")
            else:
                assert await reader.readexactly(6) == b"100000"
    writer.close()
    await writer.wait_closed()
    assert await eventually(lambda: len(watched.spans()) == len(traces))
    assert {span.kind for span in watched.spans()} == {SpanKind.SERVER}
    assert sorted(format(span.context.trace_id, "032x") for span in watched.spans()) == traces  # pyright: ignore[reportOptionalMemberAccess]
    assert watched.value("llm_router.http.requests") == len(traces)


async def talk(websocket: WebSocket) -> None:
    await websocket.accept()
    while (text := await websocket.receive_text()) != "end":
        if text == "fail":
            raise RuntimeError("a secret")
        await websocket.send_text(text)
    await websocket.close()


class Talker:
    """A client of a WebSocket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._protocol = WSConnection(ConnectionType.CLIENT)
        self._reader, self.writer = reader, writer

    async def send(self, event: Any) -> None:
        self.writer.write(self._protocol.send(event))
        await self.writer.drain()

    async def receive(self) -> Any:
        while True:
            for event in self._protocol.events():
                return event
            self._protocol.receive_data(await self._reader.read(65536) or None)


@pytest.mark.parametrize("end", ["end", "fail", "go away"])
async def test_a_websocket_is_a_connection_until_it_ends(
    end: str, watched: Captured, serve: Any, eventually: Any
) -> None:
    base = serve(Starlette(routes=[WebSocketRoute("/talk/{who}", talk)]), ws="wsproto")
    active = "llm_router.active_connections"
    host, port = base.removeprefix("http://").split(":")
    talker = Talker(*await asyncio.open_connection(host, int(port)))
    await talker.send(Opening(host="x", target="/talk/me"))
    assert isinstance(await talker.receive(), AcceptConnection)
    await talker.send(TextMessage("hello"))
    assert (await talker.receive()).data == "hello"
    assert watched.value(active, type="websocket", protocol="http/1.1") == 1
    if end == "go away":
        talker.writer.transport.abort()
    else:
        await talker.send(TextMessage(end))
        assert isinstance(await talker.receive(), CloseConnection)
    assert await eventually(lambda: watched.value(active) == 0)
    talker.writer.close()
    assert watched.count("llm_router.connection.duration", type="websocket", protocol="http/1.1") == 1
    assert watched.value("llm_router.http.requests") == 0
    assert await eventually(watched.spans)
    (span,) = watched.spans()  # and none for its messages
    assert (span.kind, span.name) == (SpanKind.SERVER, "WEBSOCKET /talk/{who}")


async def test_hypercorn_and_http_2(watched: Captured, eventually: Any) -> None:
    ended, listening = threading.Event(), socket.create_server(("127.0.0.1", 0))
    base = f"http://127.0.0.1:{listening.getsockname()[1]}"
    config = HypercornConfig()
    config.bind = [f"fd://{listening.detach()}"]
    config.accesslog = config.errorlog = None

    def run() -> None:
        async def until() -> None:
            await asyncio.to_thread(ended.wait, 30)

        hypercorn: Any = import_module("hypercorn.asyncio")
        asyncio.run(hypercorn.serve(bare, config, shutdown_trigger=until))

    server = threading.Thread(target=run)
    server.start()
    try:
        async with httpx.AsyncClient(http1=False, http2=True, base_url=base) as http:
            assert (await http.post("/a", content=b"xyz")).text == "3"
        assert await eventually(lambda: watched.value("llm_router.http.requests", status_code="200") == 1)
    finally:
        ended.set()
        server.join(10)
    assert watched.count("llm_router.connection.duration", type="http", protocol="http/2") == 1
    (span,) = spans_of(watched, SpanKind.SERVER)
    assert span.name == "POST"


@pytest.mark.parametrize("kind", ["starlette", "asgi"])
async def test_what_is_switched_off_stays_away(
    kind: str, watched: Captured, serve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    AsgiInstrumentor().uninstrument()
    monkeypatch.setenv("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", f"redis, {kind}")
    AsgiInstrumentor().instrument(skip_dep_check=True, tracer_provider=watched.tracer_provider)
    async with httpx.AsyncClient(base_url=serve(starlette(watched) if kind == "starlette" else bare)) as http:
        assert (await http.post("/items/1")).status_code == 200
    assert watched.spans() == []
    assert watched.value("llm_router.http.requests") == 0
