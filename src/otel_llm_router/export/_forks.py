"""Beginning again in a forked child.

Room: `export`. A child has none of its parent's threads, and must use neither what waits there nor its connections.
"""

from __future__ import annotations

import os
from typing import Any, Protocol
from weakref import WeakSet


class Restarted(Protocol):
    """What begins again in a child."""

    def restart(self) -> None:
        """Begin again; nobody else is there yet."""
        ...


_all: WeakSet[Any] = WeakSet()


def restarted_in_children(one: Restarted) -> None:
    """Let ``one`` restart in each forked child, for as long as somebody else holds it."""
    _all.add(one)


def _in_child() -> None:
    for one in list(_all):
        one.restart()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
