"""When the process ends: one deadline for everything that still has to leave.

Room: `export`. `distro` sets it; whoever sends looks at it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass


@dataclass
class Ending:
    """The end of the process.

    Args:
        deadline: On the monotonic clock; None while the process goes on.
    """

    deadline: float | None = None

    def begin(self, seconds: float) -> float:
        """Let the process end within ``seconds``; return the deadline, the first one if there is one."""
        if self.deadline is None:
            self.deadline = time.monotonic() + seconds
        return self.deadline

    def within(self, seconds: float) -> float:
        """Return the moment ``seconds`` from now, or the deadline if that comes first."""
        moment = time.monotonic() + seconds
        return moment if self.deadline is None else min(moment, self.deadline)
