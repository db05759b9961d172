"""Logs with trace ids: the application's own records, whatever it does to its handlers.

Room: `instrumentation`. Loaded by ``opentelemetry-instrument`` under the name ``llm_router_logging``. Records of
the standard library's logging, and events of structlog that never enter it, come in; OpenTelemetry log records
go out, each once. The loggers are watched, not the handlers: those that an application clears, replaces or
cuts off with ``propagate=False`` do not matter.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, MutableMapping
from typing import Any, Final

import wrapt
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor
from opentelemetry.instrumentation.utils import unwrap

from otel_llm_router.instrumentation.logging import _fields
from otel_llm_router.telemetry.instrumenting import guard

LEVELS: Final = {
    "notset": logging.NOTSET,
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "critical": logging.CRITICAL,
}
"""What option ``logs_level`` can be, and its number."""


class LoggingInstrumentor(BaseInstrumentor):
    """Exports the application's log records, and gives them the fields with trace ids."""

    _active = False
    _hooked = False
    _structlog: Any = None

    def instrumentation_dependencies(self) -> Collection[str]:
        """Return nothing: logging is Python's, and structlog is hooked where the application imports it."""
        return ()

    def _instrument(self, **kwargs: Any) -> None:
        """Begin.

        Args:
            **kwargs: ``export`` (True unless said otherwise; the distribution passes option ``logs``), ``level``
                (option ``logs_level``), ``fields`` (option ``logs_fields``), and ``logger_provider`` and
                ``tracer_provider`` in place of the global ones.
        """
        export, fields = bool(kwargs.get("export", True)), bool(kwargs.get("fields", False))
        if fields:
            _fields.put(kwargs.get("tracer_provider"))
        if not export and not fields:
            return
        self._active = True
        emitter: Any = None
        if export:
            from otel_llm_router.instrumentation.logging._emitter import Emitter  # noqa: PLC0415  # once it is wanted
            from otel_llm_router.instrumentation.logging._hooks import Hooks  # noqa: PLC0415

            emitter = Emitter(kwargs.get("logger_provider"), LEVELS.get(str(kwargs.get("level", "")).lower(), 0))
            wrapt.wrap_function_wrapper(logging.Logger, "callHandlers", Hooks(emitter).call_handlers)
            self._hooked = True

        def imported(module: Any) -> None:
            with guard("logging.structlog"):
                if self._active and self._structlog is None:
                    from otel_llm_router.instrumentation.logging._structlog import Hooks  # noqa: PLC0415

                    base = module.BoundLoggerBase
                    wrapt.wrap_function_wrapper(base, "_process_event", Hooks(module, emitter, fields=fields).process)
                    self._structlog = base

        wrapt.when_imported("structlog")(imported)

    def _uninstrument(self, **kwargs: Any) -> None:  # noqa: ARG002  # options of other instrumentors
        self._active = False
        _fields.remove()
        if self._hooked:
            unwrap(logging.Logger, "callHandlers")
            self._hooked = False
        if self._structlog is not None:
            unwrap(self._structlog, "_process_event")
            self._structlog = None


def structlog_processor(logger: Any, method_name: str, event_dict: MutableMapping[str, Any]) -> Any:  # noqa: ARG001  # structlog's interface
    """Add ``trace_id`` and ``span_id`` of the current span, for a list of structlog processors.

    They are written as in W3C trace context. Without a span, and where the event has them already, nothing is added.
    """
    with guard("logging.structlog_processor"):
        _fields.add_ids(event_dict)
    return event_dict


__all__ = ["LEVELS", "LoggingInstrumentor", "structlog_processor"]
