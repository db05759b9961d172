"""Errors of ours stay with us: counted, logged once, and never seen by the application."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, NoReturn

import pytest

from otel_llm_router import telemetry as router
from otel_llm_router import testing
from otel_llm_router.telemetry import _guard
from otel_llm_router.telemetry._attempt import Attempt
from otel_llm_router.telemetry._bounds import LabelBounds
from otel_llm_router.telemetry._recorder import Recorder
from otel_llm_router.telemetry._request import Request
from otel_llm_router.telemetry._usage import Usage
from tests.telemetry.guarded_application import Application, Call, healthy_results

FAULTS: list[type[BaseException]] = [Exception, MemoryError, RecursionError, asyncio.CancelledError, GeneratorExit]


class Fault:
    """Makes calls into our own code fail: all of them, or only the one of a given number."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self.calls = 0
        self.error: BaseException | None = None
        self.only: int | None = None
        for owner, name in (
            (Recorder, "record"),
            (Recorder, "record_all"),
            (Recorder, "enter"),
            (Recorder, "_bound"),
            (Recorder, "start_span"),
            (Recorder, "emit"),
            (Recorder, "observe"),
            (Recorder, "custom"),
            (LabelBounds, "value"),
            (LabelBounds, "vouch"),
            (Request, "decided"),
            (Attempt, "read_usage"),
            (Attempt, "describe"),
            (Usage, "items"),
            (Usage, "fill"),
            (Recorder, "labels"),
        ):
            self._break(owner, name)

    def _break(self, owner: type, name: str) -> None:
        original: Call = getattr(owner, name)

        def breaking(*args: Any, **kwargs: Any) -> Any:
            self.calls += 1
            if self.error is not None and self.only in (None, self.calls):
                raise self.error
            return original(*args, **kwargs)

        self._monkeypatch.setattr(owner, name, breaking)


@pytest.fixture
def fault(monkeypatch: pytest.MonkeyPatch) -> Fault:
    return Fault(monkeypatch)


@pytest.mark.parametrize("kind", FAULTS)
def test_with_everything_of_ours_failing_the_application_works(
    application: Application, fault: Fault, lenient: dict[str, int], kind: type[BaseException]
):
    expected = healthy_results(application)
    assert lenient == {}
    fault.error = kind("ours")
    assert application.run() == expected
    assert sum(lenient.values()) > 50


@pytest.mark.parametrize("kind", FAULTS)
def test_a_fault_at_any_single_call_reaches_nobody_and_is_counted(
    application: Application,
    captured: testing.Captured,
    fault: Fault,
    lenient: dict[str, int],
    kind: type[BaseException],
):
    expected = healthy_results(application)
    captured.metric_names()  # what is done off the request path is done
    fault.calls = 0
    application.run()
    captured.metric_names()
    calls = fault.calls
    assert calls > 150
    # Every call site is hit by one kind of fault or another: the kinds share the numbers between them.
    for number in range(1 + FAULTS.index(kind), calls + 1, len(FAULTS)):
        before = sum(lenient.values())
        fault.calls, fault.only, fault.error = 0, number, kind("ours")
        assert application.run() == expected
        captured.metric_names()
        fault.error = None
        # What is remembered since the calls were counted needs fewer of them: the last ones may not come.
        assert sum(lenient.values()) == before + (fault.calls >= number), number
    counted = captured.value("llm_router.telemetry.guard.errors")
    assert counted == sum(lenient.values()) > 30
    assert captured.value("llm_router.requests.in_flight") == 0
    assert captured.value("llm_router.attempts.in_flight") == 0
    assert captured.value("llm_router.active_connections") == 0


def test_a_failed_span_costs_the_span_only(
    captured: testing.Captured, lenient: dict[str, int], answer: Call, monkeypatch: pytest.MonkeyPatch
):
    def broken(*_: Any, **__: Any) -> NoReturn:
        raise MemoryError

    monkeypatch.setattr(Recorder, "start_span", broken)
    with router.request(model="smart"), router.attempt("openai", "gpt-4o") as call:
        call.response(answer(10, 5))

    assert captured.value("llm_router.inference", model="gpt-4o", status="success") == 1
    assert captured.value("llm_router.inference") == 1
    assert captured.value("llm_router.attempts") == 1
    assert captured.value("llm_router.tokens") == 15
    assert captured.spans() == []
    assert captured.value("llm_router.telemetry.guard.errors", hook="request.span") == 1
    assert captured.value("llm_router.telemetry.guard.errors", hook="attempt.span") == 1


@pytest.mark.parametrize("kind", FAULTS)
def test_under_test_our_errors_are_raised(captured: testing.Captured, fault: Fault, kind: type[BaseException]):
    fault.error = kind("ours")
    with pytest.raises(kind, match="ours"):
        router.error("something")


@pytest.mark.parametrize("captured", [False], indirect=True, ids=["sdk"])  # elsewhere it cannot strike the application
@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_is_the_applications_wherever_it_strikes(
    application: Application, fault: Fault, lenient: dict[str, int], kind: type[BaseException]
):
    healthy_results(application)
    fault.calls = 0
    application.run()
    calls = fault.calls
    for number in range(1, calls + 1, 7):
        fault.calls, fault.only, fault.error = 0, number, kind("application's")
        with pytest.raises(kind, match="application's"):
            application.run()
        fault.error = None
    assert lenient == {}


def test_an_interrupt_while_an_error_is_counted_is_raised(
    fault: Fault, lenient: dict[str, int], monkeypatch: pytest.MonkeyPatch
):
    """The guard's own accounting is no hiding place."""

    def interrupted(*_: Any) -> NoReturn:
        raise KeyboardInterrupt

    fault.error = ValueError("ours")
    monkeypatch.setattr(_guard.state, "listener", interrupted)
    with pytest.raises(KeyboardInterrupt):
        router.error("something")


def test_what_is_caught_is_said_once_and_without_messages(
    fault: Fault, lenient: dict[str, int], caplog: pytest.LogCaptureFixture
):
    fault.error = ValueError("a prompt, perhaps")
    with caplog.at_level(logging.INFO, "otel_llm_router"):
        for _ in range(3):
            router.error("something")

    (record,) = caplog.records
    assert "ValueError" in record.getMessage()
    assert "'error'" in record.getMessage()
    assert "llm_router.telemetry.guard.errors" in record.getMessage()
    assert "prompt" not in record.getMessage()
    assert lenient == {"error": 3}


def test_guarded_functions_answer_none_when_they_fail(lenient: dict[str, int]):
    @_guard.guarded("mine")
    def mine(value: int) -> int:
        return 1 // value

    assert mine(1) == 1
    assert mine(0) is None
    assert lenient == {"mine": 1}
