"""Trace ids as fields, for the application's own formatters.

Room: `instrumentation`. The current span comes in; ``otelTraceID``, ``otelSpanID``, ``otelTraceSampled`` and
``otelServiceName`` on each record go out, named as OpenTelemetry's own logging instrumentation names them.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, MutableMapping
from typing import Any, Final

from opentelemetry import trace

from otel_llm_router.telemetry.instrumenting import guard

NAMES: Final = frozenset({"otelTraceID", "otelSpanID", "otelTraceSampled", "otelServiceName"})

CORRELATION: Final = "OTEL_PYTHON_LOG_CORRELATION"
_FORMAT: Final = "OTEL_PYTHON_LOG_FORMAT"
_LEVEL: Final = "OTEL_PYTHON_LOG_LEVEL"
_STANDARD_FORMAT: Final = (
    "%(asctime)s %(levelname)s [%(name)s] [%(filename)s:%(lineno)d] [trace_id=%(otelTraceID)s span_id=%(otelSpanID)s "
    "resource.service.name=%(otelServiceName)s trace_sampled=%(otelTraceSampled)s] - %(message)s"
)
_LEVELS: Final = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}


class _Factory:
    """A factory of records around the one that was there.

    Args:
        inner: The factory that was there.
        provider: Tracer provider whose resource names the service; the global one when None.
    """

    def __init__(self, inner: Callable[..., logging.LogRecord], provider: Any) -> None:
        self.inner = inner
        self.active = True
        self._provider = provider
        self._service = ""

    def __call__(self, *args: Any, **kwargs: Any) -> logging.LogRecord:
        record = self.inner(*args, **kwargs)
        if self.active:
            with guard("logging.fields"):
                context = trace.get_current_span().get_span_context()
                known = context.is_valid
                record.otelTraceID = trace.format_trace_id(context.trace_id) if known else "0"
                record.otelSpanID = trace.format_span_id(context.span_id) if known else "0"
                record.otelTraceSampled = known and context.trace_flags.sampled
                record.otelServiceName = self._service or self._service_name()
        return record

    def _service_name(self) -> str:
        resource = getattr(self._provider or trace.get_tracer_provider(), "resource", None)
        self._service = str(resource.attributes.get("service.name") or "") if resource is not None else ""
        return self._service


_put: list[_Factory] = []


def put(provider: Any = None) -> None:
    """Let every record have the fields from now on."""
    factory = _Factory(logging.getLogRecordFactory(), provider)
    logging.setLogRecordFactory(factory)
    _put.append(factory)
    if os.environ.get(CORRELATION, "").strip().lower() == "true":
        # As the variable is documented: a format with the ids, where the application has set up nothing.
        level = _LEVELS.get(os.environ.get(_LEVEL, "").strip().lower(), logging.INFO)
        logging.basicConfig(format=os.environ.get(_FORMAT) or _STANDARD_FORMAT, level=level)


def remove() -> None:
    """Let records be as they were; a factory that somebody has put around ours stays, and ours adds nothing."""
    while _put:
        factory = _put.pop()
        factory.active = False
        if logging.getLogRecordFactory() is factory:
            logging.setLogRecordFactory(factory.inner)


def add_ids(event: MutableMapping[str, Any]) -> None:
    """Add the current span's ids to an event of structlog's, unless it has some."""
    if "trace_id" in event:
        return
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        event["trace_id"] = trace.format_trace_id(context.trace_id)
        event["span_id"] = trace.format_span_id(context.span_id)
