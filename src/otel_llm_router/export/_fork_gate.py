"""A lock that a fork waits for.

Room: `export`. What a thread of ours holds at the moment of a fork is held for ever in the child, by nobody. So a fork
takes the lock first, waits no longer than it may, and the child begins with a new one.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable


class ForkGate:
    """Hold `lock` while nothing may be forked; registered from when it is made.

    Args:
        seconds: Returns how long a fork waits at most.
    """

    def __init__(self, seconds: Callable[[], float]) -> None:
        self.lock = threading.RLock()
        self._seconds = seconds
        self._held = False
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(before=self._before, after_in_parent=self._in_parent, after_in_child=self._in_child)

    def _before(self) -> None:
        self._held = self.lock.acquire(timeout=self._seconds())

    def _in_parent(self) -> None:
        if self._held:
            self.lock.release()

    def _in_child(self) -> None:
        self.lock = threading.RLock()
