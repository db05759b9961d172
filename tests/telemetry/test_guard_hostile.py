"""Hostile objects and wrong arguments of the application: exceptions, answers, candidates and custom instruments."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import pytest

from otel_llm_router import telemetry as router
from otel_llm_router import testing


class HostileError(Exception):
    """An exception whose every attribute raises."""

    def __getattribute__(self, name: str) -> Any:
        if name.startswith("__"):
            return super().__getattribute__(name)
        raise RuntimeError("do not look at me")


def _looped() -> Exception:
    first, second = Exception(), Exception()
    first.original_exception, second.original_exception = second, first  # pyright: ignore[reportAttributeAccessIssue]
    return first


@pytest.mark.parametrize("make", [HostileError, _looped])
def test_a_hostile_exception_is_still_an_end(captured: testing.Captured, make: Callable[[], Exception]):
    raised = make()
    with pytest.raises(type(raised)) as caught, router.request(model="smart"), router.attempt("openai", "gpt-4o"):
        raise raised

    assert caught.value is raised
    assert captured.value("llm_router.inference", status="error") == 1
    assert captured.value("llm_router.attempts", error_type="internal") == 1
    assert captured.value("llm_router.requests.in_flight") == 0


class HostileAnswer:
    """An answer whose every attribute raises."""

    def __getattr__(self, name: str) -> NoReturn:
        raise RuntimeError("do not look at me")


def test_a_hostile_answer_is_passed_on(captured: testing.Captured, lenient: dict[str, int]):
    given = HostileAnswer()
    with router.request(model="smart"), router.attempt("openai", "gpt-4o") as call:
        assert call.response(given) is given
    with router.request(model="smart") as request:
        assert list(request.stream(iter([given, given]), model="gpt-4o")) == [given, given]
    with router.request(model="smart"):
        assert router.cache("exact").hit(given) is given

    assert captured.value("llm_router.inference", status="success") == 3
    assert captured.value("llm_router.requests.in_flight") == 0


def test_candidates_that_cannot_be_listed_do_not_stop_a_decision(captured: testing.Captured, lenient: dict[str, int]):
    def candidates() -> Iterator[str]:
        yield "a"
        raise OSError

    with router.request(), router.decision(candidates()) as decision:
        assert decision.select("a") == "a"

    assert captured.value("llm_router.decisions", model="a") == 1


def test_a_wrong_custom_instrument_is_named_and_the_application_goes_on(
    captured: testing.Captured, lenient: dict[str, int]
):
    untyped: Any = router
    misnamed, counter = untyped.counter("9 bad name"), untyped.counter("good.name", labels=["a"])
    misnamed.add(1)
    counter.add(1, b="undeclared")
    counter.add("text")
    counter.add(None)
    counter.add(-1)
    counter.add(1, a="fine")
    untyped.histogram("good.histogram", buckets=["x"]).record(1)
    assert captured.value("good.name") == 1
    assert set(lenient) == {"custom counter", "custom histogram"}
