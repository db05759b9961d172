"""Locks on open files, which the system drops when their holder ends, however it ends.

Used by every room. A lock belongs to what was opened, not to a process: a forked child has its parent's.
"""

from __future__ import annotations

import sys
from typing import Final

AVAILABLE: Final = sys.platform != "win32"

if sys.platform != "win32":
    import fcntl

    def take(descriptor: int, *, shared: bool = False) -> bool:
        """Lock an open file if nobody else has; return whether."""
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            return False
        return True

    def release(descriptor: int) -> None:
        """Unlock an open file; closing alone leaves it locked while a child forked meanwhile has the descriptor."""
        fcntl.flock(descriptor, fcntl.LOCK_UN)
else:

    def take(descriptor: int, *, shared: bool = False) -> bool:  # noqa: ARG001
        """Lock nothing: see `AVAILABLE`."""
        return False

    def release(descriptor: int) -> None:
        """Unlock nothing: see `AVAILABLE`."""
