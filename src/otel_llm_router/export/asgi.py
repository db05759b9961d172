"""The scrape server's answers as an ASGI application, to be mounted into the router's own.

    from otel_llm_router.export.asgi import application

    app.mount("/monitoring", application)   # /monitoring/metrics, /monitoring/health ...

Room: `export`. The same answers, with the same access; the process needs no port of its own then
(``OTEL_LLM_ROUTER_SCRAPE_LISTEN=false``). Before anything is set up it answers 503.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from otel_llm_router.export._messages import Handler, Request, Response

Message = MutableMapping[str, Any]

_current: list[Handler] = []


def serve(handler: Handler | None) -> None:
    """Let `application` answer with ``handler``; None lets it answer 503."""
    _current[:] = [] if handler is None else [handler]


async def application(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    """Answer one request, or a server's questions at its start and end."""
    if scope["type"] == "lifespan":
        await _live(receive, send)
        return
    if scope["type"] != "http":
        return
    request = _request(scope)
    if _current:
        response = await _current[0](request)
    else:
        response = Response(503, b"OpenTelemetry is not set up in this process\n", "text/plain; charset=utf-8")
    body = b"" if request.method == "HEAD" else response.body
    headers = {
        "content-type": response.content_type,
        "content-length": str(len(response.body)),
        "cache-control": "no-store",
        **response.headers,
    }
    raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": response.status, "headers": raw})
    await send({"type": "http.response.body", "body": body})


def _request(scope: Message) -> Request:
    headers: dict[str, str] = {}
    for name, value in scope.get("headers", ()):
        key, text = name.decode("latin-1"), value.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    # Frameworks differ in whether a mount's own path is still in front.
    path = scope["path"].removeprefix(scope.get("root_path", "")) or "/"
    return Request(scope["method"], path, headers, scope.get("query_string", b"").decode("latin-1"))


async def _live(receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
