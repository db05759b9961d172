"""How much text is looked at, of one and in a second: what is beyond is dropped, and never passed on as it is.

Room: `redaction`. The work for a text is in proportion to its length, so that its length bounds its time; what all
texts together take is measured.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic, thread_time
from typing import Final

SHARE: Final = 0.5
"""Seconds of CPU that may be spent in a second."""
SAVED: Final = 2.0
"""Seconds of CPU that may be spent at once when nothing was spent before."""

_SHORT: Final = 1024
_TEXT: Final = 5e-6
_EACH: Final = 0.1e-6
"""Seconds that a short text is taken to cost, and each of its characters: measuring would cost more."""


class Budget:
    """Seconds of CPU that may be spent now.

    Args:
        clock: Returns seconds.
        spent: Returns seconds of CPU of this thread.
    """

    def __init__(self, clock: Callable[[], float] = monotonic, spent: Callable[[], float] = thread_time) -> None:
        self._clock = clock
        self._spent = spent
        self._left = SAVED
        self._at = clock()

    def begin(self, characters: int) -> float | None:
        """Return what `end` is to be told, or None when there is nothing left to spend.

        Threads that meet here may count a moment twice: it is a limit, and no account.
        """
        if self._left < SAVED:
            now = self._clock()
            self._left = min(SAVED, self._left + (now - self._at) * SHARE)
            self._at = now
            if self._left <= 0:
                return None
        else:
            self._at = self._clock()
        if characters < _SHORT:
            self._left -= _TEXT + characters * _EACH
            return 0.0
        return self._spent()

    def end(self, began: float) -> None:
        """Take note of what was spent since `begin`."""
        if began:
            self._left -= self._spent() - began
