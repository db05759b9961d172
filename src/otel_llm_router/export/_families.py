"""The SDK's metrics data, as Prometheus metric families.

Room: `export`. `MetricsData` comes in, families of `prometheus_client` go out, each series with its
own labels whatever scope it comes from.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from typing import Any, Final

from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricsData,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from prometheus_client.core import Metric as Family
from prometheus_client.utils import floatToGoString  # pyright: ignore[reportUnknownVariableType]

from otel_llm_router import signals
from otel_llm_router._otel_compat import map_unit, sanitize_attribute, sanitize_full_name

_logger = logging.getLogger("otel_llm_router")

_OURS: Final = {instrument.name: instrument for instrument in signals.INSTRUMENTS}
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
            self._target_info(resource_metrics.resource)
            for scope_metrics in resource_metrics.scope_metrics:
                scope = scope_metrics.scope.name
                extra = {} if scope == self._own_scope else {_SCOPE_LABEL: _text(scope)}
                for metric in scope_metrics.metrics:
                    self._add_metric(metric, extra)

    def families(self) -> Iterable[Family]:
        """Return the families, in the order in which they were first seen."""
        return self._families.values()

    def _target_info(self, resource: Resource) -> None:
        family = self._family("target", "Target metadata", "info")
        if family is not None:
            self._sample(family, "target_info", _labels(resource.attributes), 1.0)

    def _add_metric(self, metric: Metric, extra: Mapping[str, str]) -> None:
        data = metric.data
        if isinstance(data, Sum) and data.is_monotonic:
            kind = "counter"
        elif isinstance(data, Gauge) or (
            isinstance(data, Sum) and data.aggregation_temporality is AggregationTemporality.CUMULATIVE
        ):
            kind = "gauge"
        elif isinstance(data, Histogram):
            kind = "histogram"
        else:
            _once(f"the scrape does not show {metric.name}: {type(data).__name__} has no place in Prometheus text")
            return
        family = self._family(_name(metric, kind), metric.description or "", kind)
        if family is None:
            return
        for point in data.data_points:
            labels = {**extra, **_labels(point.attributes or {})}
            if isinstance(point, HistogramDataPoint):
                self._histogram(family, labels, point)
            else:
                suffix = "_total" if kind == "counter" else ""
                self._sample(family, family.name + suffix, labels, float(getattr(point, "value", 0.0)))

    def _family(self, name: str, documentation: str, kind: str) -> Family | None:
        family = self._families.get(name)
        if family is None:
            family = self._families[name] = Family(name, _text(documentation), kind)
        elif family.type != kind:
            _once(f"the scrape shows {name} as a {family.type} only: another scope reports it as a {kind}")
            return None
        return family

    def _sample(self, family: Family, name: str, labels: dict[str, str], value: float) -> bool:
        key = (name, frozenset(labels.items()))
        if key in self._series:
            _once(f"the scrape shows one of several series {name} with equal labels")
            return False
        self._series.add(key)
        family.add_sample(name, labels, value)
        return True

    def _histogram(self, family: Family, labels: dict[str, str], point: HistogramDataPoint) -> None:
        if not self._sample(family, f"{family.name}_count", labels, float(point.count)):
            return
        total = 0
        for bound, count in zip((*point.explicit_bounds, float("inf")), point.bucket_counts, strict=True):
            total += count
            family.add_sample(f"{family.name}_bucket", {**labels, "le": floatToGoString(bound)}, float(total))
        family.add_sample(f"{family.name}_sum", labels, float(point.sum))


def _name(metric: Metric, kind: str) -> str:
    """Return the name of the family, which for a counter is without ``_total``."""
    declared = _OURS.get(metric.name)
    if declared is not None:
        return declared.prometheus_name.removesuffix("_total") if kind == "counter" else declared.prometheus_name
    name, unit = sanitize_full_name(metric.name), map_unit(metric.unit or "")
    if kind == "counter":
        name = name.removesuffix("_total")
    return f"{name}_{unit}" if unit and not name.endswith(f"_{unit}") else name


def _labels(attributes: Mapping[str, Any]) -> dict[str, str]:
    labels: dict[str, str] = {}
    for key, value in attributes.items():
        label = sanitize_attribute(key)
        # Two keys may become one label; joined as the Prometheus compatibility specification says.
        labels[label] = f"{labels[label]};{_text(value)}" if label in labels else _text(value)
    return labels


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    # A lone surrogate in one label would make every later scrape fail.
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


_said: set[str] = set()


def _once(message: str) -> None:
    if message not in _said and len(_said) < 1000:  # noqa: PLR2004  # bounded memory
        _said.add(message)
        _logger.warning("otel-llm-router: %s (said once)", message)
