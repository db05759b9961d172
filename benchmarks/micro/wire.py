"""What the wire adds to a request of httpx, CPU us: to one that is no call to a model, to a call, to a chunk.

The provider is a transport within the process, so that the socket's cost does not drown ours.
"""

from __future__ import annotations

import gc
import json
import math
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import httpx

from benchmarks.micro._passes import Passes, expect
from otel_llm_router import testing
from otel_llm_router.instrumentation.wire import WireInstrumentor

CHUNKS: Final = 1_000

_BODY: Final = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "word " * 400}]}
_USAGE: Final = {"prompt_tokens": 400, "completion_tokens": 200}
_ANSWER: Final = {"choices": [{"message": {"content": "word " * 200}, "finish_reason": "stop"}], "usage": _USAGE}
_DELTA: Final = {"index": 0, "delta": {"content": "word "}, "logprobs": None, "finish_reason": None}
_CHUNK: Final = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": "gpt-4o-mini", "choices": [_DELTA]}


class Events(httpx.SyncByteStream):
    """A stream of which each piece is one event."""

    def __init__(self) -> None:
        self._pieces = [f"data: {json.dumps(_CHUNK, separators=(',', ':'))}\n\n".encode()] * CHUNKS

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._pieces)


def answer(request: httpx.Request) -> httpx.Response:
    """Answer in pieces where the request says so."""
    if b'"stream"' in request.content:
        return httpx.Response(200, headers={"content-type": "text/event-stream"}, stream=Events())
    return httpx.Response(200, json=_ANSWER)


class Requests:
    """The requests that are measured."""

    def __init__(self) -> None:
        self._client = httpx.Client(transport=httpx.MockTransport(answer), base_url="http://provider.example")

    def other(self) -> None:
        """Make a request that is no call to a model."""
        self._client.post("/orders", json=_BODY)

    def call(self) -> None:
        """Make a call."""
        self._client.post("/v1/chat/completions", json=_BODY)

    def stream(self) -> None:
        """Make a call whose answer comes in pieces."""
        body: dict[str, Any] = {**_BODY, "stream": True}
        with self._client.stream("POST", "/v1/chat/completions", json=body) as response:
            expect("pieces", sum(1 for _ in response.iter_raw()), CHUNKS)


def measure(*, quick: bool) -> Passes:
    """Measure; see the module."""
    passes, times = (5, 50) if quick else (25, 200)
    requests = Requests()
    found: Passes = {"request that is no call, wire": [], "call, wire": [], "chunk, wire": []}
    with testing.capture(fast_path=True) as captured:
        for number in range(-1, passes):
            figures = (_added(requests.other, times), _added(requests.call, times), _added(requests.stream, 5))
            if number >= 0:
                other, call, stream = figures
                for name, value in zip(found, (other, call, (stream - call) / CHUNKS), strict=True):
                    found[name].append(value)
        # What was measured must have measured.
        expect("calls", captured.value("llm_router.attempts", status="success"), (times + 5) * (passes + 1))
        chunks = 5 * (passes + 1) * CHUNKS
        expect("chunks", captured.value("llm_router.tokens", type="output", source="estimated"), chunks)
    return found


def _added(request: Callable[[], None], times: int) -> float:
    """Return the microseconds that a request costs more with the wire: by the cheapest of five turns of each."""
    plain = watched = math.inf
    instrumentor = WireInstrumentor()
    for _ in range(5):
        plain = min(plain, _spent(request, times // 5))
        instrumentor.instrument(skip_dep_check=True)
        try:
            watched = min(watched, _spent(request, times // 5))
        finally:
            instrumentor.uninstrument()
    return watched - plain


def _spent(request: Callable[[], None], times: int) -> float:
    gc.collect()
    began = time.process_time()
    for _ in range(times):
        request()
    return (time.process_time() - began) / times * 1e6
