"""Log events of routed requests and of HTTP requests: those that are asked for, each once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from otel_llm_router import telemetry as router
from otel_llm_router import testing
from otel_llm_router.telemetry.instrumenting import Access, shares


@pytest.fixture
def inferences(captured: testing.Captured, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    return lambda which: monkeypatch.setattr(router.default, "inferences", which)


@pytest.fixture
def access(captured: testing.Captured, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    return lambda *given, **more: monkeypatch.setattr(router.default, "access", Access(*given, **more))


def serve(answer: Callable[..., Any]) -> None:
    """Three successes, two failures and a request that is given up."""
    for _ in range(3):
        with router.request(model="smart", strategy="cheap"), router.attempt("openai", "gpt-4o") as call:
            call.response(answer(10, 5))
    for _ in range(2):
        with pytest.raises(ConnectionError), router.request(model="smart"), router.attempt("openai", "gpt-4o"):
            raise ConnectionError("a prompt in a message")
    request = router.request(model="smart")
    with request:
        request.end("aborted", "client_disconnect")


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        ("failed", {"error": 2, "aborted": 1}),
        ("ended", {"completed": 3, "error": 2, "aborted": 1}),
        ("all", {"started": 6, "completed": 3, "error": 2, "aborted": 1}),
    ],
)
def test_each_request_has_the_records_that_are_asked_for(
    captured: testing.Captured,
    inferences: Callable[[str], None],
    answer: Callable[..., Any],
    which: str,
    expected: dict[str, int],
):
    inferences(which)
    serve(answer)
    names = Counter(one.event_name.removeprefix("llm_router.inference.") for one in captured.events())
    assert names == expected
    assert "prompt" not in str([(one.body, dict(one.attributes)) for one in captured.events()])


def test_records_of_one_request_belong_together_and_to_its_span(
    captured: testing.Captured, inferences: Callable[[str], None], answer: Callable[..., Any]
):
    inferences("all")
    serve(answer)
    spans = {f"{span.context.span_id:016x}": span for span in captured.spans("route smart") if span.context}
    by_id: dict[str, list[Any]] = {}
    for one in captured.events():
        by_id.setdefault(one.attributes["llm_router.request.id"], []).append(one)
    assert set(by_id) == set(spans)
    for name, (began, ended) in by_id.items():
        span = spans[name]
        assert (span.context.trace_id, span.context.span_id) == (began.trace_id, began.span_id)  # pyright: ignore[reportOptionalMemberAccess]
        assert (ended.trace_id, ended.span_id) == (began.trace_id, began.span_id)
        assert (began.event_name, began.timestamp) == ("llm_router.inference.started", span.start_time)
        assert ended.timestamp == span.end_time


def test_what_a_completed_request_says(
    captured: testing.Captured, inferences: Callable[[str], None], answer: Callable[..., Any]
):
    inferences("ended")
    with router.request(model="smart", strategy="cheap"), router.attempt("openai", "gpt-4o") as call:
        call.response(answer(10, 5))
    (one,) = captured.events()
    said = dict(one.attributes)
    assert 0 < said.pop("llm_router.request.duration") < 60
    assert len(said.pop("llm_router.request.id")) == 16
    assert said == {
        "llm_router.request.model": "smart",
        "llm_router.response.model": "gpt-4o",
        "llm_router.strategy": "cheap",
        "llm_router.attempt.count": 1,
        "llm_router.cached": False,
        "gen_ai.usage.output_tokens": 5,
    }


def test_a_request_that_is_no_traffic_has_no_records(captured: testing.Captured, inferences: Callable[[str], None]):
    inferences("all")
    with router.default.request_below("smart", foreign=False, counted=False):
        pass
    assert captured.events() == []


def test_no_access_record_unless_asked_for(captured: testing.Captured):
    router.http_request("GET", route="/", status_code=200, seconds=0.1)
    assert captured.events() == []


def test_an_access_record_is_of_its_span(captured: testing.Captured, access: Callable[..., None]):
    access()
    with captured.tracer_provider.get_tracer("app").start_as_current_span("GET /a") as span:
        router.http_request("GET", route="/a", status_code=204, seconds=0.5, request_id="r\n1", client_address="::1")
    (one,) = captured.events("llm_router.http.request")
    assert (one.trace_id, one.span_id) == (span.get_span_context().trace_id, span.get_span_context().span_id)
    assert dict(one.attributes) == {
        "http.request.method": "GET",
        "http.route": "/a",
        "http.response.status_code": 204,
        "http.server.request.duration": 0.5,
        "http.request.header.x-request-id": "r\ufffd1",
    }
    assert one.severity_text == "INFO"


def test_the_clients_address_only_where_asked_for(captured: testing.Captured, access: Callable[..., None]):
    access(client=True)
    router.http_request("GET", route="/a", status_code=200, seconds=0, client_address="192.0.2.1")
    (one,) = captured.events()
    assert one.attributes["client.address"] == "192.0.2.1"


def test_a_share_of_a_busy_route_and_every_failure(captured: testing.Captured, access: Callable[..., None]):
    found, problems = shares(" /embed=0.1 , /v1/*=0,*=1 ")
    assert problems == []
    access(found)
    tracer = captured.tracer_provider.get_tracer("app")
    traces: dict[str, list[int]] = {}
    for _ in range(500):
        for route in ("/embed", "/v1/chat", "/other"):
            with tracer.start_as_current_span(route) as span:
                router.http_request("GET", route=route, status_code=200, seconds=0)
                traces.setdefault(route, []).append(span.get_span_context().trace_id)
    router.http_request("GET", route="/v1/chat", status_code=500, seconds=0)
    router.http_request("GET", route="/v1/chat", status_code=None, seconds=0)
    kept = Counter(one.attributes["http.route"] for one in captured.events())
    # As a sampler of traces with that share keeps them: by the low bits of their ids.
    assert kept["/embed"] == sum(one % 2**64 < 0.1 * 2**64 for one in traces["/embed"])
    assert (kept["/v1/chat"], kept["/other"]) == (2, 500)
    assert captured.value("llm_router.http.requests") == 1502


@pytest.mark.parametrize("text", ["x", "=0.5", "/a=2", "/a=-1", "/a=nan", "/a=x"])
def test_a_share_that_is_none_is_said_and_left_out(text: str):
    found, problems = shares(f"/ok=0.5,{text}")
    assert found == (("/ok", 0.5),)
    (problem,) = problems
    assert repr(text) in problem
