"""Exponential histograms with bounds of their own, for a scrape that has none.

Room: `export`. Their resolution changes while they count, and differs between processes; powers of two are bounds
of each of them, so that what is counted there is exact, adds up and never falls.
"""

from __future__ import annotations

import math
from typing import Final

from opentelemetry.sdk.metrics.export import ExponentialHistogramDataPoint, HistogramDataPoint

_LEAST: Final = -10
_GREATEST: Final = 20

BOUNDS: Final = tuple(2.0**power for power in range(_LEAST, _GREATEST + 1))
"""From a thousandth to a million, about."""


def buckets_of(
    point: HistogramDataPoint | ExponentialHistogramDataPoint,
) -> tuple[tuple[float, ...], tuple[int, ...]]:
    """Return the bounds of a histogram's buckets, and how many values are in each and above them."""
    if isinstance(point, HistogramDataPoint):
        return tuple(point.explicit_bounds), tuple(point.bucket_counts)
    counts = [0] * (len(BOUNDS) + 1)
    counts[0] = point.zero_count + sum(point.negative.bucket_counts)
    for index, count in enumerate(point.positive.bucket_counts, point.positive.offset):
        upper = math.ceil((index + 1) / 2.0**point.scale)  # the bucket ends at 2 ** ((index + 1) / 2 ** scale)
        counts[min(max(0, upper - _LEAST), len(BOUNDS))] += count
    return BOUNDS, tuple(counts)
