"""A routed request: begun once, ended once, counted once, with the truth about how it ended."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry.trace import SpanKind, StatusCode

from otel_llm_router import telemetry as router
from otel_llm_router import testing
from tests.telemetry.application_errors import ProviderError
from tests.telemetry.spans import span_id


def test_a_request_that_answers_is_one_success(captured: testing.Captured, answer: Callable[..., Any]):
    with router.request(model="smart", strategy="cheapest", user="ada"), router.attempt("openai", "gpt-4o") as call:
        call.response(answer(10, 5))

    assert (
        captured.value("llm_router.inference", model="gpt-4o", strategy="cheapest", status="success", cached="false")
        == 1
    )
    assert captured.value("llm_router.inference") == 1
    assert captured.count("llm_router.inference.duration", model="gpt-4o", strategy="cheapest") == 1
    assert captured.value("llm_router.tokens.generated", model="gpt-4o", strategy="cheapest") == 5
    assert captured.count("llm_router.tokens_per_second", model="gpt-4o") == 1
    assert captured.count("llm_router.overhead", strategy="cheapest") == 1
    assert captured.value("llm_router.requests.in_flight") == 0
    assert captured.points("llm_router.errors") == []
    assert captured.events() == []


def test_its_span_is_the_parent_of_its_attempts(captured: testing.Captured):
    with router.request(model="smart", strategy="cheapest", user="ada"), router.attempt("openai", "gpt-4o"):
        pass

    attempt, route = captured.spans()
    assert (route.name, route.kind) == ("route smart", SpanKind.INTERNAL)
    assert (attempt.name, attempt.kind) == ("chat gpt-4o", SpanKind.CLIENT)
    assert attempt.parent is not None
    assert attempt.parent.span_id == span_id(route)
    assert route.parent is None
    assert route.status.status_code is StatusCode.UNSET
    assert dict(route.attributes or {}) == {
        "llm_router.request.model": "smart",
        "llm_router.response.model": "gpt-4o",
        "llm_router.strategy": "cheapest",
        "llm_router.outcome": "success",
        "llm_router.cached": False,
        "llm_router.attempt.count": 1,
        "user.id": "ada",
    }


def test_a_request_without_names_is_unknown_and_not_missing(captured: testing.Captured):
    with router.request():
        pass

    assert [point.labels for point in captured.points("llm_router.inference")] == [
        {"model": "unknown", "strategy": "unknown", "status": "success", "cached": "false"}
    ]
    assert [span.name for span in captured.spans()] == ["route unknown"]


def test_an_exception_makes_it_an_error_and_goes_on_to_the_caller(captured: testing.Captured):
    raised = ProviderError(503)
    with pytest.raises(ProviderError) as caught, router.request(model="smart"):
        raise raised

    assert caught.value is raised
    assert captured.value("llm_router.inference", status="error", model="smart") == 1
    assert captured.value("llm_router.errors", type="server_error", component="router", severity="error") == 1
    (span,) = captured.spans("route smart")
    assert span.status.status_code is StatusCode.ERROR
    assert (span.attributes or {})["error.type"] == "server_error"
    (event,) = captured.events("llm_router.inference.error")
    assert event.attributes["error.type"] == "server_error"
    assert span.context is not None
    assert event.trace_id == span.context.trace_id
    assert event.span_id == span_id(span)


def test_no_message_of_an_exception_is_exported(captured: testing.Captured):
    with pytest.raises(ProviderError), router.request(model="smart"), router.attempt("openai", "gpt-4o"):
        raise ProviderError(400)

    exported = repr([(span.name, span.attributes, span.status, span.events) for span in captured.spans()])
    exported += repr([(event.body, event.attributes) for event in captured.events()])
    assert "bad_request" in exported
    assert "secret" not in exported


@pytest.mark.parametrize(
    ("raised", "error_type"), [(asyncio.CancelledError(), "cancelled"), (GeneratorExit(), "client_disconnect")]
)
def test_a_cancellation_aborts_it_and_is_no_error(captured: testing.Captured, raised: BaseException, error_type: str):
    with pytest.raises(type(raised)), router.request(model="smart"):
        raise raised

    assert captured.value("llm_router.inference", status="aborted") == 1
    assert captured.value("llm_router.inference") == 1
    assert captured.points("llm_router.errors") == []
    assert captured.points("llm_router.stream.aborts") == []
    (event,) = captured.events()
    assert (event.event_name, event.attributes["error.type"]) == ("llm_router.inference.aborted", error_type)
    (span,) = captured.spans()
    assert span.status.status_code is StatusCode.ERROR


def test_requests_are_in_flight_until_they_end(captured: testing.Captured):
    with router.request(), router.request():
        assert captured.value("llm_router.requests.in_flight") == 2
    assert captured.value("llm_router.requests.in_flight") == 0


def test_the_request_in_flight_is_found_by_what_is_called_inside(captured: testing.Captured):
    assert router.current() is None
    with router.request(model="outer") as outer:
        assert router.current() is outer
        with router.request(model="inner") as inner:
            assert router.current() is inner
        assert router.current() is outer
    assert router.current() is None
    inner_span, outer_span = captured.spans()
    assert inner_span.parent is not None
    assert inner_span.parent.span_id == span_id(outer_span)


def test_async_with_is_the_same_block(captured: testing.Captured):
    async def main() -> None:
        async with router.request(model="smart") as request, request.attempt("openai", "gpt-4o"):
            await asyncio.sleep(0)

    asyncio.run(main())
    assert captured.value("llm_router.inference", status="success") == 1
    assert captured.value("llm_router.attempts", status="success") == 1


def test_a_failed_request_gives_its_open_attempts_up(captured: testing.Captured):
    with contextlib.suppress(ProviderError), router.request(model="smart") as request:
        request.attempt("openai", "gpt-4o")
        raise ProviderError(500)

    assert captured.value("llm_router.attempts", status="aborted") == 1
    assert captured.value("llm_router.attempts.in_flight") == 0
    assert len(captured.spans("chat gpt-4o")) == 1


def test_of_several_complete_answers_the_last_was_given(captured: testing.Captured, answer: Any):
    with router.request("smart") as request:
        for model, output in (("judge", 50), ("gpt-4o", 7)):
            with request.attempt("openai", model) as call:
                call.response(answer(10, output))
    assert [(p.labels["model"], p.value) for p in captured.points("llm_router.tokens.generated")] == [("gpt-4o", 7)]
    assert captured.value("llm_router.tokens", type="output") == 57
