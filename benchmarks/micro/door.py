"""What the inbound side adds to OpenTelemetry's ASGI middleware, in CPU us.

To a request that asks for no model, to one that does, to a chunk that its client is given. The application is a bare function that is called as a server calls it, without a socket.
"""

from __future__ import annotations

import asyncio
import gc
import json
import math
import time
from importlib import import_module
from typing import Any, Final

from benchmarks.micro._passes import Passes, expect
from otel_llm_router import testing
from otel_llm_router.instrumentation.asgi import AsgiInstrumentor

CHUNKS: Final = 1_000

_BODY: Final = json.dumps({"model": "smart", "messages": [{"role": "user", "content": "word " * 400}]}).encode()
_OTHER: Final = json.dumps({"item": 1, "note": "word " * 400}).encode()
_DELTA: Final = {"index": 0, "delta": {"content": "word "}, "logprobs": None, "finish_reason": None}
_EVENT: Final = b"data: " + json.dumps({"id": "chatcmpl-1", "choices": [_DELTA]}).encode() + b"\n\n"


async def answer(scope: Any, receive: Any, send: Any) -> None:
    """Read what is asked and answer: in pieces under a path that says so."""
    await receive()
    streamed = scope["path"].startswith("/stream")
    kind = b"text/event-stream" if streamed else b"application/json"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]})
    for _ in range(CHUNKS if streamed else 0):
        await send({"type": "http.response.body", "body": _EVENT, "more_body": True})
    await send({"type": "http.response.body", "body": b"" if streamed else b"{}"})


class Requests:
    """The requests that are measured.

    Args:
        captured: Where the middleware records.
    """

    def __init__(self, captured: testing.Captured) -> None:
        asgi: Any = import_module("opentelemetry.instrumentation.asgi")
        providers: Any = {"tracer_provider": captured.tracer_provider, "meter_provider": captured.meter_provider}
        self._app = asgi.OpenTelemetryMiddleware(answer, exclude_spans=["receive", "send"], **providers)

    async def send(self, path: str, body: bytes) -> None:
        """Send one request."""
        scope = {"type": "http", "method": "POST", "path": path, "headers": [], "http_version": "1.1"}
        pieces: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.request", "body": body, "more_body": False}

        async def took(message: Any) -> None:
            pieces.append(message)

        await self._app({**scope, "query_string": b"", "server": ("gateway", 80)}, receive, took)


def measure(*, quick: bool) -> Passes:
    """Measure; see the module."""
    return asyncio.run(_measure(*((5, 50) if quick else (25, 200))))


async def _measure(passes: int, times: int) -> Passes:
    found: Passes = {"request that asks for no model, inbound": [], "request, inbound": [], "chunk, inbound": []}
    with testing.capture(fast_path=True) as captured:
        requests = Requests(captured)
        for number in range(-1, passes):
            other = await _added(requests, "/orders", _OTHER, times)
            call = await _added(requests, "/v1/chat/completions", _BODY, times)
            stream = await _added(requests, "/stream/v1/chat/completions", _BODY, 5)
            if number >= 0:
                for name, value in zip(found, (other, call, (stream - call) / CHUNKS), strict=True):
                    found[name].append(value)
        # What was measured must have measured.
        expect("requests", captured.value("llm_router.inference"), (times + 5) * (passes + 1))
        expect("streams", captured.count("llm_router.time_to_first_token"), 5 * (passes + 1))
    return found


async def _added(requests: Requests, path: str, body: bytes, times: int) -> float:
    """Return the microseconds that a request costs more: by the cheapest of five turns of each."""
    plain = watched = math.inf
    instrumentor = AsgiInstrumentor()
    for _ in range(5):
        plain = min(plain, await _spent(requests, path, body, times // 5))
        instrumentor.instrument(skip_dep_check=True)
        try:
            watched = min(watched, await _spent(requests, path, body, times // 5))
        finally:
            instrumentor.uninstrument()
    return watched - plain


async def _spent(requests: Requests, path: str, body: bytes, times: int) -> float:
    gc.collect()
    began = time.process_time()
    for _ in range(times):
        await requests.send(path, body)
    return (time.process_time() - began) / times * 1e6
