"""What processes counted that have ended, in one file.

Room: `export.workers`. States of the dead come in; one snapshot goes out. Gauges and levels of a process end with it;
its counts stay, so that no counter falls. A process is folded in once: its id stands in the file until nothing else of
it is left, and the file is replaced as a whole.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, Final

from otel_llm_router import _whole_files
from otel_llm_router.aggregation import MAX_SERIES, Description, Labels, Point, Snapshot, together
from otel_llm_router.export.workers._state import Reader, State, UnreadableError, Writer
from otel_llm_router.signals import Merge

COUNTED: Final = ("counter", "histogram")
"""Shapes that outlive their process."""

PART: Final = ".part"
"""Suffix of what is being written."""

_Kept = dict[Description, dict[Labels, Point]]


def counted(snapshot: Snapshot) -> Snapshot:
    """Return the counters and histograms of a snapshot, but for counts that others see as well."""
    return {one: points for one, points in snapshot.items() if one.shape in COUNTED and one.merge == Merge.SUM.value}


class Ended:
    """The counts of the dead.

    Args:
        path: Their file, read now if there is one.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer = Writer(time.time_ns)
        self._live: _Kept = {}
        self._dropped: _Kept = {}
        self.count = 0
        """How many processes have ended."""
        self.folded: set[str] = set()
        """Those among them of which files may be left."""
        try:
            state = Reader().read(path.read_bytes())
        except (OSError, UnreadableError):
            return
        self._live, self._dropped = _copy(state.live), _copy(state.ended)
        self.count, self.folded = state.about["count"], set(state.about["folded"])

    def snapshot(self) -> Snapshot:
        """Return what they counted, to be shown."""
        return self._live

    def dropped(self) -> Snapshot:
        """Return what series had counted that had made room; see `Aggregation.keep_ended`."""
        return self._dropped

    def fold(self, dead: Mapping[str, State | None], left: Collection[str], alive: Callable[[], Snapshot]) -> None:
        """Add the counts of processes that have ended, each once whatever happens meanwhile.

        Args:
            dead: Their last states by their ids; None where nothing is known.
            left: Ids of which files are left.
            alive: Returns what living processes have, whose series are kept when there are too many.

        Raises:
            OSError: the file cannot be written; nothing is changed then.
        """
        live, dropped = _copy(self._live), _copy(self._dropped)
        for identity, state in dead.items():
            if state is not None and identity not in self.folded:
                _add(live, counted(state.live))
                _add(dropped, state.ended)
        count = self.count + len(set(dead) - self.folded)
        folded = (self.folded | set(dead)) & set(left)
        _bound(live, alive)
        _bound(dropped, dict)
        written = self._writer.write(State({"count": count, "folded": sorted(folded)}, live, dropped))
        _whole_files.replace(self._path, written, beside=self._path.with_suffix(PART))
        self._live, self._dropped, self.count, self.folded = live, dropped, count, folded


def _copy(snapshot: Snapshot) -> _Kept:
    return {one: dict(points) for one, points in snapshot.items()}


def _add(into: _Kept, snapshot: Snapshot) -> None:
    for one, points in snapshot.items():
        kept = into.setdefault(one, {})
        for labels, point in points.items():
            key = tuple(sorted(labels))
            before: Any = kept.pop(key, None)  # what was added to last is at the end
            kept[key] = point if before is None else together(before, point)


def _bound(kept: _Kept, alive: Callable[[], Snapshot]) -> None:
    """Let go of the series that were added to longest ago where there are more than one process may have."""
    living: Snapshot | None = None
    for one, points in kept.items():
        if len(points) <= MAX_SERIES:
            continue
        living = alive() if living is None else living
        have = {tuple(sorted(labels)) for labels in living.get(one, ())}
        for labels in [labels for labels in points if labels not in have][: len(points) - MAX_SERIES]:
            del points[labels]
