"""Series that become part of another one, with every handle that was given out for them.

Room: `aggregation`. A label value that was not seen for long makes room for a new one; what was counted
under it goes on under another series, so that a sum over the instrument stays what it was. Who holds a
handle of the old series counts in the new one from then on, and who read the old series finds by its
handle where it went.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, TypeVar
from weakref import WeakSet


class Foldable:
    """What every handle has: its cell, and where it went."""

    __slots__ = ("__weakref__", "cell", "heirs", "into", "used")

    cell: Any
    """What it adds to."""
    used: float
    """When it was last handed out, on the aggregation's clock."""
    into: Foldable | None
    """The series that this one became part of."""
    heirs: WeakSet[Foldable] | None
    """Handles that still live of series that became part of this one."""

    def __init__(self) -> None:
        self.used = 0.0
        self.into = None
        self.heirs = None

    def fold(self, into: Foldable) -> None:
        """Become part of ``into``, which is another series of the same shape. Callers hold the lock."""
        into.cell.absorb(self.cell)
        moved = {self, *(self.heirs or ())}
        for handle in moved:
            handle.cell = into.cell
        if into.heirs is None:
            into.heirs = WeakSet()
        into.heirs.update(moved)
        self.into, self.heirs = into, None


H = TypeVar("H", bound=Foldable)


def now_in(handle: H | None, known: Collection[H]) -> H | None:
    """Return the one of ``known`` that ``handle`` is or became part of; None when there is none."""
    while handle is not None and handle not in known:
        handle = handle.into  # type: ignore[assignment]  # of the same shape
    return handle
