"""How much text is looked at, of one and in a second: what is beyond is dropped, and never passed on as it is.

Room: `redaction`.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Final

TEXT: Final = 131_072
"""Characters of the longest text that is looked at, unless told otherwise."""
TEXTS_IN_A_SECOND: Final = 64
"""How many texts of that length are looked at in a second."""


class Budget:
    """Gives what may be looked at.

    Args:
        text: Characters of one text.
        clock: Returns seconds.
    """

    def __init__(self, text: int = TEXT, clock: Callable[[], float] = monotonic) -> None:
        self.text = text
        self._rate = text * TEXTS_IN_A_SECOND
        self._clock = clock
        self._left = float(self._rate)
        self._at = clock()

    def take(self, characters: int) -> bool:
        """Whether so many may be looked at now. Threads that meet here may both be given the last of it."""
        if self._left < self._rate:
            now = self._clock()
            self._left = min(self._rate, self._left + (now - self._at) * self._rate)
            self._at = now
        else:
            self._at = self._clock()
        if characters > self._left:
            return False
        self._left -= characters
        return True
