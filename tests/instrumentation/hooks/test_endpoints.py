"""Functions that a web framework took when they were defined."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from otel_llm_router import testing
from otel_llm_router.instrumentation.hooks import HooksInstrumentor

Hooked = Callable[..., Any]

FASTAPI = """
    from fastapi import FastAPI, HTTPException
    from fastapi.responses import JSONResponse, StreamingResponse
    from pydantic import BaseModel

    class Body(BaseModel):
        model: str
        stream: bool = False
        fail: int = 0

    app = FastAPI()

    async def chunks(n):
        for i in range(3):
            yield f"data: {i}\\n\\n"
        if n:
            raise RuntimeError("cut")

    @app.post("/chat")
    async def chat(body: Body):
        if body.fail == 1:
            raise HTTPException(429, "later")
        if body.fail == 2:
            return JSONResponse({"error": "down"}, status_code=503)
        if body.stream:
            return StreamingResponse(chunks(body.fail), media_type="text/event-stream")
        return {"model": body.model}

    @app.post("/plain")
    def plain(body: Body):
        return {"model": body.model}
"""
STARLETTE = """
    from starlette.applications import Starlette
    from starlette.responses import JSONResponse, StreamingResponse
    from starlette.routing import Route

    async def chat(request):
        body = await request.json()
        return JSONResponse({"model": body["model"]})

    def plain(request):
        return StreamingResponse(iter([b"a", b"b"]))

    routes = [Route("/chat", chat, methods=["POST"]), Route("/plain", plain, methods=["POST"])]
    app = Starlette(routes=routes)
"""


async def ask(app: Any, path: str, **body: Any) -> httpx.Response:
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.post(path, json=body)


@pytest.mark.parametrize("source", [FASTAPI, STARLETTE], ids=["fastapi", "starlette"])
async def test_an_endpoint_of_the_same_module(hooked: Hooked, captured: testing.Captured, source: str) -> None:
    module = hooked(source, "@:chat=request,@:plain=request")
    bare = hooked(source)
    for path in ("/chat", "/plain"):
        answer, expected = await ask(module.app, path, model="smart"), await ask(bare.app, path, model="smart")
        assert (answer.status_code, answer.content) == (expected.status_code, expected.content) != (404, b"")
        assert answer.headers.items() == expected.headers.items()
    assert captured.value("llm_router.inference", status="success") == 2


async def test_how_a_response_ends_a_request(hooked: Hooked, captured: testing.Captured) -> None:
    app = hooked(FASTAPI, "@:chat=request").app
    assert (await ask(app, "/chat", model="m", fail=1)).status_code == 429
    assert (await ask(app, "/chat", model="m", fail=2)).status_code == 503
    assert (await ask(app, "/chat", model="m", stream=True)).text == "data: 0\n\ndata: 1\n\ndata: 2\n\n"
    assert (await ask(app, "/chat", model="m", stream=True, fail=3)).text == "data: 0\n\ndata: 1\n\ndata: 2\n\n"
    assert (await ask(app, "/chat", nothing=1)).status_code == 422
    assert {point.labels["type"]: point.value for point in captured.points("llm_router.errors")} == {
        "rate_limit": 1,
        "server_error": 1,
        "internal": 1,
    }
    assert captured.value("llm_router.inference", status="success") == 1
    assert captured.value("llm_router.requests.in_flight") == 0


def test_the_framework_sees_the_same_endpoint(hooked: Hooked) -> None:
    module, bare = hooked(FASTAPI, "@:chat=request,@:plain=request"), hooked(FASTAPI)
    assert module.app.openapi() == bare.app.openapi()


def test_views_of_flask_like_applications(hooked: Hooked, captured: testing.Captured) -> None:
    module = hooked(
        """
        class App:
            def __init__(self):
                self.view_functions = {}
            def route(self, function):
                self.view_functions["chat"] = function
                return function

        app = App()

        @app.route
        def chat(model):
            return model
        """,
        "@:chat=request",
    )
    module.app.view_functions["chat"]("m")
    assert captured.value("llm_router.inference", model="m") == 1
    HooksInstrumentor().uninstrument()
    assert type(module.app.view_functions["chat"]).__name__ == "function"
