"""Gateways whose every byte is looked at: FastAPI on httpx, and Starlette on aiohttp, in front of an upstream.

Nothing in them speaks of telemetry, and nothing that they answer depends on the time or on chance. All are served by
uvicorn in one process, whose first line says their ports.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import aiohttp
import httpx
import uvicorn
from fastapi import Depends, FastAPI, HTTPException
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import (
    FileResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Host, Mount, Route, WebSocketRoute
from starlette.websockets import WebSocket

# --- the upstream, a bare ASGI application ------------------------------------------------------

DELTA: dict[str, Any] = {
    "id": "c-1",
    "object": "chat.completion.chunk",
    "model": "small",
    "choices": [{"delta": {"content": "word"}}],
}
USAGE: dict[str, Any] = {
    "id": "c-1",
    "model": "small",
    "choices": [],
    "usage": {"prompt_tokens": 3, "completion_tokens": 2},
}
WHOLE: dict[str, Any] = {
    **USAGE,
    "choices": [{"message": {"role": "assistant", "content": "two words"}, "finish_reason": "stop"}],
}
JSON, EVENTS = (b"content-type", b"application/json"), (b"content-type", b"text/event-stream")

gates: dict[str, asyncio.Event] = {}
traceparents = {"seen": 0}


async def upstream(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    if scope["path"] == "/traceparents":
        await _answer(send, 200, JSON, json.dumps(traceparents).encode())
        return
    traceparents["seen"] += any(name == b"traceparent" for name, _ in scope["headers"])
    asked = json.loads(body)
    wanted = asked["messages"][-1]["content"]
    if wanted == "fail":
        await _answer(send, 500, JSON, b'{"error": {"message": "broken", "code": "server_error"}}')
    elif wanted == "limited":
        await _answer(send, 429, (b"Retry-After", b"7"), b'{"error": {"message": "slow down"}}', JSON)
    elif not asked.get("stream"):
        await _answer(send, 200, JSON, json.dumps(WHOLE).encode())
    else:
        await _stream(send, wanted)


async def _answer(send: Any, status: int, header: Any, body: bytes, *more: Any) -> None:
    await send({"type": "http.response.start", "status": status, "headers": [header, *more]})
    await send({"type": "http.response.body", "body": body})


async def _stream(send: Any, wanted: str) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [EVENTS]})
    for number in range(5):
        event = b"data: " + json.dumps(DELTA).encode() + b"\n\n"
        await send({"type": "http.response.body", "body": event, "more_body": True})
        if number == 0 and wanted in gates:
            await gates[wanted].wait()
        if number == 2 and wanted == "cut":
            raise RuntimeError("the upstream breaks off")
        if number == 2 and wanted == "says":
            error = b'event: error\ndata: {"error": {"message": "overloaded"}}\n\n'
            await send({"type": "http.response.body", "body": error, "more_body": True})
            break
    usage = b"data: " + json.dumps(USAGE).encode() + b"\n\ndata: [DONE]\n\n"
    await send({"type": "http.response.body", "body": usage})


# --- what both gateways do ----------------------------------------------------------------------


async def plain(request: Request) -> Response:
    headers = {"X-Mixed-Case": "Kept", "x-empty": ""}
    response = JSONResponse({"path": request.url.path, "query": str(request.url.query)}, headers=headers)
    response.set_cookie("a", "1")
    response.set_cookie("b", "2", httponly=True)
    return response


async def headers(request: Request) -> Response:
    """Say what came, in its order: nothing is added to a request, and nothing taken."""
    names = [[name.decode("latin-1"), value.decode("latin-1")] for name, value in request.headers.raw]
    return JSONResponse(names)


async def echo(request: Request) -> Response:
    return Response(await request.body(), media_type="application/octet-stream")


async def parts(request: Request) -> Response:
    """Say how large the body is that came in parts."""
    size = 0
    async for part in request.stream():
        size += len(part)
    return PlainTextResponse(str(size))


async def large(_request: Request) -> Response:
    return Response(b"0123456789abcdef" * 200_000, media_type="application/octet-stream")


async def large_stream(_request: Request) -> Response:
    async def pieces() -> AsyncIterator[bytes]:
        for number in range(24):
            yield bytes([65 + number]) * 200_000

    return StreamingResponse(pieces(), media_type="application/octet-stream")


async def raises(_request: Request) -> Response:
    raise RuntimeError("a secret in a message")


async def raises_late(_request: Request) -> Response:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"data: 1\n\n"
        raise RuntimeError("a secret in a message")

    return StreamingResponse(pieces(), media_type="text/event-stream")


async def nothing(_request: Request) -> Response:
    return Response(status_code=204)


async def late(_request: Request) -> Response:
    return PlainTextResponse("before the task", 202, background=BackgroundTask(asyncio.sleep, 0))


async def broken_late(_request: Request) -> Response:
    return PlainTextResponse("before the task", 503, background=BackgroundTask(asyncio.sleep, 0))


async def moved(_request: Request) -> Response:
    return RedirectResponse("/plain")


async def file(_request: Request) -> Response:
    return FileResponse(Path(__file__).with_name("ten_lines.py"))


async def gated(request: Request) -> Response:
    """Send one part, and the next when `opened` was called."""
    gate = gates.setdefault(request.query_params["gate"], asyncio.Event())

    async def pieces() -> AsyncIterator[bytes]:
        yield b"data: first\n\n"
        await gate.wait()
        yield b"data: second\n\n"

    return StreamingResponse(pieces(), media_type="text/event-stream")


async def opened(request: Request) -> Response:
    gates[request.query_params["gate"]].set()
    return Response()


async def websocket(socket: WebSocket) -> None:
    await socket.accept(headers=[(b"x-own", b"1")])
    await socket.send_text(await socket.receive_text())
    await socket.send_bytes(b"bytes")
    await socket.close(4001, "done")


async def bare(scope: Any, receive: Any, send: Any) -> None:
    """An application inside the application."""
    await receive()
    await send({"type": "http.response.start", "status": 418, "headers": [(b"X-Bare", scope["path"].encode())]})
    await send({"type": "http.response.body", "body": b"tea", "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": True})
    await send({"type": "http.response.body"})


ROUTES: list[tuple[str, Any, list[str]]] = [
    ("/plain", plain, ["GET", "POST"]),
    ("/items/{item}/sub/", plain, ["GET"]),
    ("/headers", headers, ["GET"]),
    ("/echo", echo, ["POST"]),
    ("/parts", parts, ["POST"]),
    ("/large", large, ["GET"]),
    ("/large-stream", large_stream, ["GET"]),
    ("/raises", raises, ["GET"]),
    ("/raises-late", raises_late, ["GET"]),
    ("/nothing", nothing, ["DELETE"]),
    ("/late", late, ["GET"]),
    ("/broken-late", broken_late, ["GET"]),
    ("/moved", moved, ["GET"]),
    ("/file", file, ["GET"]),
    ("/gated", gated, ["GET"]),
    ("/opened", opened, ["POST"]),
    ("/metrics", plain, ["GET"]),
    ("/health", plain, ["GET"]),
]


class Asked(BaseModel):
    """A chat request."""

    model: str
    messages: list[dict[str, str]]
    stream: bool = False


def _gate(asked: Asked) -> None:
    wanted = asked.messages[-1]["content"]
    if wanted.startswith("gate"):
        gates.setdefault(wanted, asyncio.Event())


def _upstream_of(app: Any) -> str:
    return f"{app.state.upstream}/v1/chat/completions"


def _handed_on(body: bytes, status: int, headers: Mapping[str, str]) -> Response:
    kept = {name: headers[name] for name in ("retry-after",) if name in headers}
    return Response(body, status, kept, "application/json")


# --- FastAPI and httpx --------------------------------------------------------------------------


@asynccontextmanager
async def httpx_client(app: FastAPI) -> AsyncGenerator[None]:
    async with httpx.AsyncClient(timeout=30) as app.state.http:
        yield


async def by_httpx(asked: Asked, request: Request) -> Response:
    http: httpx.AsyncClient = request.app.state.http
    url, body = _upstream_of(request.app), asked.model_dump()
    _gate(asked)
    if not asked.stream:
        answer = await http.post(url, json=body)
        return _handed_on(answer.content, answer.status_code, answer.headers)

    async def lines() -> AsyncIterator[str]:
        async with http.stream("POST", url, json=body) as answer:
            async for line in answer.aiter_lines():
                yield f"{line}\n"

    return StreamingResponse(lines(), media_type="text/event-stream")


async def held() -> AsyncGenerator[str]:
    yield "held"
    await asyncio.sleep(0)


def fastapi_gateway() -> FastAPI:
    app, inner = FastAPI(lifespan=httpx_client), FastAPI()
    for path, endpoint, methods in ROUTES:
        app.add_api_route(path, endpoint, methods=methods)
    app.add_api_route("/v1/chat/completions", by_httpx, methods=["POST"])
    app.add_api_websocket_route("/socket", websocket)

    @app.get("/typed/{number}")
    async def typed(number: int, name: Annotated[str, Depends(held)]) -> dict[str, Any]:
        if number == 13:
            raise HTTPException(409, {"why": name}, {"X-Why": "thirteen"})
        return {"number": number, "name": name}

    @inner.get("/deep/{leaf}")
    def deep(leaf: str) -> str:
        return leaf

    app.mount("/inner", inner)
    app.mount("/bare", bare)
    app.add_middleware(GZipMiddleware, minimum_size=1000)
    app.add_middleware(CORSMiddleware, allow_origins=["http://shop.example"], allow_methods=["POST"])
    return app


# --- Starlette and aiohttp ----------------------------------------------------------------------


@asynccontextmanager
async def aiohttp_session(app: Starlette) -> AsyncGenerator[None]:
    async with aiohttp.ClientSession() as app.state.session:
        yield


async def by_aiohttp(request: Request) -> Response:
    asked = Asked.model_validate_json(await request.body())
    session: aiohttp.ClientSession = request.app.state.session
    url, body = _upstream_of(request.app), asked.model_dump()
    _gate(asked)
    if not asked.stream:
        async with session.post(url, json=body) as answer:
            return _handed_on(await answer.read(), answer.status, answer.headers)

    async def lines() -> AsyncIterator[bytes]:
        async with session.post(url, json=body) as answer:
            async for line in answer.content:
                yield line

    return StreamingResponse(lines(), media_type="text/event-stream")


class Passing(BaseHTTPMiddleware):
    """What ``@app.middleware("http")`` makes."""

    async def dispatch(self, request: Request, call_next: Any) -> Response:
        response = await call_next(request)
        response.headers["x-passed"] = "1"
        return response


def starlette_gateway() -> Starlette:
    routes: list[Any] = [Route(path, endpoint, methods=methods) for path, endpoint, methods in ROUTES]
    routes += [
        Route("/v1/chat/completions", by_aiohttp, methods=["POST"]),
        WebSocketRoute("/socket", websocket),
        Mount("/bare", bare),
        Host("other.example", Starlette(routes=[Route("/hosted", plain)])),
    ]
    middleware = [Middleware(Passing), Middleware(GZipMiddleware, minimum_size=1000)]
    return Starlette(routes=routes, middleware=middleware, lifespan=aiohttp_session)


# --- all of them in one process -----------------------------------------------------------------


async def main() -> None:
    apps: dict[str, Any] = {"upstream": upstream, "fastapi": fastapi_gateway(), "starlette": starlette_gateway()}
    listening = {name: socket.create_server(("127.0.0.1", 0), backlog=128) for name in apps}
    ports = {name: one.getsockname()[1] for name, one in listening.items()}
    for name in ("fastapi", "starlette"):
        apps[name].state.upstream = f"http://127.0.0.1:{ports['upstream']}"
    options: dict[str, Any] = {"date_header": False, "log_level": "critical", "access_log": False}
    sys.stdout.write(f"{json.dumps(ports)}\n")
    sys.stdout.flush()
    servers = [
        uvicorn.Server(uvicorn.Config(app, lifespan="off" if name == "upstream" else "on", **options))
        for name, app in apps.items()
    ]
    await asyncio.gather(
        *(server.serve(sockets=[one]) for server, one in zip(servers, listening.values(), strict=True))
    )


if __name__ == "__main__":
    asyncio.run(main())
