"""Errors of ours stay with us: counted, logged once, and never seen by the application."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from contextlib import AbstractContextManager
from types import SimpleNamespace
from typing import Any, NoReturn, TypeAlias

import pytest
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs import LogRecordProcessor as LogProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import Sampler

from otel_llm_router import telemetry as router
from otel_llm_router import testing
from otel_llm_router.telemetry import Telemetry, _guard
from otel_llm_router.telemetry._bounds import LabelBounds
from otel_llm_router.telemetry._recorder import Recorder

FAULTS: list[type[BaseException]] = [Exception, MemoryError, RecursionError, asyncio.CancelledError, GeneratorExit]
Call: TypeAlias = Callable[..., Any]


class ProviderError(Exception):
    """The application's own failure."""


class Fault:
    """Makes calls into our own code fail: all of them, or only the one of a given number."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self.calls = 0
        self.error: BaseException | None = None
        self.only: int | None = None
        for owner, name in (
            (Recorder, "record"),
            (Recorder, "enter"),
            (Recorder, "start_span"),
            (Recorder, "emit"),
            (Recorder, "observe"),
            (Recorder, "custom"),
            (LabelBounds, "value"),
            (LabelBounds, "vouch"),
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


class Application:
    """A router that uses everything; what it answers must not depend on us."""

    def __init__(self, telemetry: Telemetry, chunk: Call, answer: Call) -> None:
        self._router = telemetry
        self._answer = answer(10, 5)
        self._chunks = [chunk("a"), chunk("b")]
        self._counter = telemetry.counter("app.requests", labels=["tenant"])
        self._histogram = telemetry.histogram("app.latency", labels=["tenant"], buckets=[1, 2])

    def run(self) -> list[Any]:
        return [
            *self._holds(),
            self._answers(),
            self._fails(),
            list(self._streams()),
            self._walks_away(),
            list(self._generates()),
            asyncio.run(self._awaits()),
        ]

    def _answers(self) -> Any:
        router = self._router
        with router.request(model="smart", user="ada"):
            with router.cache("exact") as cache:
                cache.miss(similarity=0.3)
            with router.decision(["gpt-4o"]) as decision:
                decision.filtered("cooldown")
                decision.select("gpt-4o", reason="cheapest")
            with router.queue("slots").wait(_Slots()), router.attempt("openai", "gpt-4o") as call:
                call.cost(0.1)
                return call.response(self._answer)

    def _fails(self) -> Any:
        try:
            with self._router.request(model="smart") as request:
                request.failed_attempt("eu", ProviderError("first"), provider="openai")
                with request.attempt("openai", "gpt-4o"):
                    raise ProviderError("second")  # noqa: TRY301  # as a provider's SDK does
        except ProviderError as error:
            return type(error), error.args

    def _streams(self) -> Any:
        with self._router.request(model="smart") as request:
            return request.stream(iter(self._chunks), model="gpt-4o", provider="openai")

    def _walks_away(self) -> Any:
        with self._router.request(model="smart") as request:
            stream = request.stream((item for item in self._chunks), model="gpt-4o", provider="openai")
        first = next(stream)
        stream.close()
        return first

    def _generates(self) -> Generator[Any]:
        def body() -> Generator[Any]:
            with self._router.attempt("openai", "gpt-4o"):
                yield from self._chunks

        return self._router.route(model="smart")(body)()

    async def _awaits(self) -> list[Any]:
        async def events() -> AsyncGenerator[Any]:
            for item in self._chunks:
                yield item

        async def body() -> list[Any]:
            request = self._router.current()
            stream = events() if request is None else request.stream(events(), model="gpt-4o")
            return [item async for item in stream]

        return await self._router.route(model="smart")(body)()

    def _holds(self) -> list[Any]:
        router = self._router
        blocks: list[AbstractContextManager[Any]] = [
            router.connection("sse"),
            router.model_load("llama"),
            router.cache("exact"),
            router.decision(["a"]),
            router.attempt("openai", "alone"),
        ]
        for block in blocks:
            with block:
                pass
        cache = router.cache("exact")
        return [
            cache.hit("found", saved_usd=0.1),
            *(
                cache.evicted(2),
                cache.set_size(1, entries=2),
                router.queue("slots").set_size(1),
                router.queue("slots").processed(0.1),
                router.model_loaded("phi", size_bytes=1),
                router.model_unloaded("phi"),
                router.observe_queue("slots", depth=lambda: 1, capacity=2),
                router.observe_cache("exact", bytes=lambda: 1, entries=lambda: 1),
                router.observe_connections("openai", open=lambda: 1),
                router.budget("team", limit_usd=1, spent_usd=2),
                router.saved(0.1),
                router.rate_limit("openai", "gpt-4o", requests_left=1, tokens_left=2),
                router.rate_limited("team"),
                router.auth_failure(),
                router.deployment("eu", provider="openai", model="gpt-4o"),
                router.cooldown("eu", provider="openai", model="gpt-4o", seconds=1, error=ProviderError()),
                router.error(ProviderError()),
                self._counter.add(1, tenant="a"),
                self._histogram.record(1, tenant="a"),
            ),
        ]


class _Slots:
    def __enter__(self) -> str:
        return "slot"

    def __exit__(self, *exc: object) -> None: ...


@pytest.fixture
def application(lenient: dict[str, int], chunk: Call, answer: Call) -> Application:
    return Application(router.default, chunk, answer)


def _expected(application: Application) -> list[Any]:
    results = application.run()
    assert (ProviderError, ("second",)) in results
    return results


@pytest.mark.parametrize("kind", FAULTS)
def test_with_everything_of_ours_failing_the_application_works(
    application: Application, fault: Fault, lenient: dict[str, int], kind: type[BaseException]
):
    expected = _expected(application)
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
    expected = _expected(application)
    fault.calls = 0
    application.run()
    calls = fault.calls
    assert calls > 200
    # Every call site is hit by one kind of fault or another: the kinds share the numbers between them.
    for number in range(1 + FAULTS.index(kind), calls + 1, len(FAULTS)):
        before = sum(lenient.values())
        fault.calls, fault.only, fault.error = 0, number, kind("ours")
        assert application.run() == expected
        fault.error = None
        assert sum(lenient.values()) == before + 1, number
    counted = captured.value("llm_router.telemetry.guard.errors")
    assert counted == sum(lenient.values()) > 50
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


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_is_the_applications_wherever_it_strikes(
    application: Application, fault: Fault, lenient: dict[str, int], kind: type[BaseException]
):
    _expected(application)
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


# --- an SDK whose extension points raise -----------------------------------------------------------


class _Raising:
    """Raises from whatever is called on it."""

    error: BaseException = ValueError("extension")


class RaisingProcessor(SpanProcessor):
    def on_start(self, span: Any, parent_context: Any = None) -> None:
        raise _Raising.error

    def on_end(self, span: Any) -> None:
        raise _Raising.error


class RaisingSampler(Sampler):
    def should_sample(self, *_: Any, **__: Any) -> NoReturn:
        raise _Raising.error

    def get_description(self) -> str:
        return "raises"


class RaisingIds(IdGenerator):
    def generate_span_id(self) -> int:
        raise _Raising.error

    def generate_trace_id(self) -> int:
        raise _Raising.error


class RaisingLogs(LogProcessor):
    def on_emit(self, log_record: Any) -> None:
        raise _Raising.error

    def shutdown(self) -> None: ...

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        return True


def _tracers(*processors: SpanProcessor, **options: Any) -> TracerProvider:
    provider = TracerProvider(shutdown_on_exit=False, **options)
    for processor in processors:
        provider.add_span_processor(processor)
    return provider


def _loggers() -> LoggerProvider:
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(RaisingLogs())
    return provider


BROKEN: dict[str, Callable[[], Telemetry]] = {
    "span processor": lambda: Telemetry(tracer_provider=_tracers(RaisingProcessor())),
    "sampler": lambda: Telemetry(tracer_provider=_tracers(sampler=RaisingSampler())),
    "id generator": lambda: Telemetry(tracer_provider=_tracers(id_generator=RaisingIds())),
    "log processor": lambda: Telemetry(logger_provider=_loggers()),
}


@pytest.mark.parametrize("broken", list(BROKEN))
def test_an_extension_of_the_sdk_that_raises_does_not_reach_the_application(
    application: Application, lenient: dict[str, int], chunk: Call, answer: Call, broken: str
):
    expected = _expected(application)
    results = Application(BROKEN[broken](), chunk, answer).run()
    assert repr(results) == repr(expected)
    assert sum(lenient.values()) > 0


def test_a_callback_of_the_application_that_raises_spoils_no_collection(
    captured: testing.Captured, lenient: dict[str, int]
):
    def broken() -> float:
        raise OSError

    router.observe_queue("broken", depth=broken)
    router.observe_queue("slots", depth=lambda: 3)
    assert captured.value("llm_router.queue.size", queue_type="slots") == 3
    assert captured.points("llm_router.queue.size", queue_type="broken") == []
    assert captured.value("llm_router.telemetry.guard.errors") > 0


# --- hostile objects of the application ------------------------------------------------------------


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


def test_guarded_functions_answer_none_when_they_fail(lenient: dict[str, int]):
    @_guard.guarded("mine")
    def mine(value: int) -> int:
        return 1 // value

    assert mine(1) == 1
    assert mine(0) is None
    assert lenient == {"mine": 1}


def test_meters_that_fail_to_make_instruments_are_survived(lenient: dict[str, int], chunk: Call, answer: Call):
    class Broken(MeterProvider):
        def get_meter(self, *_: Any, **__: Any) -> Any:
            def refuse(*_: Any, **__: Any) -> NoReturn:
                raise OSError

            names = ("counter", "up_down_counter", "histogram", "observable_counter", "observable_gauge")
            return SimpleNamespace(**{f"create_{name}": refuse for name in names})

    assert repr(Application(Telemetry(meter_provider=Broken(shutdown_on_exit=False)), chunk, answer).run()).count(
        "Provider"
    )
    assert sum(lenient.values()) > 0
