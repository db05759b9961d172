"""Fields as lines.

Room: `logs`. The fields of a record come in; its line goes out, without the end of line.

JSON is the standard library's, in ASCII: newlines, terminal escapes, bidirectional controls and NUL are written as escapes, so that
a record is one line in every reader's eyes, and none of it acts on a terminal. python-json-logger and structlog's renderer put fields of
`logging`'s and structlog's records together and leave the writing to the same encoder; what comes here are OpenTelemetry's.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from otel_llm_router import _sanitize

Format = Callable[[Mapping[str, Any]], str]

_encode: Final = json.JSONEncoder(
    ensure_ascii=True, allow_nan=False, check_circular=False, separators=(",", ":")
).encode

_STYLES: Final = {"ERROR": "bold red", "FATAL": "bold white on red", "WARN": "yellow", "DEBUG": "dim", "TRACE": "dim"}
_SHOWN: Final = frozenset(
    {"timestamp", "level", "message", "service", "version", "environment", "host", "pid", "stream", "logger"}
)
_STACKTRACE: Final = "exception.stacktrace"


def as_json(fields: Mapping[str, Any]) -> str:
    """Return one line of JSON."""
    return _encode(fields)


def pretty(*, color: bool) -> Format:
    """Return what makes text for a terminal, with a stack trace on lines of its own.

    Args:
        color: Whether the terminal shows colours.
    """
    from rich.console import Console  # noqa: PLC0415  # for who reads it on a terminal
    from rich.text import Text  # noqa: PLC0415

    console = Console(force_terminal=color, color_system="standard" if color else None, width=10_000, soft_wrap=True)

    def line(fields: Mapping[str, Any]) -> str:
        level = str(fields.get("level", ""))
        text = Text()
        text.append(str(fields.get("timestamp", ""))[11:23], "dim")
        text.append(f" {level:5} ", _STYLES.get(level, "green"))
        text.append(_flat(fields.get("logger") or fields.get("stream", "")), "cyan")
        text.append(" " + _flat(fields.get("message", "")), "bold")
        for key, value in fields.items():
            if key not in _SHOWN and key != _STACKTRACE:
                text.append(f" {_flat(key)}=", "dim")
                text.append(_flat(value))
        for row in str(fields.get(_STACKTRACE, "")).splitlines():
            text.append("\n    " + _flat(row), "red")
        with console.capture() as capture:
            console.print(text, end="", highlight=False, markup=False)
        return capture.get()

    return line


def _flat(value: object) -> str:
    return _sanitize.text(value, 4096)
