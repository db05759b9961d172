"""An exporter in memory behind the instrumentation, and a logging configuration that is put back."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from typing import Any

import pytest
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

from otel_llm_router.instrumentation.logging import LoggingInstrumentor
from otel_llm_router.telemetry.instrumenting import set_strict


class Exported:
    """What was exported."""

    def __init__(self) -> None:
        self.exporter = InMemoryLogRecordExporter()
        self.provider = LoggerProvider(shutdown_on_exit=False)
        self.provider.add_log_record_processor(SimpleLogRecordProcessor(self.exporter))

    def records(self) -> list[Any]:
        return [one.log_record for one in self.exporter.get_finished_logs()]

    def bodies(self) -> list[Any]:
        return [one.body for one in self.records()]

    def scopes(self) -> list[str]:
        return [one.instrumentation_scope.name for one in self.exporter.get_finished_logs()]  # pyright: ignore[reportOptionalMemberAccess]


@pytest.fixture(autouse=True)
def configuration() -> Generator[None]:
    """Let everything be logged, and put back what was there; pytest's own handlers stay."""
    root, errors = logging.getLogger(), logging.raiseExceptions
    level = root.level
    root.setLevel(logging.DEBUG)
    yield
    root.handlers[:] = [one for one in root.handlers if type(one).__module__.startswith("_pytest")]
    root.setLevel(level)
    logging.raiseExceptions = errors


@pytest.fixture
def exported() -> Exported:
    return Exported()


@pytest.fixture
def instrument(exported: Exported) -> Generator[Callable[..., None]]:
    """Instrument; errors of ours are raised."""
    instrumentor = LoggingInstrumentor()
    set_strict(strict=True)

    def begin(**options: Any) -> None:
        instrumentor.instrument(**{"logger_provider": exported.provider, **options})

    yield begin
    if instrumentor.is_instrumented_by_opentelemetry:
        instrumentor.uninstrument()
    set_strict(strict=False)


@pytest.fixture
def tracer() -> Any:
    resource = Resource.create({"service.name": "router"})
    return TracerProvider(shutdown_on_exit=False, resource=resource).get_tracer("test")


class Kept(logging.Handler):
    """A handler of the application's that keeps what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture
def kept() -> Kept:
    return Kept()
