"""What a request leaves behind is gone with it, without the garbage collector, which costs the application time."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from opentelemetry import context as otel_context

from otel_llm_router import telemetry as router
from otel_llm_router import testing


@pytest.fixture(autouse=True)
def no_collector() -> Iterator[None]:
    """Nothing is collected but what nobody knows any more."""
    gc.disable()
    yield
    gc.enable()


def retried() -> list[Any]:
    with router.request("smart", strategy="simple") as request:
        with request.decision(["gpt-4o"]) as decision:
            decision.select("gpt-4o", reason="only one")
        request.failed_attempt("eu-1", TimeoutError(), provider="openai", model="gpt-4o")
        with router.attempt("openai", "gpt-4o") as attempt:
            pass
    return [request, attempt]


def alone() -> list[Any]:
    with router.attempt("openai", "gpt-4o") as attempt:
        pass
    return [attempt.request, attempt]


def ended_inside() -> list[Any]:
    with router.request("smart") as request:
        request.end()
        assert router.current() is None
        with router.request("next") as second:
            pass
    return [request, second]


def streamed() -> list[Any]:
    known: list[Any] = []
    with router.request("smart") as request, router.attempt("openai", "gpt-4o") as attempt:
        stream = request.stream(iter("abc"))
        known += [request, attempt]
    assert "".join(stream) == "abc"
    return known


@pytest.mark.parametrize("request_of", [retried, alone, ended_inside, streamed])
def test_a_request_that_was_recorded_is_gone(captured: testing.Captured, request_of: Callable[[], list[Any]]):
    known = [weakref.ref(one) for one in request_of()]
    assert captured.value("llm_router.inference") >= 1
    assert [one() for one in known] == [None] * len(known)


def test_a_context_that_is_left_attached_after_the_end_is_still_stepped_out_of(captured: testing.Captured):
    outer = otel_context.get_current()
    request = router.request("smart")
    otel_context.attach(request.context)
    request.end()
    assert captured.value("llm_router.inference") == 1
    assert router.current() is None
    assert router.request("next").outer == outer
    otel_context.attach(outer)
