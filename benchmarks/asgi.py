"""Gateways in the worker's own process: a FastAPI application that is called as a server calls it, without a socket.

Two of them: `wire` calls its upstream with bare httpx and has no LiteLLM; `gateway` is a LiteLLM Router behind
FastAPI. The upstream is another process, over HTTP. A caller on a socket would cost more than some telemetries,
and would be instrumented by those that hook httpx.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from importlib import import_module
from typing import Any, Final

from benchmarks.router import CHUNKS, Load, body

PATH: Final = "/v1/chat/completions"
_OK: Final = 200


class AsgiLoad:
    """Sends requests to an ASGI application.

    Args:
        app: The application.
    """

    def __init__(self, app: Any) -> None:
        self._app = app
        self._plain = json.dumps(body("plain", 20)).encode()
        streamed = {**body("stream", CHUNKS), "stream": True, "stream_options": {"include_usage": True}}
        self._stream = json.dumps(streamed).encode()

    async def plain(self) -> None:
        """Send one request and check its answer.

        Raises:
            RuntimeError: it is not the upstream's.
        """
        answer = b"".join(await self._call(self._plain))
        if not json.loads(answer)["choices"][0]["message"]["content"]:
            raise RuntimeError("an answer is empty")

    async def stream(self) -> None:
        """Send one streamed request and read it to its end.

        Raises:
            RuntimeError: chunks are missing.
        """
        chunks = b"".join(await self._call(self._stream)).count(b"data: {")
        if chunks < CHUNKS:
            raise RuntimeError(f"a stream has {chunks} chunks instead of {CHUNKS}")

    async def _call(self, sent: bytes) -> list[bytes]:
        """Return the pieces of the answer's body.

        Raises:
            RuntimeError: the answer's status is not 200.
        """
        pieces: list[bytes] = []
        requests = iter([{"type": "http.request", "body": sent, "more_body": False}])

        async def receive() -> Any:
            for request in requests:
                return request
            await asyncio.Event().wait()  # the caller stays connected
            return None

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start" and message["status"] != _OK:
                raise RuntimeError(f"an answer has status {message['status']}")
            pieces.append(message.get("body", b""))

        await self._app(_scope(len(sent)), receive, send)
        return pieces


def _scope(length: int) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": PATH,
        "raw_path": PATH.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [
            (b"host", b"gateway:8000"),
            (b"content-type", b"application/json"),
            (b"content-length", str(length).encode()),
            (b"user-agent", b"benchmark"),
        ],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8000),
        "state": {},
    }


def wire(upstream: str) -> AsgiLoad:
    """Return a load on a gateway that calls its upstream with bare httpx."""
    httpx: Any = import_module("httpx")
    client = httpx.AsyncClient(base_url=upstream, timeout=60)

    async def answer(asked: dict[str, Any]) -> Any:
        asked["model"] = "gpt-4o-mini"
        headers = {"authorization": "Bearer sk-benchmark"}
        request = client.build_request("POST", PATH, json=asked, headers=headers)
        response = await client.send(request, stream=bool(asked.get("stream")))
        return response.aiter_bytes() if asked.get("stream") else response.json()

    return AsgiLoad(_application(answer))


def gateway(upstream: str) -> AsgiLoad:
    """Return a load on a LiteLLM Router behind FastAPI."""
    router: Any = Load(upstream).router

    async def answer(asked: dict[str, Any]) -> Any:
        found = await router.acompletion(**asked)
        return _events(found) if asked.get("stream") else found.model_dump()

    return AsgiLoad(_application(answer))


async def _events(chunks: Any) -> AsyncGenerator[str, None]:
    async for chunk in chunks:
        yield f"data: {chunk.model_dump_json()}\n\n"
    yield "data: [DONE]\n\n"


def _application(answer: Any) -> Any:
    """Return the application; imported now, since instrumentations put a class of their own in its place."""
    fastapi: Any = import_module("fastapi")
    responses: Any = import_module("fastapi.responses")
    app = fastapi.FastAPI()

    async def completions(request: Any) -> Any:
        asked = await request.json()
        found = await answer(asked)
        if asked.get("stream"):
            return responses.StreamingResponse(found, media_type="text/event-stream")
        return responses.JSONResponse(found)

    completions.__annotations__["request"] = fastapi.Request
    app.post(PATH)(completions)
    return app
