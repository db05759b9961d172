"""Two routers that nobody has heard of, as people write them: nothing in them speaks of telemetry.

Which one is made is said by ``ROUTER`` in the environment: a FastAPI gateway on httpx that retries and falls back,
or a bare Starlette one on aiohttp. The upstreams' addresses are in ``ALPHA`` and ``BETA``.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import httpx
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

ALPHA, BETA = os.environ.get("ALPHA", ""), os.environ.get("BETA", "")
PLANS = [("small", ALPHA), ("small", ALPHA), ("large", BETA)]
"""What is tried, in order: one retry, then a fallback."""

LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=64)


async def asked(request: Request) -> dict[str, Any] | Response:
    try:
        body: Any = await request.json()
    except (ValueError, RecursionError):
        return JSONResponse({"error": "this is no JSON"}, 400)
    if "messages" not in body:
        return JSONResponse({"error": "there are no messages"}, 422)
    found: dict[str, Any] = body
    if found.get("model") == "forbidden":
        return JSONResponse({"error": "not for you"}, 403)
    return found


# --- FastAPI and httpx --------------------------------------------------------------------------

http: httpx.AsyncClient


@asynccontextmanager
async def httpx_client(_app: Any) -> AsyncGenerator[None]:
    global http
    async with httpx.AsyncClient(timeout=30, limits=LIMITS) as http:
        yield


async def chat_by_httpx(request: Request) -> Response:
    body = await asked(request)
    if isinstance(body, Response):
        return body
    if body.get("stream"):
        return StreamingResponse(stream_by_httpx(body), media_type="text/event-stream")
    status = 502
    for model, base in PLANS:
        answer = await http.post(f"{base}/v1/chat/completions", json={**body, "model": model})
        if answer.status_code == 200:
            return Response(answer.content, media_type="application/json")
        status = answer.status_code
    return JSONResponse({"error": "all failed"}, status)


async def stream_by_httpx(body: dict[str, Any]) -> AsyncIterator[bytes]:
    for model, base in PLANS:
        sent = {**body, "model": model, "stream_options": {"include_usage": True}}
        try:
            async with http.stream("POST", f"{base}/v1/chat/completions", json=sent) as answer:
                if answer.status_code != 200:
                    continue
                async for part in answer.aiter_raw():
                    yield part
                return
        except httpx.TransportError:
            yield b'data: {"error": {"message": "the provider broke off"}}\n\n'
            return
    yield b'event: error\ndata: {"error": {"message": "all failed"}}\n\n'


# --- Starlette and aiohttp ----------------------------------------------------------------------

session: aiohttp.ClientSession


@asynccontextmanager
async def aiohttp_session(_app: Any) -> AsyncGenerator[None]:
    global session
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        yield


async def ask_by_aiohttp(request: Request) -> Response:
    body = await asked(request)
    if isinstance(body, Response):
        return body
    if body.get("stream"):
        return StreamingResponse(stream_by_aiohttp(body), media_type="text/event-stream")
    status = 502
    for model, base in PLANS:
        async with session.post(f"{base}/v1/chat/completions", json={**body, "model": model}) as answer:
            if answer.status == 200:
                return Response(await answer.read(), media_type="application/json")
            status = answer.status
    return JSONResponse({"error": "all failed"}, status)


async def stream_by_aiohttp(body: dict[str, Any]) -> AsyncIterator[bytes]:
    for model, base in PLANS:
        sent = {**body, "model": model, "stream_options": {"include_usage": True}}
        async with session.post(f"{base}/v1/chat/completions", json=sent) as answer:
            if answer.status != 200:
                continue
            try:
                async for line in answer.content:
                    yield line
            except aiohttp.ClientError:
                pass  # as it is, without a word
            return
    yield b'event: error\ndata: {"error": {"message": "all failed"}}\n\n'


def fastapi_router() -> Any:
    app = FastAPI(lifespan=httpx_client)
    app.add_api_route("/v1/chat/completions", chat_by_httpx, methods=["POST"])
    return app


def starlette_router() -> Any:
    async def docs(_request: Request) -> Response:
        return JSONResponse({})

    async def metrics(_request: Request) -> Response:
        await asyncio.sleep(0)
        return Response(json.dumps({}))

    routes = [
        Route("/ask/{team}", ask_by_aiohttp, methods=["POST"]),
        Route("/docs", docs),
        Route("/metrics", metrics),
        Route("/health", metrics),
    ]
    return Starlette(routes=routes, lifespan=aiohttp_session)


app = fastapi_router() if os.environ.get("ROUTER") == "fastapi" else starlette_router()
