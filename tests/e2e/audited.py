"""A gateway of one's own that puts on record what its clients do, and turns away who has no key."""

from __future__ import annotations

import asyncio
import json
import os
from typing import Any

from otel_llm_router import telemetry as router

RIGHT = b"Bearer sk-right-0123456789"


async def act(name: str) -> int:
    """Put an action on record, and answer when it is on disk."""
    on_disk = await asyncio.wrap_future(router.audit("key.rotate", actor="ada", resource=name))
    return 200 if on_disk else 500


def chat(headers: dict[bytes, bytes]) -> int:
    if headers.get(b"authorization") != RIGHT:
        return 403 if b"authorization" in headers else 401
    if b"x-limited" in headers:
        return 429
    with router.request("smart"):
        return 200


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        message: dict[str, Any] = {"type": ""}
        while message["type"] != "lifespan.shutdown":
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
        return
    status, body = 200, str(os.getpid()).encode()
    if scope["path"].startswith("/act/"):
        status = await act(scope["path"].removeprefix("/act/"))
    elif scope["method"] == "POST":
        while (await receive()).get("more_body"):
            pass
        status, body = chat(dict(scope["headers"])), json.dumps({"choices": []}).encode()
    headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
