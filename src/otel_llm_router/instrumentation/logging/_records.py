"""What a record of the standard library says, as OpenTelemetry takes it.

Room: `instrumentation`. A `logging.LogRecord` comes in, with whatever the application put into it; body, bounded
attributes and the exception go out. The record is only read.
"""

from __future__ import annotations

import logging
import os
import reprlib
import sys
import traceback
from collections.abc import Iterable, Mapping
from typing import Any, Final, cast

from otel_llm_router import _sanitize
from otel_llm_router.instrumentation.logging import _fields

MAX_BODY: Final = 32_768
"""Longest message, in characters."""
MAX_STACKTRACE: Final = 16_384
"""Longest stack trace, in characters: its end, which says what happened."""
MAX_VALUE: Final = 4_096
"""Longest attribute value and exception message, in characters."""
MAX_ATTRIBUTES: Final = 64
MAX_ITEMS: Final = 64
"""Most items of a value that is a sequence."""
MAX_FRAMES: Final = 100
"""Most frames of a stack trace, the innermost ones."""

CODE: Final = "OTEL_PYTHON_LOG_CODE_ATTRIBUTES"
_EVENT_NAMES: Final = ("otel.event.name", "event.name")

_STANDARD: Final = (
    frozenset(vars(logging.LogRecord("", 0, "", 0, "", (), None)))
    | {"asctime", "message", "taskName", *_EVENT_NAMES}
    | _fields.NAMES
)
_MAX_INTEGER: Final = 2**63


def describe(record: logging.LogRecord) -> dict[str, Any]:
    """Return body, attributes and name of the event, as arguments for OpenTelemetry's ``LogRecord``."""
    given = vars(record)
    found = attributes((name, value) for name, value in given.items() if name not in _STANDARD)
    if os.environ.get(CODE, "").strip().lower() == "true":
        found["code.file.path"] = _sanitize.text(record.pathname, MAX_VALUE)
        found["code.function.name"] = _sanitize.text(record.funcName)
        found["code.line.number"] = record.lineno
    found.update(exception(record.exc_info))
    name = next((given[key] for key in _EVENT_NAMES if given.get(key)), None)
    return {
        "body": message(record),
        "attributes": found,
        "event_name": None if name is None else _sanitize.text(name),
    }


def message(record: logging.LogRecord) -> str:
    """Return the message; as it was written, if it cannot be put together."""
    try:
        return _sanitize.prose(record.getMessage(), MAX_BODY)
    except Exception:  # noqa: BLE001  # arguments that do not fit, or somebody else's __str__
        return _sanitize.prose(record.msg, MAX_BODY)


def attributes(given: Iterable[tuple[Any, Any]]) -> dict[str, Any]:
    """Return attributes that every exporter can encode; unknown (None) ones, and what is too many, are left out."""
    found: dict[str, Any] = {}
    for name, value in given:
        if len(found) >= MAX_ATTRIBUTES:
            break
        if value is not None:
            found[_sanitize.text(name)] = _value(value)
    return found


def exception(info: Any) -> dict[str, str]:
    """Return type, message and stack trace of an exception: True for the one being handled, itself, or a tuple."""
    if not info:
        return {}
    parts = cast("tuple[Any, ...]", info) if isinstance(info, tuple) else (None, info)
    error = sys.exc_info()[1] if info is True else parts[1]
    if not isinstance(error, BaseException):
        return {}
    kind = type(error)
    module = kind.__module__
    found = {
        "exception.type": _sanitize.text(
            kind.__qualname__ if module == "builtins" else f"{module}.{kind.__qualname__}"
        ),
        "exception.message": _sanitize.prose(error, MAX_VALUE),
    }
    try:
        lines = traceback.format_exception(kind, error, error.__traceback__, limit=-MAX_FRAMES)
        found["exception.stacktrace"] = end(_sanitize.prose("".join(lines), sys.maxsize))
    except Exception:  # noqa: BLE001, S110  # it is somebody else's exception: without, then
        pass
    return found


def end(stacktrace: str) -> str:
    """Return a stack trace, or its end where it is too long."""
    return stacktrace if len(stacktrace) <= MAX_STACKTRACE else f"…{stacktrace[-MAX_STACKTRACE + 1 :]}"


def _value(value: object) -> Any:
    if isinstance(value, (bool, float)):
        return value
    if isinstance(value, int):
        return int(value) if -_MAX_INTEGER <= value < _MAX_INTEGER else _sanitize.text(value)
    if isinstance(value, str):
        return _sanitize.prose(value, MAX_VALUE)
    if isinstance(value, (list, tuple)):
        given = cast("list[Any]", value[:MAX_ITEMS])
        items = [_value(item) for item in given if not _nested(item)]
        # Of one type, as attributes are: others are read as text.
        if len(items) == len(given) and len({item.__class__ for item in items}) <= 1:
            return items
    whole = cast("object", value)
    return _sanitize.prose(_short(whole) if _nested(whole) else whole, MAX_VALUE)


def _nested(value: object) -> bool:
    return isinstance(value, (Mapping, list, tuple, set, frozenset))


_repr = reprlib.Repr()
_repr.maxdict = _repr.maxlist = _repr.maxtuple = _repr.maxset = _repr.maxfrozenset = MAX_ITEMS
_repr.maxstring = _repr.maxother = MAX_VALUE


def _short(value: object) -> str:
    try:
        return _repr.repr(value)
    except Exception:  # noqa: BLE001  # somebody else's __repr__
        return _sanitize.UNPRINTABLE
