"""Children of `multiprocessing`'s that are forked: they end without exit handlers, but run its finalizers.

Room: `distro`. A pool of either library is made of them.
"""

from __future__ import annotations

import sys
from typing import Any, Protocol


class Closes(Protocol):
    """What has closing work."""

    def close(self) -> None:
        """Do it."""
        ...


_LAST = -1_000
"""Finalizers run by falling priority; `multiprocessing` ends the child's own children before those below zero."""


def arm(lifecycle: Closes) -> None:
    """Close when the child ends, if it is one of `multiprocessing`'s; to be called in each forked child.

    It forgets finalizers that it inherits after this is called, and then calls what was registered for after a fork.
    """
    util: Any = sys.modules.get("multiprocessing.util")
    if util is not None:

        def after_fork(one: Closes) -> None:
            util.Finalize(None, one.close, exitpriority=_LAST)

        util.register_after_fork(lifecycle, after_fork)
