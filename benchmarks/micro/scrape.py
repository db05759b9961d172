"""One scrape, and the merge of four workers', CPU us for each sample (a line of the text that is no comment).

The series are half counters, half histograms of ten buckets, spread over instruments of at most a thousand
samples, four labels each. Ours through its scrape reader; the stock exporter's reader and `prometheus_client`'s
text; `prometheus_client`'s own metrics. A merge is of four aggregations of that size with the same series.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import prometheus_client
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.metrics import Meter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.resources import Resource

from benchmarks.micro._passes import Passes, expect, turns
from benchmarks.micro.record import SCOPE
from otel_llm_router import aggregation
from otel_llm_router.export.scrape import ScrapeReader

BOUNDS: Final = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12)
HISTOGRAM_SAMPLES: Final = len(BOUNDS) + 3
"""Buckets, the infinite one among them, sum and count."""
MOST: Final = 1000
"""Samples of one instrument, about."""
WORKERS: Final = 4
LABELS: Final = ("provider", "model", "deployment", "status")


def series(samples: int) -> Iterator[tuple[str, str, int]]:
    """Return (shape, name, number of series) for instruments of about ``samples`` samples in all."""
    pairs = max(1, round(samples / (2 * MOST)))
    each = samples / pairs / 2
    for number in range(pairs):
        yield "counter", f"counter_{number}", round(each)
        yield "histogram", f"histogram_{number}", max(1, round(each / HISTOGRAM_SAMPLES))


def labels(number: int) -> dict[str, str]:
    """Return the labels of one series."""
    return dict(zip(LABELS, ("openai", f"model-{number}", f"deployment-{number % 10}", "success"), strict=True))


def fill(meter: Meter, samples: int) -> None:
    """Record once in every series."""
    for shape, name, count in series(samples):
        if shape == "counter":
            counter = meter.create_counter(name)
            for number in range(count):
                counter.add(number + 0.5, labels(number))
        else:
            histogram = meter.create_histogram(name, explicit_bucket_boundaries_advisory=BOUNDS)
            for number in range(count):
                histogram.record(0.3, labels(number))


def _ours(samples: int) -> tuple[Callable[[], bytes], aggregation.MeterProvider]:
    reader = ScrapeReader(SCOPE)
    provider = aggregation.MeterProvider(
        SCOPE, aggregation.Pipeline(), resource=Resource.get_empty(), metric_readers=[reader], shutdown_on_exit=False
    )
    fill(provider.get_meter(SCOPE), samples)
    return lambda: reader.render()[0], provider


def _stock(samples: int) -> Callable[[], bytes]:
    # The stock reader registers its collector in the global registry; a scrape of it reads just that one.
    for collector in list(prometheus_client.REGISTRY._collector_to_names):  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        prometheus_client.REGISTRY.unregister(collector)
    reader = PrometheusMetricReader()
    fill(MeterProvider(metric_readers=[reader], shutdown_on_exit=False).get_meter("stock"), samples)
    return prometheus_client.generate_latest


def _prometheus(samples: int) -> Callable[[], bytes]:
    registry = prometheus_client.CollectorRegistry()
    for shape, name, count in series(samples):
        if shape == "counter":
            counter = prometheus_client.Counter(name, "c", LABELS, registry=registry)
            for number in range(count):
                counter.labels(**labels(number)).inc(number + 0.5)
        else:
            histogram = prometheus_client.Histogram(name, "h", LABELS, registry=registry, buckets=BOUNDS)
            for number in range(count):
                histogram.labels(**labels(number)).observe(0.3)
    return lambda: prometheus_client.generate_latest(registry)


def lines(body: bytes) -> int:
    """Return the samples of a scrape that are ours: no comments, no ``_created``, nothing about the target."""
    return sum(
        line.startswith((b"counter_", b"histogram_")) and b"_created" not in line.partition(b"{")[0]
        for line in body.splitlines()
    )


def measure(*, quick: bool) -> Passes:
    """Measure; see the module."""
    found: Passes = {}
    for samples in (1_000, 10_000) if quick else (1_000, 10_000, 50_000):
        expected = sum(count * (1 if shape == "counter" else HISTOGRAM_SAMPLES) for shape, _, count in series(samples))
        own, provider = _ours(samples)
        contenders: dict[str, Callable[[], Any]] = {
            "ours": own,
            "stock exporter": _stock(samples),
            "prometheus_client": _prometheus(samples),
        }
        for name, scrape in contenders.items():
            expect(f"samples of {name}", lines(scrape()), expected)
        snapshots = [provider.aggregation.snapshot()]
        snapshots += [_ours(samples)[1].aggregation.snapshot() for _ in range(WORKERS - 1)]
        merged = aggregation.merge(*snapshots)
        expect("merged series", sum(map(len, merged.values())), sum(map(len, snapshots[0].values())))
        contenders[f"merge of {WORKERS}"] = lambda snapshots=snapshots: aggregation.merge(*snapshots)
        passes = 5 if quick or samples > 10_000 else 15  # noqa: PLR2004  # the largest takes seconds
        for name, values in turns(contenders, passes, divide=expected / 1e6).items():
            found[f"scrape of {samples}, {name}"] = values
    return found
