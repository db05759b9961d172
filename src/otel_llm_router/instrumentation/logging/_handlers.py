"""Handlers that export records to OpenTelemetry already.

Room: `instrumentation`. A logger comes in, with all that is attached to it and above it; whether someone else
exports its record goes out.
"""

from __future__ import annotations

import logging
from functools import lru_cache
from typing import Any, Final

_DEPTH: Final = 4
"""How far handlers are followed that pass records on to others."""


def exported(logger: logging.Logger, level: int) -> bool:
    """Whether a handler that this record reaches exports it."""
    current: logging.Logger | None = logger
    while current is not None:
        if any(_exports(handler, level, _DEPTH) for handler in current.handlers):
            return True
        current = current.parent if current.propagate else None
    return False


def _exports(handler: Any, level: int, depth: int) -> bool:
    if level < handler.level:
        return False
    if _is_opentelemetry(handler.__class__):
        return True
    if depth == 0:
        return False
    # What a MemoryHandler and, from Python 3.12 on, a configured QueueHandler pass records on to.
    further = [getattr(handler, "target", None), *getattr(getattr(handler, "listener", None), "handlers", ())]
    return any(isinstance(one, logging.Handler) and _exports(one, level, depth - 1) for one in further)


@lru_cache(maxsize=256)
def _is_opentelemetry(kind: type) -> bool:
    """Whether it is the SDK's handler, the logging instrumentation's, or made from one of them."""
    return any(one.__name__ == "LoggingHandler" and one.__module__.startswith("opentelemetry.") for one in kind.__mro__)
