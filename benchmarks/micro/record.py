"""One counter record and one histogram record with four attributes, CPU us.

Ours through the API (``add`` with a dict of attributes) and through a bound handle; the SDK through the
API; `prometheus_client` with ``labels()`` and bound. One reader each, no span is current.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import prometheus_client
from opentelemetry.metrics import Meter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.resources import Resource

from benchmarks.micro._passes import Passes, expect, repeated, turns
from otel_llm_router import aggregation

SCOPE: Final = "otel_llm_router"
LABELS: Final = {"provider": "openai", "model": "gpt-4o-mini", "status": "success", "deployment": "alpha"}
BOUNDS: Final = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)


def total(reader: InMemoryMetricReader, name: str) -> float:
    """Return the sum of a counter, or the records of a histogram, that a reader sees."""
    data = reader.get_metrics_data()
    points: list[Any] = [
        point
        for resource in (data.resource_metrics if data is not None else ())
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.name == name
        for point in metric.data.data_points
    ]
    return sum(getattr(point, "value", None) or getattr(point, "count", 0) for point in points)


def own_meter(reader: InMemoryMetricReader) -> Meter:
    """Return a meter of our scope on the fast path."""
    provider = aggregation.MeterProvider(
        SCOPE, aggregation.Pipeline(), resource=Resource.get_empty(), metric_readers=[reader], shutdown_on_exit=False
    )
    return provider.get_meter(SCOPE)


def measure(*, quick: bool) -> Passes:
    """Measure; see the module."""
    times, passes = (5_000, 5) if quick else (50_000, 15)
    ours, stock = InMemoryMetricReader(), InMemoryMetricReader()
    meters = {
        "ours": own_meter(ours),
        "sdk": MeterProvider(metric_readers=[stock], shutdown_on_exit=False).get_meter("stock"),
    }
    contenders: dict[str, Callable[[], object]] = {}
    for name, meter in meters.items():
        counter = meter.create_counter("counter")
        histogram = meter.create_histogram("histogram", explicit_bucket_boundaries_advisory=BOUNDS)
        contenders[f"counter, {name}"] = lambda counter=counter: counter.add(1, LABELS)
        contenders[f"histogram, {name}"] = lambda histogram=histogram: histogram.record(0.3, LABELS)
    bindable: Any = meters["ours"].create_counter("bound_counter")
    bound = bindable.bind(LABELS).add
    contenders["counter, ours bound"] = lambda: bound(1)
    bindable = meters["ours"].create_histogram("bound_histogram", explicit_bucket_boundaries_advisory=BOUNDS)
    bound_histogram = bindable.bind(LABELS).add
    contenders["histogram, ours bound"] = lambda: bound_histogram(0.3)

    registry = prometheus_client.CollectorRegistry()
    names = tuple(LABELS)
    counter_family = prometheus_client.Counter("counter", "c", names, registry=registry)
    histogram_family = prometheus_client.Histogram("histogram", "h", names, registry=registry, buckets=BOUNDS)
    values = tuple(LABELS.values())
    contenders["counter, prometheus_client"] = lambda: counter_family.labels(*values).inc()
    contenders["histogram, prometheus_client"] = lambda: histogram_family.labels(*values).observe(0.3)
    child, histogram_child = counter_family.labels(*values), histogram_family.labels(*values)
    contenders["counter, prometheus_client bound"] = child.inc
    contenders["histogram, prometheus_client bound"] = lambda: histogram_child.observe(0.3)

    found = turns(
        {name: repeated(call, times) for name, call in contenders.items()}, passes, divide=times / 1e6, discard=1
    )
    given = times * (passes + 1)
    for name, reader in (("ours", ours), ("sdk", stock)):
        for metric in ("counter", "histogram"):
            expect(f"{metric} of {name}", total(reader, metric), given)
    for metric in ("bound_counter", "bound_histogram"):
        expect(metric, total(ours, metric), given)
    for metric, suffix in (("counter", "_total"), ("histogram", "_count")):
        value = registry.get_sample_value(f"{metric}{suffix}", LABELS)
        expect(f"{metric} of prometheus_client", value or 0, 2 * given)
    return found
