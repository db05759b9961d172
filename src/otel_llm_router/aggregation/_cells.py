"""The numbers behind one series: what a record adds to, and how two of them become one.

Room: `aggregation`. Values come in one by one; plain points go out, which nobody changes (frozen ones
take twice as long to make, and a scrape makes thousands). Callers hold the aggregation's lock; nothing
here does.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf, nextafter
from typing import Any, Final, NamedTuple

MAX_SUM: Final = 2**62
"""Beyond it a sum goes on as a float, which every exporter can encode."""


def added_up(one: float, other: float) -> float:
    """Return the sum of two counts, never less than it is: floats are rounded up.

    What is rounded down would let a total fall when two parts of it become one, and a counter that falls has
    begun again for whoever reads it.
    """
    total = one + other
    if type(total) is int:
        return total
    rest = total - one
    lost = (one - (total - rest)) + (other - rest)
    return nextafter(total, inf) if lost > 0 else total


class Exemplar(NamedTuple):
    """One measurement with the span it was made in."""

    value: float
    """What was measured."""
    time: int
    """When, in nanoseconds of the epoch."""
    trace_id: int
    """Trace of the span."""
    span_id: int
    """The span."""


@dataclass(slots=True)
class SumPoint:
    """A cumulative sum at one moment."""

    value: float
    start: int

    def __add__(self, other: SumPoint) -> SumPoint:
        """Return the sum over both, since the earlier start."""
        return SumPoint(self.value + other.value, min(self.start, other.start))

    def since(self, earlier: SumPoint | None, start: int) -> SumPoint:
        """Return what came after ``earlier``, as a point that starts at ``start``."""
        return SumPoint(self.value - (earlier.value if earlier else 0), start)


@dataclass(slots=True)
class HistogramPoint:
    """A cumulative histogram at one moment.

    Args:
        count: Number of records.
        sum: Their sum.
        buckets: Number of records in each bucket, the last one unbounded.
        bounds: Upper bounds of all but the last bucket.
        minimum: Smallest record; infinity without any.
        maximum: Largest record; minus infinity without any.
        start: Since when, in nanoseconds of the epoch.
        exemplars: The latest one of each bucket.
    """

    count: int
    sum: float
    buckets: tuple[int, ...]
    bounds: tuple[float, ...]
    minimum: float
    maximum: float
    start: int
    exemplars: tuple[Exemplar, ...] = ()

    def __add__(self, other: HistogramPoint) -> HistogramPoint:
        """Return both as one.

        Raises:
            ValueError: The bounds differ.
        """
        if self.bounds != other.bounds:
            raise ValueError(f"histograms with bounds {self.bounds} and {other.bounds} cannot be merged")
        return HistogramPoint(
            count=self.count + other.count,
            sum=self.sum + other.sum,
            buckets=tuple(map(int.__add__, self.buckets, other.buckets)),
            bounds=self.bounds,
            minimum=min(self.minimum, other.minimum),
            maximum=max(self.maximum, other.maximum),
            start=min(self.start, other.start),
            exemplars=latest(self.bounds, self.exemplars + other.exemplars),
        )

    def since(self, earlier: HistogramPoint | None, start: int) -> HistogramPoint:
        """Return what came after ``earlier``, as a point that starts at ``start``.

        Extremes cannot be taken back: they stay those of the whole time.
        """
        if earlier is None:
            return replace(self, start=start)
        return replace(
            self,
            count=self.count - earlier.count,
            sum=self.sum - earlier.sum,
            buckets=tuple(map(int.__sub__, self.buckets, earlier.buckets)),
            start=start,
            exemplars=tuple(one for one in self.exemplars if one not in earlier.exemplars),
        )


@dataclass(slots=True)
class GaugePoint:
    """What an observed value is at one moment."""

    value: float

    def __add__(self, other: GaugePoint) -> GaugePoint:
        """Return both together: what two processes hold is the sum of what each does."""
        return GaugePoint(self.value + other.value)


Point = SumPoint | HistogramPoint | GaugePoint


def together(one: Any, other: Any) -> Any:
    """Return two sums or two histograms as one, of which neither count nor sum is less than both."""
    total = one + other
    if isinstance(total, HistogramPoint):
        total.sum = added_up(one.sum, other.sum)
    else:
        total.value = added_up(one.value, other.value)
    return total


def latest(bounds: tuple[float, ...], exemplars: Sequence[Exemplar]) -> tuple[Exemplar, ...]:
    """Return the latest exemplar of each bucket, in the order of the buckets."""
    kept: dict[int, Exemplar] = {}
    for one in sorted(exemplars, key=lambda exemplar: exemplar.time):
        kept[bisect_left(bounds, one.value)] = one
    return tuple(kept[bucket] for bucket in sorted(kept))


class Sum:
    """A running sum."""

    __slots__ = ("start", "value")

    def __init__(self, start: int) -> None:
        self.value: float = 0
        self.start = start

    def add(self, value: float) -> None:
        """Add ``value``."""
        total = self.value + value
        self.value = total if -MAX_SUM < total < MAX_SUM else float(total)

    def point(self) -> SumPoint:
        """Return the sum so far."""
        return SumPoint(self.value, self.start)


class Histogram:
    """A running histogram."""

    __slots__ = ("bounds", "buckets", "count", "exemplars", "maximum", "minimum", "start", "sum")

    def __init__(self, start: int, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.buckets = [0] * (len(bounds) + 1)
        self.count = 0
        self.sum = 0.0
        self.minimum = float("inf")
        self.maximum = float("-inf")
        self.start = start
        self.exemplars: dict[int, tuple[float, int, int, int]] = {}

    def add(self, value: float) -> int:
        """Add one record and return its bucket."""
        bucket = bisect_left(self.bounds, value)
        self.buckets[bucket] += 1
        self.count += 1
        self.sum += value
        if value < self.minimum:  # noqa: PLR1730  # a comparison costs a fifth of a call
            self.minimum = value
        if value > self.maximum:  # noqa: PLR1730  # see above
            self.maximum = value
        return bucket

    def point(self) -> HistogramPoint:
        """Return the histogram so far."""
        return HistogramPoint(
            count=self.count,
            sum=self.sum,
            buckets=tuple(self.buckets),
            bounds=self.bounds,
            minimum=self.minimum,
            maximum=self.maximum,
            start=self.start,
            exemplars=tuple(Exemplar(*self.exemplars[bucket]) for bucket in sorted(self.exemplars)),
        )
