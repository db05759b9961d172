"""What the SDK has collected of other scopes, as a snapshot that can be merged with those of other processes.

Room: `export`. The scope's name becomes a label, as it is on the scrape.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from opentelemetry.sdk.metrics.export import (
    ExponentialHistogramDataPoint,
    Gauge,
    HistogramDataPoint,
    Metric,
    MetricsData,
    Sum,
)

from otel_llm_router.aggregation import (
    Description,
    Exemplar,
    GaugePoint,
    HistogramPoint,
    Labels,
    Point,
    Shape,
    Snapshot,
    SumPoint,
)
from otel_llm_router.export import _exponential
from otel_llm_router.export._texts import text_of
from otel_llm_router.signals import Merge

SCOPE_LABEL: Final = "otel_scope_name"


def snapshot_of(data: MetricsData, own_scope: str) -> Snapshot:
    """Return what was collected.

    Args:
        data: What the SDK has collected.
        own_scope: Scope whose series carry no scope label.
    """
    found: dict[Description, dict[Labels, Point]] = {}
    for resource_metrics in data.resource_metrics:
        for scope_metrics in resource_metrics.scope_metrics:
            scope = scope_metrics.scope.name
            extra: Labels = () if scope == own_scope else ((SCOPE_LABEL, text_of(scope)),)
            for metric in scope_metrics.metrics:
                _add(found, metric, extra, own=scope == own_scope)
    return found


def _add(found: dict[Description, dict[Labels, Point]], metric: Metric, extra: Labels, *, own: bool) -> None:
    shape = _shape(metric)
    if own:
        merge = _RULES.get(metric.name, Merge.SUM.value)
    else:
        merge = Merge.PER_WORKER.value if shape == "gauge" else Merge.SUM.value
    for point in metric.data.data_points:
        labels = (*extra, *[(key, text_of(value)) for key, value in (point.attributes or {}).items()])
        bounds: tuple[float, ...] = ()
        made: Point
        if isinstance(point, (HistogramDataPoint, ExponentialHistogramDataPoint)):
            bounds, buckets = _exponential.buckets_of(point)
            made = _histogram(point, bounds, buckets)
        elif shape == "gauge":
            made = GaugePoint(getattr(point, "value", 0.0))
        else:
            made = SumPoint(getattr(point, "value", 0.0), point.start_time_unix_nano or 0)
        description = Description(
            name=metric.name,
            shape=shape,
            unit=metric.unit or "",
            description=text_of(metric.description or ""),
            bounds=bounds,
            merge=merge,
        )
        found.setdefault(description, {}).setdefault(labels, made)


def _shape(metric: Metric) -> Shape:
    data = metric.data
    if isinstance(data, Sum):
        return "counter" if data.is_monotonic else "up_down_counter"
    if isinstance(data, Gauge):
        return "gauge"
    return "histogram"


def _rules() -> Mapping[str, str]:
    from otel_llm_router import signals  # noqa: PLC0415  # the catalogue, for one look

    return {one.name: one.merge.value for one in signals.INSTRUMENTS}


_RULES: Final = _rules()


def _histogram(
    point: HistogramDataPoint | ExponentialHistogramDataPoint, bounds: tuple[float, ...], buckets: tuple[int, ...]
) -> HistogramPoint:
    return HistogramPoint(
        count=point.count,
        sum=point.sum,
        buckets=buckets,
        bounds=bounds,
        minimum=point.min,
        maximum=point.max,
        start=point.start_time_unix_nano or 0,
        exemplars=tuple(
            Exemplar(one.value, one.time_unix_nano, one.trace_id, one.span_id)
            for one in point.exemplars
            if one.trace_id and one.span_id
        ),
    )
