"""Snapshots in the SDK's public data model, which every exporter reads.

Room: `aggregation`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Final

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
from otel_llm_router.aggregation._folding import now_in
from otel_llm_router.aggregation._store import Description, Handle, Handles, Labels, Shape, Snapshot

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
        self._seen: dict[Description, tuple[Mapping[Labels, Point], Mapping[Labels, Handle]]] = {}
        self._seen_at = time.time_ns()

    def metrics(self, snapshot: Snapshot, handles: Handles) -> list[Metric]:
        """Return the snapshot as metrics of the SDK's model.

        Args:
            snapshot: What there is.
            handles: Of which series it was read, so that one that became part of another is not reported twice.
        """
        now = time.time_ns()
        found = [
            self._metric(description, points, handles.get(description, {}), now)
            for description, points in snapshot.items()
        ]
        self._seen_at = now
        return [metric for metric in found if metric is not None]

    def _metric(
        self, description: Description, points: Mapping[Labels, Point], handles: Mapping[Labels, Handle], now: int
    ) -> Metric | None:
        temporality = self._temporalities.get(description.shape, CUMULATIVE)
        if temporality is not CUMULATIVE and description.shape != "gauge":
            before = _where_it_is_now(*self._seen.get(description, ({}, {})), handles)
            self._seen[description] = points, handles
            points = {
                labels: change for labels, point in points.items() if (change := self._since(point, before.get(labels)))
            }
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

    def _since(self, point: Point, earlier: Point | None) -> Point | None:
        if isinstance(point, HistogramPoint):
            change = point.since(earlier if isinstance(earlier, HistogramPoint) else None, self._seen_at)
            return change if change.count else None
        if isinstance(point, SumPoint):
            change = point.since(earlier if isinstance(earlier, SumPoint) else None, self._seen_at)
            return change if change.value or earlier is None else None
        return point


def _where_it_is_now(
    points: Mapping[Labels, Point], handles: Mapping[Labels, Handle], current: Mapping[Labels, Handle]
) -> dict[Labels, Point]:
    """Return what was seen before by the labels under which it is part of what is there now."""
    found: dict[Labels, Point] = {}
    labels_now = {handle: labels for labels, handle in current.items()}
    for seen_as, point in points.items():
        labels = seen_as
        if seen_as in handles:
            handle = now_in(handles[seen_as], labels_now)
            if handle is None:  # forgotten, as after a fork
                continue
            labels = labels_now[handle]
        found[labels] = found[labels] + point if labels in found else point  # type: ignore[operator]  # one shape each
    return found


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
