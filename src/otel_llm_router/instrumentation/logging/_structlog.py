"""The hook around structlog's loggers.

Room: `instrumentation`. Events come in as the application's processors leave them, one step before they are
rendered: so that what a processor drops or masks stays dropped and masked. With ids they go on to be rendered;
those of loggers that print go out as OpenTelemetry log records. What goes on to the standard library's logging
is seen there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, MutableMapping
from functools import partial
from typing import Any, Final, cast

from otel_llm_router import _sanitize
from otel_llm_router.instrumentation.logging import _fields, _records
from otel_llm_router.instrumentation.logging._emitter import Emitter
from otel_llm_router.telemetry.instrumenting import guard

_LEVELS: Final = {
    "debug": 10,
    "info": 20,
    "msg": 20,
    "log": 20,
    "warn": 30,
    "warning": 30,
    "err": 40,
    "error": 40,
    "failure": 40,
    "exception": 40,
    "critical": 50,
    "fatal": 50,
}
_PRINTING: Final = ("PrintLogger", "WriteLogger", "BytesLogger")
_NOT_ATTRIBUTES: Final = frozenset(
    {"event", "level", "timestamp", "exc_info", "exception", "trace_id", "span_id", "logger"}
)
_NAMED: Final = "structlog"
"""Scope of events of loggers without a name."""


class _Tap:
    """A processor of ours, before the one that renders.

    Args:
        fields: Whether to add trace ids.
    """

    def __init__(self, *, fields: bool) -> None:
        self.seen: dict[str, Any] = {}
        self._fields = fields

    def __call__(self, _logger: Any, _method_name: str, event: object) -> object:
        with guard("logging.structlog"):
            self._see(event)
        return event

    def _see(self, event: object) -> None:
        if not isinstance(event, MutableMapping):  # rendered already
            self.seen = {"event": event}
            return
        found = cast("MutableMapping[str, Any]", event)
        if self._fields:
            _fields.add_ids(found)
        self.seen = dict(found)


class Hooks:
    """Hooks that export through ``emitter``, if there is one, and add ids."""

    def __init__(self, module: Any, emitter: Emitter | None, *, fields: bool) -> None:
        self._printing = tuple(getattr(module, name) for name in _PRINTING if hasattr(module, name))
        self._emitter = emitter
        self._fields = fields

    def process(self, wrapped: Callable[..., Any], instance: Any, args: tuple[Any, ...], kwargs: Any) -> Any:
        """``BoundLoggerBase._process_event``."""
        tapped: Any = None
        tap = _Tap(fields=self._fields)
        with guard("logging.structlog"):
            tapped = self._tapped(wrapped, instance, tap)
        if tapped is None:
            return wrapped(*args, **kwargs)
        rendered = tapped(*args, **kwargs)
        with guard("logging.structlog"):
            if self._emitter is not None:
                method_name: str = args[0] if args else kwargs["method_name"]
                self._export(self._emitter, method_name, tap.seen)
        return rendered

    def _tapped(self, wrapped: Any, instance: Any, tap: _Tap) -> Any:
        """Return the method, bound to a copy of the logger that has the tap, if this logger is one of ours."""
        # A lazy proxy and a subclass may leave these out or call them otherwise.
        kept = cast("dict[str, Any]", vars(instance))
        processors, logger = kept.get("_processors"), kept.get("_logger")
        if not processors or not isinstance(logger, self._printing):
            return None
        copy: Any = object.__new__(instance.__class__)
        cast("dict[str, Any]", vars(copy)).update(kept, _processors=[*processors[:-1], tap, processors[-1]])
        return wrapped.__func__.__get__(copy)

    @staticmethod
    def _export(emitter: Emitter, method_name: str, event: Mapping[str, Any]) -> None:
        name = event.get("logger")
        name = name if isinstance(name, str) and name else _NAMED
        level = _LEVELS.get(str(event.get("level") or method_name).lower(), 20)
        if emitter.wants(name, level):
            emitter.emit(name, level, time.time(), partial(_describe, method_name, event))


def _describe(method_name: str, event: Mapping[str, Any]) -> dict[str, Any]:
    found = _records.attributes((key, value) for key, value in event.items() if key not in _NOT_ATTRIBUTES)
    written = event.get("exception")
    found.update(_records.exception(event.get("exc_info") or (method_name == "exception" and not written)))
    if isinstance(written, str):  # a processor has put the stack trace into words
        found["exception.stacktrace"] = _records.end(_sanitize.prose(written, _records.MAX_BODY))
    return {"body": _sanitize.prose(event.get("event", ""), _records.MAX_BODY), "attributes": found}
