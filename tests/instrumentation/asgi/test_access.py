"""The access log, of requests to a real server."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest
from opentelemetry.trace import SpanKind
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from otel_llm_router import telemetry as router
from otel_llm_router import testing
from otel_llm_router.instrumentation.asgi import AsgiInstrumentor
from otel_llm_router.telemetry.instrumenting import Access


async def item(request: Request) -> Response:
    if request.path_params["name"] == "broken":
        raise RuntimeError("a secret")
    return PlainTextResponse("x", headers={"X-Request-ID": "ours"} if request.path_params["name"] == "named" else {})


async def stream(_: Request) -> Response:
    return StreamingResponse(iter(["a", "b"]))


def test_each_request_once_with_its_route_and_its_span(monkeypatch: pytest.MonkeyPatch, serve: Any):
    with testing.capture(fast_path=True) as captured:
        instrumentor = AsgiInstrumentor()
        instrumentor.instrument(
            skip_dep_check=True, tracer_provider=captured.tracer_provider, meter_provider=captured.meter_provider
        )
        try:
            monkeypatch.setattr(router.default, "access", Access(client=True))
            base = serve(Starlette(routes=[Route("/items/{name}", item), Route("/stream", stream)]))
            theirs = {"x-request-id": "theirs"}
            httpx.get(f"{base}/items/one?key=secret", headers=theirs)
            httpx.get(f"{base}/items/named", headers=theirs)
            httpx.get(f"{base}/items/broken")
            httpx.get(f"{base}/stream")
            httpx.get(f"{base}/nowhere/secret")
            deadline = time.monotonic() + 10
            while len(captured.events()) < 5 and time.monotonic() < deadline:
                time.sleep(0.005)  # a client has its answer a moment before
        finally:
            instrumentor.uninstrument()
    servers = [span.context for span in captured.spans() if span.kind is SpanKind.SERVER and span.context]
    traces = {context.span_id: context.trace_id for context in servers}
    events = captured.events("llm_router.http.request")
    assert len(events) == 5
    assert {one.span_id: one.trace_id for one in events} == traces
    said = sorted(
        (
            one.attributes.get("http.route", ""),
            one.attributes["http.response.status_code"],
            one.attributes.get("http.request.header.x-request-id", ""),
            one.attributes["client.address"],
        )
        for one in events
    )
    assert said == [
        ("", 404, "", "127.0.0.1"),
        ("/items/{name}", 200, "ours", "127.0.0.1"),
        ("/items/{name}", 200, "theirs", "127.0.0.1"),
        ("/items/{name}", 500, "", "127.0.0.1"),
        ("/stream", 200, "", "127.0.0.1"),
    ]
    assert "secret" not in str([dict(one.attributes) for one in events])
