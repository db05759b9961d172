"""Snapshots in the SDK's public data model, which every exporter reads.

Room: `aggregation`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from typing import Any, Final

from opentelemetry.sdk.metrics import Exemplar as SdkExemplar
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    DataPointT,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
    Sum,
)

from otel_llm_router.aggregation._cells import Exemplar, GaugePoint, HistogramPoint, Point, SumPoint
from otel_llm_router.aggregation._points import Labels
from otel_llm_router.aggregation._store import Description, Shape, Snapshot

CUMULATIVE: Final = AggregationTemporality.CUMULATIVE

Temporalities = Mapping[Shape, AggregationTemporality]
"""What a reader wants for each shape that is not left out; cumulative otherwise."""


class View:
    """What one reader has seen, so that one that wants changes gets them.

    Args:
        temporalities: What the reader wants.
    """

    def __init__(self, temporalities: Temporalities) -> None:
        self._temporalities = temporalities
        self._seen: dict[Description, Mapping[Labels, Point]] = {}
        self._seen_at = time.time_ns()
        self._process = os.getpid()

    def metrics(self, snapshot: Snapshot) -> list[Metric]:
        """Return the snapshot as metrics of the SDK's model."""
        now = time.time_ns()
        if self._process != os.getpid():  # forked: what was seen is the parent's
            self._process = os.getpid()
            self._seen.clear()
        found = [self._metric(description, points, now) for description, points in snapshot.items()]
        self._seen_at = now
        return [metric for metric in found if metric is not None]

    def _metric(self, description: Description, points: Mapping[Labels, Point], now: int) -> Metric | None:
        temporality = self._temporalities.get(description.shape, CUMULATIVE)
        if temporality is not CUMULATIVE and description.shape != "gauge":
            before, self._seen[description] = self._seen.get(description, {}), points
            points = dict(self._changes(description.shape, before, points))
        if not points:
            return None
        data_points = [_data_point(labels, point, now) for labels, point in points.items()]
        if description.shape == "gauge":
            data = Gauge(data_points)  # pyright: ignore[reportArgumentType]
        elif description.shape == "histogram":
            data = Histogram(data_points, temporality)  # pyright: ignore[reportArgumentType]
        else:
            data = Sum(data_points, temporality, description.shape == "counter")  # pyright: ignore[reportArgumentType]
        return Metric(description.name, description.description, description.unit, data)

    def _changes(
        self, shape: Shape, before: Mapping[Labels, Any], points: Mapping[Labels, Any]
    ) -> Iterator[tuple[Labels, Point]]:
        level = shape == "up_down_counter"
        for labels, point in points.items():
            earlier = before.get(labels)
            if earlier is not None and earlier.start != point.start and not level:
                earlier = None  # another series, which began at 0 when the earlier one had ended
            change = point.since(earlier, self._seen_at)
            if change.count if shape == "histogram" else change.value or earlier is None:
                yield labels, change
        if level:  # one that ended went to another series; what a counter had counted stays counted
            for labels, earlier in before.items():
                if labels not in points and earlier.value:
                    yield labels, SumPoint(-earlier.value, self._seen_at)


def _data_point(labels: Labels, point: Point, now: int) -> DataPointT:
    if isinstance(point, HistogramPoint):
        return HistogramDataPoint(
            attributes=dict(labels),
            start_time_unix_nano=point.start,
            time_unix_nano=now,
            count=point.count,
            sum=point.sum,
            bucket_counts=point.buckets,
            explicit_bounds=point.bounds,
            min=point.minimum,
            max=point.maximum,
            exemplars=[_exemplar(one) for one in point.exemplars],
        )
    return NumberDataPoint(
        attributes=dict(labels),
        start_time_unix_nano=0 if isinstance(point, GaugePoint) else point.start,
        time_unix_nano=now,
        value=point.value,
    )


def _exemplar(one: Exemplar) -> SdkExemplar:
    return SdkExemplar({}, one.value, one.time, span_id=one.span_id, trace_id=one.trace_id)
