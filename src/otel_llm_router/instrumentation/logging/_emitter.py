"""The way of a record into OpenTelemetry, which never leads back to itself.

Room: `instrumentation`. What was logged comes in, from any logger; a record on the logger provider goes out.
What exporters, the SDK and we ourselves log does not: it would make the next export, without end.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from opentelemetry._logs import LogRecord, get_logger_provider
from opentelemetry.context import get_current
from opentelemetry.instrumentation.utils import is_instrumentation_enabled

from otel_llm_router import _sanitize
from otel_llm_router.instrumentation.logging import _severity
from otel_llm_router.telemetry.instrumenting import defer

MAX_NAMES: Final = 1000
"""Most names of loggers that become instrumentation scopes; the SDK keeps each for good."""
OTHER: Final = "other"

OWN: Final = ("opentelemetry", "otel_llm_router", "grpc")
"""Loggers of the way out, with all that is below them. gRPC logs in threads of its own, which nothing marks."""


class Emitter:
    """Emits what was logged.

    Args:
        provider: Logger provider; the global one when None.
        level: Least level, as the standard library numbers them.
    """

    def __init__(self, provider: Any = None, level: int = 0) -> None:
        self._given = provider
        self._level = level
        self._provider: Any = None
        self._loggers: dict[str, Any] = {}
        self._here = threading.local()

    def wants(self, name: str, level: int) -> bool:
        """Whether a record of logger ``name`` is to be exported."""
        return (
            level >= self._level
            and not getattr(self._here, "emitting", False)
            and not (name.startswith(OWN) and name.partition(".")[0] in OWN)
            and is_instrumentation_enabled()  # not while something is exported
        )

    def emit(self, name: str, level: int, when: float, describe: Callable[[], Mapping[str, Any]]) -> None:
        """Emit one record.

        Args:
            name: Of the logger.
            level: Its level, as the standard library numbers them.
            when: When it was logged, in seconds of the epoch.
            describe: Returns the rest. What is logged meanwhile, by an application's ``__str__``, is not exported:
                the application's own handlers make it log the same once more.
        """
        self._here.emitting = True
        try:
            number, text = _severity.of(level)
            record = LogRecord(
                timestamp=int(when * 1e9),
                context=get_current(),
                severity_number=number,
                severity_text=text,
                **describe(),
            )
            defer(partial(self._logger(name).emit, record))
        finally:
            self._here.emitting = False

    def _logger(self, name: str) -> Any:
        provider = self._given or get_logger_provider()
        if provider is not self._provider:
            self._provider, self._loggers = provider, {}
        found = self._loggers.get(name)
        if found is None:
            if len(self._loggers) >= MAX_NAMES:
                name = OTHER
            found = self._loggers[name] = provider.get_logger(_sanitize.text(name))
        return found
