"""HTTP requests to the router, as a web framework's instrumentation tells of them."""

from __future__ import annotations

from typing import Any

import pytest

from otel_llm_router import telemetry as router
from otel_llm_router import testing


def test_a_request_is_counted_and_timed_by_route(captured: testing.Captured):
    router.http_request("POST", route="/v1/chat/{id}", status_code=200, seconds=1.5)
    router.http_request("POST", route="/v1/chat/{id}", status_code=503, seconds=0.5)

    labels = {"method": "POST", "route": "/v1/chat/{id}", "status_code": "200"}
    assert captured.value("llm_router.http.requests", **labels) == 1
    assert captured.value("llm_router.http.request.duration", **labels) == 1.5
    assert captured.value("llm_router.http.requests", status_code="503") == 1


@pytest.mark.parametrize(
    ("method", "label"), [("QUERY", "QUERY"), ("BREW", "other"), ("get", "other"), ("\ud800", "other")]
)
def test_methods_are_the_registered_ones(captured: testing.Captured, method: str, label: str):
    router.http_request(method, route="/", status_code=200, seconds=0)
    assert captured.value("llm_router.http.requests", method=label) == 1
    assert captured.points("llm_router.telemetry.label.overflow") == []


def test_no_route_and_no_status(captured: testing.Captured):
    router.http_request("GET", route="", status_code=None, seconds=-1)
    assert captured.value("llm_router.http.requests", route="", status_code="unknown") == 1
    assert captured.value("llm_router.http.request.duration") == 0


def test_a_flood_of_routes_and_codes_is_bounded(captured: testing.Captured):
    for number in range(1000):
        untyped: Any = number
        router.http_request("GET", route=f"/junk/{number}", status_code=untyped, seconds=0)
    assert captured.value("llm_router.http.requests") == 1000
    assert captured.value("llm_router.http.requests", route="other") == 800
    assert len({point.labels["status_code"] for point in captured.points("llm_router.http.requests")}) == 81
