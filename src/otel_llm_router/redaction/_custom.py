"""Patterns of users' own.

Room: `redaction`. Lines come in; compiled patterns with names go out. They are tried with a time limit, which takes the
library `regex`: a pattern that someone wrote in a hurry can take for ever on the wrong text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

SECONDS: Final = 0.05
"""How long one pattern may take on one text."""
SEPARATOR: Final = ";;"
"""What separates patterns that are not in a file."""

_LINE: Final = re.compile(r"\s*(?:([\w.-]+)\s*=\s*)?(.+?)\s*", re.DOTALL)


class PatternError(ValueError):
    """A pattern cannot be used; its name and the reason are said."""


def read(given: str) -> list[tuple[str, str]]:
    """Return the names and patterns of a file, or of a text with `SEPARATOR` between them.

    A line is ``name = pattern``, or a pattern alone; empty ones and those that begin with ``#`` say nothing.

    Raises:
        PatternError: the file cannot be read.
    """
    if not given.strip():
        return []
    source, lines = "pattern", given.replace(SEPARATOR, "\n").splitlines()
    if len(lines) == 1 and given.strip().startswith(("/", "./", "../", "~/")):
        path = Path(given.strip()).expanduser()
        try:
            source, lines = path.name, path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise PatternError(f"the patterns in {path} cannot be read: {type(error).__name__}") from error
    found: list[tuple[str, str]] = []
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        parts = _LINE.fullmatch(line)
        if parts is not None:
            found.append((parts[1] or f"{source}:{number}", parts[2]))
    return found


class Custom:
    """Users' patterns.

    Args:
        patterns: Their names, and the patterns.

    Raises:
        PatternError: one of them cannot be compiled, matches nothing at all, or `regex` is not installed.
    """

    def __init__(self, patterns: Iterable[tuple[str, str]] = ()) -> None:
        self._patterns = [(name, _compiled(name, pattern)) for name, pattern in patterns]

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._patterns)

    def spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Return where in ``text`` the patterns are found.

        Raises:
            TimeoutError: one of them takes too long.
        """
        for _, pattern in self._patterns:
            for found in pattern.finditer(text, timeout=SECONDS):
                if found.end() > found.start():
                    yield found.span()


def _compiled(name: str, pattern: str) -> Any:
    try:
        import regex  # noqa: PLC0415  # where somebody has patterns
    except ImportError as error:
        raise PatternError(
            f"the pattern {name!r} needs the package regex: pip install 'otel-llm-router[redaction]'"
        ) from error
    try:
        compiled: Any = regex.compile(pattern)
    except Exception as error:
        raise PatternError(f"the pattern {name!r} is no regular expression: {error}") from error
    if compiled.search("") is not None:
        raise PatternError(f"the pattern {name!r} matches where there is nothing")
    return compiled
