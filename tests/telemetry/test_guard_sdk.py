"""An SDK whose extension points, callbacks or meters raise does not reach the application."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs import LogRecordProcessor as LogProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import Sampler

from otel_llm_router import telemetry as router
from otel_llm_router import testing
from otel_llm_router.telemetry import Telemetry
from tests.telemetry.guarded_application import Application, Call, healthy_results


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
    expected = healthy_results(application)
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
