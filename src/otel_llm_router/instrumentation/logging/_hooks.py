"""The hook around the standard library's loggers.

Room: `instrumentation`. Records come in where a logger has let them through and its handlers have not seen
them yet: they go out as the application logged them, and reach the handlers unchanged.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from otel_llm_router.instrumentation.logging import _handlers, _records
from otel_llm_router.instrumentation.logging._emitter import Emitter
from otel_llm_router.telemetry.instrumenting import guard


class Hooks:
    """Hooks that export through ``emitter``."""

    def __init__(self, emitter: Emitter) -> None:
        self._emitter = emitter
        self._here = threading.local()

    def call_handlers(self, wrapped: Callable[..., Any], instance: Any, args: tuple[Any, ...], kwargs: Any) -> Any:
        """``Logger.callHandlers``."""
        record: Any = args[0] if args else kwargs.get("record")
        # A handler may give a record to another logger, which is the same record still.
        outer = getattr(self._here, "record", None)
        if record is outer:
            return wrapped(*args, **kwargs)
        with guard("logging.record"):
            self._export(instance, record)
        self._here.record = record
        try:
            return wrapped(*args, **kwargs)
        finally:
            self._here.record = outer

    def _export(self, logger: logging.Logger, record: logging.LogRecord) -> None:
        level = record.levelno
        if not isinstance(level, int):  # pyright: ignore[reportUnnecessaryIsInstance]  # a record that somebody made up
            return
        if self._emitter.wants(record.name, level) and not _handlers.exported(logger, level):
            self._emitter.emit(record.name, level, record.created, partial(_records.describe, record))
