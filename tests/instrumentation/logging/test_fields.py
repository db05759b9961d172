"""Trace ids in what the application itself writes."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry import trace

from otel_llm_router.instrumentation.logging import LoggingInstrumentor

Instrument = Callable[..., None]
FORMAT = "%(otelTraceID)s %(otelSpanID)s %(otelTraceSampled)s %(otelServiceName)s %(message)s"


class Service:
    class resource:  # noqa: N801  # as a provider has it
        attributes = {"service.name": "router"}  # noqa: RUF012


def test_an_own_format(instrument: Instrument, exported: Any, tracer: Any) -> None:
    out = io.StringIO()
    instrument(export=False, fields=True, tracer_provider=Service())
    logging.basicConfig(format=FORMAT, stream=out, force=True)
    with tracer.start_as_current_span("route") as span:
        logging.getLogger("app").warning("inside")
    logging.getLogger("app").warning("outside")
    context = span.get_span_context()
    ids = f"{trace.format_trace_id(context.trace_id)} {trace.format_span_id(context.span_id)}"
    assert out.getvalue().splitlines() == [f"{ids} True router inside", "0 0 False router outside"]
    assert exported.bodies() == []


def test_the_fields_are_not_exported_twice(instrument: Instrument, exported: Any) -> None:
    instrument(fields=True)
    logging.getLogger("app").warning("m", extra={"model": "a"})
    assert dict(exported.records()[0].attributes) == {"model": "a"}


@pytest.mark.parametrize("level", ["", "error"])
def test_the_standard_variable(
    level: str, instrument: Instrument, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_PYTHON_LOG_CORRELATION", "true")
    monkeypatch.setenv("OTEL_PYTHON_LOG_LEVEL", level)
    logging.root.handlers.clear()
    instrument(fields=True)
    logging.getLogger("app").info("heard")
    shown = capfd.readouterr().err
    assert ("[trace_id=0 span_id=0 resource.service.name= trace_sampled=False] - heard" in shown) == (not level)


def test_a_factory_of_the_applications_stays(instrument: Instrument) -> None:
    instrument(fields=True)
    ours = logging.getLogRecordFactory()

    def theirs(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = ours(*args, **kwargs)
        record.theirs = True
        return record

    logging.setLogRecordFactory(theirs)
    try:
        LoggingInstrumentor().uninstrument()
        record: Any = logging.getLogger("app").makeRecord("app", 20, "f", 1, "m", (), None)
        assert record.theirs
        assert not hasattr(record, "otelTraceID")
    finally:
        logging.setLogRecordFactory(logging.LogRecord)
