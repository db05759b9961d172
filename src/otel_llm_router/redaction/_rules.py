"""What is hidden beside what always is, and what stands in its place.

Room: `redaction`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

HIDDEN: Final = "[REDACTED]"
"""What stands in place of a secret."""

TEXT: Final = 131_072
"""Characters of the longest text that is looked at, unless told otherwise."""

Reason = Literal["too_long", "too_much", "pattern", "error"]
"""Why a text was dropped."""


class PatternError(ValueError):
    """A pattern cannot be used; its name and the reason are said."""


def nothing(_reason: Reason) -> None:
    """Nobody counts."""


@dataclass(frozen=True)
class Rules:
    """What is hidden beside what always is.

    Args:
        personal: Kinds of personal data.
        patterns: Users' patterns, with their names.
        keys: Names whose values are secrets.
        allowed: Names whose values are none, and texts that are none.
        limit: Characters of the longest text that is looked at.
        dropped: Told of each text that was dropped.
    """

    personal: frozenset[str] = frozenset()
    patterns: tuple[tuple[str, str], ...] = ()
    keys: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()
    limit: int = TEXT
    dropped: Callable[[Reason], None] = nothing
