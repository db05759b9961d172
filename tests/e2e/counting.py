"""An application that counts one request for each call, and says which process answered."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

from otel_llm_router import health
from otel_llm_router import telemetry as router


def count() -> bytes:
    with router.request("smart"), router.attempt("openai", "gpt-4o") as attempt:
        attempt.cost(0.1)
    return str(os.getpid()).encode()


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        message: dict[str, Any] = {"type": ""}
        while message["type"] != "lifespan.shutdown":
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
        return
    headers = [(b"content-type", b"text/plain"), (b"connection", b"close")]
    body = count()
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def wsgi(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
    if environ["PATH_INFO"] == "/sick":
        health.add("sick", lambda: False, interval=1)
    body = count()
    start_response("200 OK", [("content-type", "text/plain"), ("content-length", str(len(body)))])
    return [body]
