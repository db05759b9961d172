"""Lists of ``pattern=cache_type``.

Room: `instrumentation`. The text of an option comes in; patterns go out, and a sentence about each that is none.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Pattern:
    """What a cache is known by.

    Args:
        matches: The pattern, as a shell's: ``*`` is any text, ``?`` any character.
        cache_type: Label.
    """

    matches: re.Pattern[str]
    cache_type: str


def read(text: str) -> tuple[list[Pattern], list[str]]:
    """Read a list."""
    found: list[Pattern] = []
    problems: list[str] = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        pattern, _, name = (one.strip() for one in part.rpartition("="))
        if pattern and name:
            found.append(Pattern(re.compile(fnmatch.translate(pattern)), name))
        else:
            problems.append(f"{part!r} is not allowed: it takes pattern=cache_type; it is left out")
    return found, problems


def named(patterns: Iterable[Pattern], text: str) -> str | None:
    """Return the cache type of the first pattern that matches."""
    return next((pattern.cache_type for pattern in patterns if pattern.matches.match(text)), None)
