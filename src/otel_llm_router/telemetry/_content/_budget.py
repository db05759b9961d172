"""How much of the content of one attribute there is room for.

Room: `telemetry`. Text comes in; as much of it as there is room for goes out.
"""

from __future__ import annotations

from typing import Final

MARGIN: Final = 4096
"""Characters read beyond the limit, so that a secret across it is seen whole before the rest is cut off."""

STRUCTURE: Final = 16
"""What a message, a part or a value counts for beside its text: empty ones are bounded too."""


class Budget:
    """Characters that are left.

    Args:
        characters: How many there are.
    """

    __slots__ = ("left", "truncated")

    def __init__(self, characters: int) -> None:
        self.left = characters
        self.truncated = False

    def take(self, text: str) -> str:
        """Return as much of ``text`` as there is room for."""
        if len(text) > self.left:
            self.truncated = True
            text = text[: max(0, self.left)]
        self.left -= len(text)
        return text

    def room(self) -> bool:
        """Take what one more thing counts for; whether there was room for it."""
        if self.left <= 0:
            self.truncated = True
            return False
        self.left -= STRUCTURE
        return True
