"""What is counted of a stream while it runs: one number and two times.

Room: `telemetry`. A stream's probe writes one tally, chunk by chunk; the attempt and the request that the
stream belongs to read it when they want to know. Nothing is handed over, so nothing can be counted twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final


@dataclass(slots=True, eq=False)
class Tally:
    """Chunks with content.

    Args:
        chunks: How many there were.
        first: When the first arrived, by ``perf_counter_ns``.
        last: When the last arrived.
    """

    chunks: int = 0
    first: int | None = None
    last: int | None = None


_NOTHING: Final = Tally()


def together(tallies: Sequence[Tally]) -> Tally:
    """Return the tally of several streams, such as those of a request whose stream a fallback took over."""
    if not tallies:
        return _NOTHING
    if len(tallies) == 1:
        return tallies[0]
    return Tally(
        sum(tally.chunks for tally in tallies),
        min((tally.first for tally in tallies if tally.first is not None), default=None),
        max((tally.last for tally in tallies if tally.last is not None), default=None),
    )
