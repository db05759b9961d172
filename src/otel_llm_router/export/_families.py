"""The SDK's metrics data, as Prometheus metric families.

Room: `export`. `MetricsData` comes in, families of `prometheus_client` go out, each series with its
own labels whatever scope it comes from. Our own scope's points are taken too, where `_own_text` does
not write them itself.
"""

from __future__ import annotations

import logging
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    ExponentialHistogram,
    ExponentialHistogramDataPoint,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricsData,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from prometheus_client.core import Exemplar
from prometheus_client.core import Metric as Family
from prometheus_client.utils import floatToGoString  # pyright: ignore[reportUnknownVariableType]

from otel_llm_router.aggregation import HistogramPoint, Labels, Point, Snapshot
from otel_llm_router.export import _exponential
from otel_llm_router.export._names import KINDS, family_name, joined_labels
from otel_llm_router.export._texts import text_of

_logger = logging.getLogger("otel_llm_router")

_SCOPE_LABEL: Final = "otel_scope_name"


class Families:
    """Collects metrics into families.

    Args:
        own_scope: Scope whose metrics carry no scope label, so that their series have exactly the
            declared labels.
    """

    def __init__(self, own_scope: str) -> None:
        self._own_scope = own_scope
        self._families: dict[str, Family] = {}
        self._series: set[tuple[str, frozenset[tuple[str, str]]]] = set()

    def add(self, data: MetricsData) -> None:
        """Add everything in ``data``."""
        for resource_metrics in data.resource_metrics:
            self.target_info(resource_metrics.resource)
            for scope_metrics in resource_metrics.scope_metrics:
                scope = scope_metrics.scope.name
                extra = {} if scope == self._own_scope else {_SCOPE_LABEL: text_of(scope)}
                for metric in scope_metrics.metrics:
                    self._add_metric(metric, extra)

    def add_own(self, snapshot: Snapshot) -> None:
        """Add the points of our own scope in ``snapshot``."""
        for description, points in snapshot.items():
            kind = KINDS[description.shape]
            family = self._family(family_name(description.name, description.unit, kind), description.description, kind)
            if family is not None:
                for labels, point in points.items():
                    self._own_point(family, labels, point)

    def families(self) -> Iterable[Family]:
        """Return the families, in the order in which they were first seen."""
        return self._families.values()

    def names(self) -> set[str]:
        """Return the families' names."""
        return set(self._families)

    def target_info(self, resource: Resource) -> None:
        """Add what says who is sending, once."""
        family = self._family("target", "Target metadata", "info")
        labels = joined_labels(resource.attributes.items())
        if family is not None and ("target_info", frozenset(labels.items())) not in self._series:
            self._sample(family, "target_info", labels, 1.0)

    def _add_metric(self, metric: Metric, extra: Mapping[str, str]) -> None:
        data = metric.data
        if isinstance(data, Sum) and data.is_monotonic:
            kind = "counter"
        elif isinstance(data, Gauge) or (
            isinstance(data, Sum) and data.aggregation_temporality is AggregationTemporality.CUMULATIVE
        ):
            kind = "gauge"
        elif isinstance(data, (Histogram, ExponentialHistogram)):
            kind = "histogram"
        else:
            once(f"the scrape does not show {metric.name}: {type(data).__name__} has no place in Prometheus text")
            return
        family = self._family(family_name(metric.name, metric.unit or "", kind), metric.description or "", kind)
        if family is None:
            return
        for point in data.data_points:
            labels = {**extra, **joined_labels((point.attributes or {}).items())}
            if isinstance(point, (HistogramDataPoint, ExponentialHistogramDataPoint)):
                bounds, buckets = _exponential.buckets_of(point)
                exemplars = [
                    (one.value, one.time_unix_nano, one.trace_id, one.span_id)
                    for one in point.exemplars
                    if one.trace_id and one.span_id
                ]
                self._histogram(family, labels, point, bounds, buckets, exemplars)
            else:
                self._number(family, labels, float(getattr(point, "value", 0.0)))

    def _own_point(self, family: Family, labels: Labels, point: Point) -> None:
        texts = joined_labels(labels)
        if isinstance(point, HistogramPoint):
            self._histogram(family, texts, point, point.bounds, point.buckets, point.exemplars)
        else:
            self._number(family, texts, float(point.value))

    def _family(self, name: str, documentation: str, kind: str) -> Family | None:
        family = self._families.get(name)
        if family is None:
            family = self._families[name] = Family(name, text_of(documentation), kind)
        elif family.type != kind:
            once(f"the scrape shows {name} as a {family.type} only: another scope reports it as a {kind}")
            return None
        return family

    def _sample(self, family: Family, name: str, labels: dict[str, str], value: float) -> bool:
        key = (name, frozenset(labels.items()))
        if key in self._series:
            once(f"the scrape shows one of several series {name} with equal labels")
            return False
        self._series.add(key)
        family.add_sample(name, labels, value)
        return True

    def _number(self, family: Family, labels: dict[str, str], value: float) -> None:
        suffix = "_total" if family.type == "counter" else ""
        self._sample(family, family.name + suffix, labels, value)

    def _histogram(
        self,
        family: Family,
        labels: dict[str, str],
        point: HistogramDataPoint | ExponentialHistogramDataPoint | HistogramPoint,
        bounds: Sequence[float],
        buckets: Sequence[int],
        exemplars: Sequence[tuple[float, int, int, int]],
    ) -> None:
        if not self._sample(family, f"{family.name}_count", labels, float(point.count)):
            return
        shown = {bisect_left(bounds, value): (value, *when_and_where) for value, *when_and_where in exemplars}
        total = 0
        for bucket, (bound, count) in enumerate(zip((*bounds, float("inf")), buckets, strict=True)):
            total += count
            family.add_sample(
                f"{family.name}_bucket",
                {**labels, "le": floatToGoString(bound)},
                float(total),
                exemplar=_exemplar(*shown[bucket]) if bucket in shown else None,
            )
        family.add_sample(f"{family.name}_sum", labels, float(point.sum))


def _exemplar(value: float, time: int, trace_id: int, span_id: int) -> Exemplar:
    return Exemplar({"trace_id": f"{trace_id:032x}", "span_id": f"{span_id:016x}"}, float(value), time / 1e9)


_said: set[str] = set()


def once(message: str) -> None:
    """Warn, but not again with the same words."""
    if message not in _said and len(_said) < 1000:  # noqa: PLR2004  # bounded memory
        _said.add(message)
        _logger.warning("otel-llm-router: %s (said once)", message)
