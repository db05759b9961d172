"""structlog: ids in its events, and the events of its printing loggers as records, once."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Generator
from typing import Any

import pytest
import structlog
from opentelemetry import trace
from opentelemetry._logs import SeverityNumber

from otel_llm_router.instrumentation.logging import structlog_processor

Instrument = Callable[..., None]


@pytest.fixture(autouse=True)
def defaults() -> Generator[None]:
    structlog.reset_defaults()
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def test_the_default_configuration(
    instrument: Instrument, exported: Any, tracer: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    logger = structlog.get_logger().bind(logger="app")
    instrument(fields=True)
    structlog.contextvars.bind_contextvars(tenant="t")
    with tracer.start_as_current_span("route") as span:
        logger.bind(model="gpt-4o").warning("chose", tokens=3)
    context = span.get_span_context()
    (record,) = exported.records()
    assert (record.body, record.trace_id, record.span_id) == ("chose", context.trace_id, context.span_id)
    assert (record.severity_number, record.severity_text) == (SeverityNumber.WARN, "WARN")
    assert dict(record.attributes) == {"tenant": "t", "model": "gpt-4o", "tokens": 3}
    assert exported.scopes() == ["app"]
    printed = capsys.readouterr().out
    assert printed.count("\n") == 1
    assert trace.format_trace_id(context.trace_id) in printed
    assert trace.format_span_id(context.span_id) in printed


@pytest.mark.parametrize("fields", [True, False])
def test_without_a_span_or_without_fields_the_line_is_as_it_was(fields: bool, instrument: Instrument) -> None:
    def written() -> str:
        out = io.StringIO()
        structlog.configure(
            processors=[structlog.processors.JSONRenderer()], logger_factory=structlog.PrintLoggerFactory(out)
        )
        structlog.get_logger().info("m", a=1)
        return out.getvalue()

    before = written()
    instrument(fields=fields)
    assert written() == before


def test_the_processor_in_the_applications_own_list(tracer: Any) -> None:
    out = io.StringIO()
    structlog.configure(
        processors=[structlog_processor, structlog.processors.KeyValueRenderer()],
        logger_factory=structlog.PrintLoggerFactory(out),
    )
    with tracer.start_as_current_span("route") as span:
        structlog.get_logger().info("m")
        structlog.get_logger().info("m", trace_id="mine")
    structlog.get_logger().info("m")
    context = span.get_span_context()
    ids = f"trace_id='{trace.format_trace_id(context.trace_id)}' span_id='{trace.format_span_id(context.span_id)}'"
    assert out.getvalue().splitlines() == [f"event='m' {ids}", "trace_id='mine' event='m'", "event='m'"]


def mask(_logger: Any, _method: str, event: Any) -> Any:
    return {**event, "key": "***"} if "key" in event else event


def drop(_logger: Any, _method: str, event: Any) -> Any:
    if event["event"] == "dropped":
        raise structlog.DropEvent
    return event


def test_what_processors_mask_and_drop_stays_so(instrument: Instrument, exported: Any) -> None:
    instrument()
    structlog.configure(
        processors=[mask, drop, structlog.processors.JSONRenderer()],
        logger_factory=structlog.WriteLoggerFactory(io.StringIO()),  # pyright: ignore[reportArgumentType]
    )
    structlog.get_logger().info("one", key="sk-secret")
    structlog.get_logger().info("dropped")
    assert exported.bodies() == ["one"]
    assert dict(exported.records()[0].attributes) == {"key": "***"}


def test_an_error_of_a_processor_is_the_applications(instrument: Instrument, exported: Any) -> None:
    def broken(_logger: Any, _method: str, _event: Any) -> Any:
        raise ZeroDivisionError

    instrument()
    structlog.configure(processors=[broken, structlog.processors.JSONRenderer()])
    with pytest.raises(ZeroDivisionError):
        structlog.get_logger().info("m")
    assert exported.bodies() == []


def test_below_its_level(instrument: Instrument, exported: Any) -> None:
    instrument(level="error")
    structlog.configure(
        processors=[structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(io.StringIO()),
    )
    structlog.get_logger().debug("no")
    structlog.get_logger().info("no, for the option")
    structlog.get_logger().error("yes")
    assert exported.bodies() == ["yes"]


@pytest.mark.parametrize("renders", [True, False])
def test_exceptions(renders: bool, instrument: Instrument, exported: Any) -> None:
    instrument()
    own: list[Any] = [structlog.processors.format_exc_info] if renders else []
    structlog.configure(
        processors=[structlog.processors.add_log_level, *own, structlog.processors.JSONRenderer(default=str)],
        logger_factory=structlog.PrintLoggerFactory(io.StringIO()),
    )
    try:
        int("wrong")
    except ValueError:
        structlog.get_logger().exception("caught")
    (record,) = exported.records()
    assert record.severity_text == "ERROR"
    assert "ValueError: invalid literal" in record.attributes["exception.stacktrace"]
    assert renders or record.attributes["exception.type"] == "ValueError"


def test_once_through_the_standard_librarys_logging(instrument: Instrument, exported: Any, tracer: Any) -> None:
    instrument()
    structlog.configure(
        processors=[structlog.stdlib.add_log_level, structlog.processors.JSONRenderer()],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    with tracer.start_as_current_span("route") as span:
        structlog.stdlib.get_logger("app").info("m")
    (record,) = exported.records()
    assert record.trace_id == span.get_span_context().trace_id
    assert exported.scopes() == ["app"]


async def test_asynchronous_methods(instrument: Instrument, exported: Any, tracer: Any) -> None:
    instrument()
    with tracer.start_as_current_span("route") as span:
        await structlog.get_logger().ainfo("m")
    (record,) = exported.records()
    assert record.span_id == span.get_span_context().span_id
