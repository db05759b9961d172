"""The points of one instrument, in columns of plain numbers.

Room: `aggregation`. A snapshot of many series would be as many objects, which the garbage collector stops
the process to look at; columns are not. A point is made when somebody asks for it.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Collection, ItemsView, Iterable, Iterator, Mapping, Sequence, ValuesView
from contextlib import suppress
from functools import cached_property
from itertools import chain
from math import fsum
from operator import attrgetter
from typing import Any

from otel_llm_router.aggregation._cells import MAX_SUM, Exemplar, GaugePoint, HistogramPoint, Point, SumPoint, latest

Labels = tuple[tuple[str, str], ...]
"""Labels of a series, in the order in which they were first given."""

Tally = tuple[int, float, Sequence[int], Sequence[Exemplar]]
"""Count, sum, buckets and exemplars of a histogram."""

_value = attrgetter("value")
_tally = attrgetter("count", "sum", "buckets", "exemplars")


class Points(Mapping[Labels, Point]):
    """Points by labels, made at the first look at one.

    Args:
        labels: Labels of the series.
    """

    def __init__(self, labels: Collection[Labels]) -> None:
        self._labels = labels

    def __getitem__(self, labels: Labels) -> Point:
        """Return the point of one series."""
        return self._points[labels]

    def __iter__(self) -> Iterator[Labels]:
        """Go through the labels."""
        return iter(self._labels)

    def __len__(self) -> int:
        """Return the number of series."""
        return len(self._labels)

    def values(self) -> ValuesView[Point]:
        """Return the points."""
        return self._points.values()

    def items(self) -> ItemsView[Labels, Point]:
        """Return labels and points."""
        return self._points.items()

    @cached_property
    def _points(self) -> dict[Labels, Point]:
        return dict(zip(self._labels, self._made(), strict=True))

    @abstractmethod
    def _made(self) -> Iterable[Point]: ...


class Numbers(Points):
    """Sums or gauges.

    Args:
        labels: Labels of the series.
        numbers: Their values.
        starts: Returns when they started, which only some doors ask for; None for gauges.
        times: When each gauge changed, for those whose last change counts.
    """

    def __init__(
        self,
        labels: Collection[Labels],
        numbers: Sequence[float],
        starts: Callable[[], Iterable[int]] | None = None,
        times: Sequence[int] | None = None,
    ) -> None:
        super().__init__(labels)
        self.numbers = numbers
        self.starts = starts
        self.times = times

    def _made(self) -> Iterable[Point]:
        if self.starts is None:
            return map(GaugePoint, self.numbers)
        numbers = [value if -MAX_SUM < value < MAX_SUM else float(value) for value in self.numbers]
        return map(SumPoint, numbers, self.starts())


class Histograms(Points):
    """Histograms of several processes, added up.

    Args:
        labels: Labels of the series.
        bounds: Their bounds.
        columns: Their points in each process.
    """

    def __init__(
        self, labels: Collection[Labels], bounds: tuple[float, ...], columns: Sequence[Collection[HistogramPoint]]
    ) -> None:
        super().__init__(labels)
        self._bounds = bounds
        self._columns = columns

    def _rows(self, field: str) -> Iterable[tuple[Any, ...]]:
        return zip(*[map(attrgetter(field), column) for column in self._columns], strict=True)

    def tallies(self) -> Iterable[Tally]:
        """Return count, sum, buckets and exemplars of each series."""
        counts, totals = map(sum, self._rows("count")), totalled(self._rows("sum"))
        return zip(counts, totals, self._buckets(), self._exemplars(), strict=True)

    def _buckets(self) -> Iterable[tuple[int, ...]]:
        # As one row of all buckets, then cut: a call for each histogram costs as much as the adding.
        flat = [chain.from_iterable(map(attrgetter("buckets"), column)) for column in self._columns]
        added = map(sum, zip(*flat, strict=True))
        return zip(*[added] * (len(self._bounds) + 1), strict=True)

    def _exemplars(self) -> Iterable[tuple[Exemplar, ...]]:
        return (latest(self._bounds, list(chain(*row))) if any(row) else () for row in self._rows("exemplars"))

    def _made(self) -> Iterable[Point]:
        extremes = map(min, self._rows("minimum")), map(max, self._rows("maximum")), map(min, self._rows("start"))
        for (count, total, buckets, exemplars), low, high, start in zip(self.tallies(), *extremes, strict=True):
            yield HistogramPoint(count, total, tuple(buckets), self._bounds, low, high, start, tuple(exemplars))


def totalled(rows: Iterable[tuple[Any, ...]]) -> Sequence[float]:
    """Return the sum of each row: of whole numbers exactly, of others rounded once, whatever their order.

    A total that depended on the order could fall by the last digit from one scrape to the next.
    """
    kept = list(rows)
    totals = list(map(sum, kept))
    if float in set(map(type, totals)):
        with suppress(OverflowError, ValueError):  # infinite
            return list(map(fsum, kept))
    return totals


def numbers(points: Mapping[Labels, Point]) -> Iterable[float]:
    """Return the values of sums or gauges, in the order of their labels."""
    return points.numbers if isinstance(points, Numbers) else map(_value, points.values())


def tallies(points: Mapping[Labels, Point]) -> Iterable[Tally]:
    """Return what a Prometheus histogram shows of each point, in the order of their labels."""
    return points.tallies() if isinstance(points, Histograms) else map(_tally, points.values())
