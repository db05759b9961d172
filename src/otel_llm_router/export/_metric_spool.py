"""The last metrics that the collector has not taken, on disk.

Room: `export`. Of cumulative values the last are enough, and take the place of those before; of delta values it is
those that are kept in memory as well. The process sends them itself as long as it lives; the next one sends what it
left.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from otel_llm_router.export._delivery import Sender
    from otel_llm_router.export._outbox import Kept
    from otel_llm_router.export._spool import Spool

AT_ONCE: Final = 64
"""Requests of ended processes that are sent with one export, at most."""


class MetricSpool:
    """What one exporter of metrics has on disk.

    Args:
        spool: The disk.
    """

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._lane = spool.lane("metrics")
        self._left: list[Kept] = []

    def restart(self) -> None:
        """Begin again with nothing; for a forked process."""
        self._left = []

    def leave(self, requests: Iterable[bytes]) -> None:
        """Let ``requests`` be what outlives the process, in the place of what was left before."""
        before = self._left
        self._left = [kept for one in requests if (kept := self._spool.write(self._lane, one, 0)) is not None]
        self._spool.remove(before)

    def deliver(self, sender: Sender, deadline: float) -> None:
        """Send what ended processes have left; what is not taken by ``deadline`` waits for the next time."""
        for _ in range(AT_ONCE):
            found = self._spool.take(self._lane, 0)
            if found is None:
                return
            content, kept = found
            if sender.send(content, deadline).kind == "again":
                self._spool.put(kept, first=True)
                return
            self._spool.remove(kept)

    def close(self) -> None:
        """Send and leave nothing more."""
        self._spool.leave(self._lane)
