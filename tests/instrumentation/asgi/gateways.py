"""A gateway of nobody's making, and its clients."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.trace import SpanKind
from starlette.requests import Request
from starlette.responses import Response

from otel_llm_router import testing
from tests.instrumentation.wire.upstreams import Upstreams

Handler = Callable[[Request], Awaitable[Response]]

CHAT = "/v1/chat/completions"
ASK = {"model": "smart", "messages": [{"role": "user", "content": "x"}]}


@dataclass
class Gateway:
    """A Starlette application that does with every POST what its test says.

    Args:
        watched: What is recorded.
        upstream: Where it calls.
    """

    watched: testing.Captured
    upstream: Upstreams
    base: str = ""
    handler: Handler | None = None
    served: int = 0

    async def serve(self, request: Request) -> Response:
        self.served += 1
        assert self.handler is not None
        return await self.handler(request)

    def settle(self) -> None:
        """Wait until what was served is counted: a client has its answer a moment before, and the next test its own."""
        deadline = time.monotonic() + 10
        while self.value("http.requests") < self.served and time.monotonic() < deadline:
            time.sleep(0.005)

    def value(self, name: str, **labels: str) -> float:
        return self.watched.value(f"llm_router.{name}", **labels)

    def counted(self) -> dict[tuple[str, str], float]:
        """Requests by model and status."""
        points = self.watched.points("llm_router.inference")
        return {(point.labels["model"], point.labels["status"]): point.value for point in points}

    def server_spans(self) -> list[Any]:
        return [span for span in self.watched.spans() if span.kind is SpanKind.SERVER]

    async def call(self, model: str, **options: Any) -> httpx.Response:
        """Call the provider, as a router does."""
        body: Any = {"model": model, "messages": [], **options}
        async with httpx.AsyncClient(verify=False) as client:
            return await client.post(f"{self.upstream.base}/v1/chat/completions", json=body)


@asynccontextmanager
async def client(gateway: Gateway) -> AsyncGenerator[httpx.AsyncClient]:
    """A client of the gateway's, in a process that watches its own."""
    with suppress_instrumentation():
        async with httpx.AsyncClient(base_url=gateway.base, timeout=30) as found:
            yield found


async def post(gateway: Gateway, path: str = CHAT, body: Any = ASK, **options: Any) -> httpx.Response:
    async with client(gateway) as found:
        if isinstance(body, (bytes, str)):
            return await found.post(path, content=body, **options)
        return await found.post(path, json=body, **options)
