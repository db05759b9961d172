"""Snapshots of several processes, as one.

Room: `aggregation`. Series line up by their labels, whatever order a process gave them in; what lines up
with what is kept between two merges, so that one costs little more than the adding.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from operator import attrgetter, itemgetter
from typing import Any, Final, TypeVar

from otel_llm_router.aggregation._cells import HistogramPoint, Point
from otel_llm_router.aggregation._points import Histograms, Labels, Numbers, numbers, totalled
from otel_llm_router.aggregation._store import Description, Snapshot

_logger = logging.getLogger("otel_llm_router")

_NEVER: Final = 2**63
"""A start after any other."""

T = TypeVar("T")

_EXTREMES: Final[Mapping[str, tuple[Callable[[Iterable[Any]], Any], float]]] = {
    "max": (max, float("-inf")),
    "min": (min, float("inf")),
}
"""What chooses among the gauges of several processes, and what is never chosen."""


class Merger:
    """Merges the snapshots of the same processes again and again; not for several threads at once."""

    def __init__(self) -> None:
        self._known: dict[Description, _Rows] = {}
        self._said: set[str] = set()

    def merge(self, *snapshots: Snapshot) -> Snapshot:
        """Return several snapshots, of several processes, as one.

        Counts add up from the earliest start; gauges become one by the rule of their description. An
        instrument that a later snapshot declares otherwise than an earlier one, say with other bounds, is
        left out of the later one and said.
        """
        first: dict[str, Description] = {}
        found: dict[Description, list[Mapping[Labels, Point]]] = {}
        for snapshot in snapshots:
            for description, points in snapshot.items():
                if first.setdefault(description.name, description) == description:
                    found.setdefault(description, []).append(points)
                else:
                    self._say(description)
        known, self._known = self._known, {}
        merged: dict[Description, Mapping[Labels, Point]] = {}
        for description, processes in found.items():
            if len(processes) == 1:
                merged[description] = processes[0]
                continue
            rows = known.get(description)
            if rows is None or not rows.fit(processes):
                rows = _Rows(processes)
            self._known[description] = rows
            merged[description] = _added(description, processes, rows)
        return merged

    def _say(self, description: Description) -> None:
        if description.name not in self._said:
            self._said.add(description.name)
            _logger.warning(
                "otel-llm-router: processes declare %s differently; only what is like the first one's is shown",
                description.name,
            )


def merge(*snapshots: Snapshot) -> Snapshot:
    """Return several snapshots as one; see `Merger.merge`."""
    return Merger().merge(*snapshots)


class _Rows:
    """Which series of several processes are one."""

    def __init__(self, processes: Sequence[Mapping[Labels, Point]]) -> None:
        self._seen = [list(points) for points in processes]
        row_of: dict[frozenset[tuple[str, str]], int] = {}  # in another order they are the same labels
        self.labels: list[Labels] = []
        places: list[dict[int, int]] = []
        for seen in self._seen:
            place: dict[int, int] = {}
            for number, labels in enumerate(seen):
                row = row_of.setdefault(frozenset(labels), len(row_of))
                if row == len(self.labels):
                    self.labels.append(labels)
                place.setdefault(row, number)
            places.append(place)
        rows = range(len(row_of))
        self._picks = [_pick([place.get(row, -1) for row in rows], len(place)) for place in places]

    def fit(self, processes: Sequence[Mapping[Labels, Point]]) -> bool:
        """Return whether ``processes`` have the very series that this was made of."""
        return self._seen == [list(points) for points in processes]

    def ordered(self, columns: Sequence[Collection[T]], nothing: T) -> list[Collection[T]]:
        """Return what each process has for its series in the order of the rows, ``nothing`` where it has none."""
        return [
            column if pick is None else pick([*column, nothing])
            for column, pick in zip(columns, self._picks, strict=True)
        ]


def _pick(places: Sequence[int], count: int) -> Callable[[Sequence[Any]], Collection[Any]] | None:
    """Return what puts a process' series in order, of which the last is no series; None if they are in order."""
    if list(places) == list(range(count)):
        return None
    return itemgetter(*places) if len(places) > 1 else lambda column: [column[places[0]]]


def _added(description: Description, processes: Sequence[Mapping[Labels, Any]], rows: _Rows) -> Mapping[Labels, Point]:
    if description.shape == "histogram":
        bounds = description.bounds
        nothing = HistogramPoint(0, 0, (0,) * (len(bounds) + 1), bounds, float("inf"), float("-inf"), _NEVER)
        return Histograms(rows.labels, bounds, rows.ordered([points.values() for points in processes], nothing))
    columns = [[*numbers(points)] for points in processes]
    if description.shape == "gauge":
        return _gauges(description, processes, columns, rows)
    if description.merge in _EXTREMES:
        added = _chosen(description, columns, rows)
    else:
        added = totalled(zip(*rows.ordered(columns, 0), strict=True))

    def starts() -> Iterable[int]:
        return map(min, *rows.ordered([[*_starts(points)] for points in processes], _NEVER))

    return Numbers(rows.labels, added, starts)


def _gauges(
    description: Description, processes: Sequence[Mapping[Labels, Any]], columns: Sequence[list[float]], rows: _Rows
) -> Mapping[Labels, Point]:
    if description.merge in _EXTREMES:
        return Numbers(rows.labels, _chosen(description, columns, rows))
    if description.merge == "last":
        times = [getattr(points, "times", None) or [0] * len(points) for points in processes]
        pairs = [list(zip(when, values, strict=True)) for when, values in zip(times, columns, strict=True)]
        latest = list(map(max, zip(*rows.ordered(pairs, (-1, 0.0)), strict=True)))
        return Numbers(rows.labels, [value for _, value in latest], times=[when for when, _ in latest])
    return Numbers(rows.labels, totalled(zip(*rows.ordered(columns, 0), strict=True)))


def _chosen(description: Description, columns: Sequence[list[float]], rows: _Rows) -> Sequence[float]:
    choose, nothing = _EXTREMES[description.merge]
    return list(map(choose, zip(*rows.ordered(columns, nothing), strict=True)))


def _starts(points: Mapping[Labels, Any]) -> Iterable[int]:
    if isinstance(points, Numbers) and points.starts is not None:
        return points.starts()
    return map(attrgetter("start"), points.values())
