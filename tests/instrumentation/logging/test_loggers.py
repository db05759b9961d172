"""Records reach the provider once and with trace ids, whatever becomes of the handlers."""

from __future__ import annotations

import logging
import logging.config
import logging.handlers
import warnings
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry._logs import SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider

from otel_llm_router.instrumentation.logging import LoggingInstrumentor, _emitter

Instrument = Callable[..., None]


def clear() -> None:
    logging.root.handlers.clear()


def again() -> None:
    logging.basicConfig(force=True, level=logging.DEBUG)


def from_dictionary() -> None:
    logging.config.dictConfig(
        {"version": 1, "disable_existing_loggers": False, "root": {"level": "DEBUG", "handlers": []}}
    )


def cut_off() -> None:
    logging.getLogger("app").propagate = False


@pytest.mark.parametrize("change", [clear, again, from_dictionary, cut_off])
def test_handlers_do_not_matter(
    change: Callable[[], None], instrument: Instrument, exported: Any, tracer: Any, kept: Any
) -> None:
    logger = logging.getLogger("app")
    instrument()
    change()
    logging.root.addHandler(kept)
    try:
        with tracer.start_as_current_span("route") as span:
            logger.info("chose %s", "gpt-4o", extra={"model": "gpt-4o", "tokens": 3})
    finally:
        logger.propagate = True
    (record,) = exported.records()
    context = span.get_span_context()
    assert (record.body, record.trace_id, record.span_id) == ("chose gpt-4o", context.trace_id, context.span_id)
    assert (record.severity_number, record.severity_text) == (SeverityNumber.INFO, "INFO")
    assert dict(record.attributes) == {"model": "gpt-4o", "tokens": 3}
    assert exported.scopes() == ["app"]
    assert len(kept.records) == (0 if change is cut_off else 1)


def test_loggers_made_later_and_their_levels(instrument: Instrument, exported: Any) -> None:
    instrument()
    logger = logging.getLogger("app.made_later")
    logger.setLevel(logging.WARNING)
    logger.info("below its level")
    logger.warning("heard")
    assert exported.bodies() == ["heard"]
    assert exported.records()[0].severity_text == "WARN"


def test_the_least_level(instrument: Instrument, exported: Any) -> None:
    instrument(level="warning")
    logging.getLogger("app").info("no")
    logging.getLogger("app").error("yes")
    assert exported.bodies() == ["yes"]


@pytest.mark.parametrize(
    ("level", "number", "text"),
    [
        (5, SeverityNumber.TRACE, "Level 5"),
        (10, SeverityNumber.DEBUG, "DEBUG"),
        (25, SeverityNumber.INFO4, "Level 25"),
        (31, SeverityNumber.WARN2, "Level 31"),
        (40, SeverityNumber.ERROR, "ERROR"),
        (50, SeverityNumber.FATAL, "FATAL"),
        (10**9, SeverityNumber.FATAL4, "Level 1000000000"),
    ],
)
def test_severities(level: int, number: SeverityNumber, text: str, instrument: Instrument, exported: Any) -> None:
    instrument()
    logger = logging.getLogger("app")
    logger.setLevel(1)
    logger.log(level, "m")
    logger.setLevel(logging.NOTSET)
    assert (exported.records()[0].severity_number, exported.records()[0].severity_text) == (number, text)


class OddError(Exception):
    pass


def go_wrong() -> None:
    raise OddError("went wrong") from KeyError("before")


def test_exceptions(instrument: Instrument, exported: Any) -> None:
    instrument()
    try:
        go_wrong()
    except OddError:
        logging.getLogger("app").exception("caught")
    found = dict(exported.records()[0].attributes)
    assert found["exception.type"] == f"{__name__}.OddError"
    assert found["exception.message"] == "went wrong"
    assert "KeyError: 'before'" in found["exception.stacktrace"]
    assert found["exception.stacktrace"].rstrip().endswith("OddError: went wrong")


def test_an_event_has_its_name(instrument: Instrument, exported: Any) -> None:
    instrument()
    logging.getLogger("app").info("m", extra={"otel.event.name": "model.chosen"})
    (record,) = exported.records()
    assert record.event_name == "model.chosen"
    assert not record.attributes


def test_where_it_was_logged(instrument: Instrument, exported: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_PYTHON_LOG_CODE_ATTRIBUTES", "true")
    instrument()
    logging.getLogger("app").info("m")
    found = exported.records()[0].attributes
    assert found["code.file.path"] == __file__
    assert found["code.function.name"] == "test_where_it_was_logged"
    assert found["code.line.number"] > 0


def sdk_handler(provider: LoggerProvider) -> logging.Handler:
    from opentelemetry.sdk._logs import LoggingHandler  # noqa: PLC0415

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return LoggingHandler(logger_provider=provider)


def instrumentation_handler(provider: LoggerProvider) -> logging.Handler:
    from opentelemetry.instrumentation.logging.handler import LoggingHandler  # noqa: PLC0415  # pyright: ignore[reportMissingTypeStubs]

    return LoggingHandler(logger_provider=provider)


def plain(handler: logging.Handler) -> logging.Handler:
    return handler


def buffered(handler: logging.Handler) -> logging.Handler:
    return logging.handlers.MemoryHandler(1, target=handler)


@pytest.mark.parametrize("around", [plain, buffered])
@pytest.mark.parametrize("make", [sdk_handler, instrumentation_handler])
@pytest.mark.parametrize("where", ["app", ""])
def test_once_with_a_handler_of_opentelemetry(
    make: Callable[[LoggerProvider], logging.Handler],
    around: Callable[[logging.Handler], logging.Handler],
    where: str,
    instrument: Instrument,
    exported: Any,
) -> None:
    instrument()
    handler = around(make(exported.provider))
    logging.getLogger(where).addHandler(handler)
    try:
        logging.getLogger("app.below").info("one")
        handler.setLevel(logging.WARNING)
        logging.getLogger("app.below").info("two, which the handler leaves out")
    finally:
        logging.getLogger(where).removeHandler(handler)
        handler.close()
    logging.getLogger("app.below").info("three")
    assert exported.bodies() == ["one", "two, which the handler leaves out", "three"]


def test_once_where_a_handler_passes_a_record_to_another_logger(instrument: Instrument, exported: Any) -> None:
    class Forward(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            logging.getLogger("central").handle(record)

    instrument()
    logger = logging.getLogger("app.forwarded")
    logger.addHandler(Forward())
    logger.info("one")
    logger.info("two")
    logger.handlers.clear()
    assert exported.bodies() == ["one", "two"]


def test_names_of_loggers_are_bounded(instrument: Instrument, exported: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_emitter, "MAX_NAMES", 3)
    instrument()
    for number in range(5):
        logging.getLogger(f"app.{number}").info("m")
    assert exported.scopes() == ["app.0", "app.1", "app.2", "other", "other"]


def test_uninstrumented(instrument: Instrument, exported: Any) -> None:
    before = logging.Logger.callHandlers
    instrument()
    LoggingInstrumentor().uninstrument()
    logging.getLogger("app").info("m")
    assert logging.Logger.callHandlers is before
    assert exported.bodies() == []
