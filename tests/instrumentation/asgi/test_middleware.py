"""OpenTelemetry's middleware put around an application by hand, and what its span says of a URL's query."""

# pyright: reportMissingTypeStubs=false

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.trace import SpanKind

from otel_llm_router import testing
from otel_llm_router.instrumentation.asgi import AsgiInstrumentor


@pytest.fixture
def captured() -> Generator[testing.Captured]:
    instrumentor = AsgiInstrumentor()
    instrumentor.instrument(skip_dep_check=True)
    with testing.capture() as found:
        yield found
    instrumentor.uninstrument()


@pytest.fixture(params=["", "http", "http/dup"])
def base(captured: testing.Captured, serve: Any, request: pytest.FixtureRequest) -> str:
    """A server that answers with the query it was sent, with each of the conventions for names of attributes."""
    app = FastAPI()

    @app.get("/ask")
    async def ask(request: Request) -> str:
        return request.url.query

    middleware: Any = OpenTelemetryMiddleware(
        app,
        tracer_provider=captured.tracer_provider,
        meter_provider=captured.meter_provider,
        exclude_spans=["receive", "send"],
    )
    # It reads OTEL_SEMCONV_STABILITY_OPT_IN once in a process.
    middleware._sem_conv_opt_in_mode = type(middleware._sem_conv_opt_in_mode)(request.param or "default")
    return serve(middleware)


async def test_a_server_takes_it_for_an_application_and_for_no_factory_of_one(
    captured: testing.Captured, base: str, eventually: Any
) -> None:
    async with httpx.AsyncClient() as client:
        answer = await client.get(f"{base}/ask?one=1")
    assert (answer.status_code, answer.json()) == (200, "one=1")
    assert await eventually(lambda: captured.value("llm_router.http.requests", method="GET", status_code="200") == 1)


async def attributes_of_the_span(captured: testing.Captured, eventually: Any) -> dict[str, Any]:
    """Those of the one SERVER span, which ends a moment after its client has the answer."""
    assert await eventually(captured.spans)
    (server,) = captured.spans()
    assert server.kind is SpanKind.SERVER
    return dict(server.attributes or {})


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("question=a-secret&key=a-secret", "question=REDACTED&key=REDACTED"),
        ("a-secret", "REDACTED"),
        ("prompt=a%20a-secret=1&flag&empty=", "prompt=REDACTED&REDACTED&empty=REDACTED"),
        ("q=%ff%00a-secret", "q=REDACTED"),
    ],
)
async def test_the_span_has_the_names_of_parameters_and_no_value(
    captured: testing.Captured, base: str, query: str, shown: str, eventually: Any
) -> None:
    async with httpx.AsyncClient() as client:
        assert (await client.get(f"{base}/ask?{query}")).json() == query
    attributes = await attributes_of_the_span(captured, eventually)
    assert [key for key, value in attributes.items() if "a-secret" in str(value)] == []
    assert attributes["url.query"] == shown
    if "http.url" in attributes:
        assert attributes["http.url"] == f"{base}/ask"


async def test_without_a_query_nothing_is_said_of_it(captured: testing.Captured, base: str, eventually: Any) -> None:
    async with httpx.AsyncClient() as client:
        assert (await client.get(f"{base}/ask")).json() == ""
    assert "url.query" not in await attributes_of_the_span(captured, eventually)
