"""One scrape, and the merge of four workers', CPU us for each sample (a line of the text that is no comment).

The series are half counters, half histograms of ten buckets, spread over instruments of at most a thousand
samples, four labels each. Ours through its scrape reader; the stock exporter's reader and `prometheus_client`'s
text; `prometheus_client`'s own metrics. All must show the same samples. A merge of 4 is what a scrape costs more
when it adds up four aggregations of that size, with the same series in an order of their own.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, cast

import prometheus_client
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.metrics import Meter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.resources import Resource
from prometheus_client.exposition import choose_encoder
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parsed_open_metrics  # pyright: ignore[reportUnknownVariableType]
from prometheus_client.parser import text_string_to_metric_families as parsed_text

from benchmarks.micro._passes import Passes, turns
from benchmarks.micro.record import SCOPE
from otel_llm_router import aggregation
from otel_llm_router.export.scrape import ScrapeReader

BOUNDS: Final = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12)
HISTOGRAM_SAMPLES: Final = len(BOUNDS) + 3
"""Buckets, the infinite one among them, sum and count."""
MOST: Final = 1000
"""Samples of one instrument, about."""
WORKERS: Final = 4
OPEN_METRICS: Final = "application/openmetrics-text; version=1.0.0"
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


def fill(meter: Meter, samples: int, *, worker: int = 0) -> None:
    """Record once in every series, each worker in an order of its own."""
    for shape, name, count in series(samples):
        numbers = list(range(count))
        if worker:
            random.Random(worker).shuffle(numbers)
        if shape == "counter":
            counter = meter.create_counter(name)
            for number in numbers:
                counter.add(number + 0.5, labels(number))
        else:
            histogram = meter.create_histogram(name, explicit_bucket_boundaries_advisory=BOUNDS)
            for number in numbers:
                histogram.record(0.3, labels(number))


Scrape = Callable[[str], bytes]
"""Returns the text that an ``Accept`` header asks for."""


def _ours(samples: int, *, worker: int = 0) -> tuple[Scrape, aggregation.MeterProvider]:
    reader = ScrapeReader(SCOPE)
    provider = aggregation.MeterProvider(
        SCOPE, aggregation.Pipeline(), resource=Resource.get_empty(), metric_readers=[reader], shutdown_on_exit=False
    )
    fill(provider.get_meter(SCOPE), samples, worker=worker)
    return lambda accept: reader.render(accept)[0], provider


def _merged(own: aggregation.MeterProvider, samples: int) -> Scrape:
    others = [_ours(samples, worker=worker)[1].aggregation.snapshot() for worker in range(1, WORKERS)]
    merger, reader = aggregation.Merger(), ScrapeReader(SCOPE)
    MeterProvider(metric_readers=[reader], shutdown_on_exit=False)
    reader.take_snapshots(lambda: merger.merge(own.aggregation.snapshot(), *others), Resource.get_empty())
    return lambda accept: reader.render(accept)[0]


def _text_of(registry: Any) -> Scrape:
    return lambda accept: choose_encoder(accept)[0](registry)


def _stock(samples: int) -> Scrape:
    # The stock reader registers its collector in the global registry; a scrape of it reads just that one.
    for collector in list(prometheus_client.REGISTRY._collector_to_names):  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        prometheus_client.REGISTRY.unregister(collector)
    reader = PrometheusMetricReader()
    fill(MeterProvider(metric_readers=[reader], shutdown_on_exit=False).get_meter("stock"), samples)
    return _text_of(prometheus_client.REGISTRY)


def _prometheus(samples: int) -> Scrape:
    prometheus_client.disable_created_metrics()  # the others have none
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
    return _text_of(registry)


Samples = Mapping[tuple[str, frozenset[tuple[str, str]]], float]
"""Values by name and labels."""


def shown(body: bytes) -> Samples:
    """Return what a scrape shows of the series: nothing about the target or the SDK, no labels of the scope."""
    text = body.decode()
    parse = cast(Any, parsed_open_metrics if text.endswith("# EOF\n") else parsed_text)
    return {
        (
            sample.name,
            frozenset(pair for pair in sample.labels.items() if not pair[0].startswith("otel_")),
        ): sample.value
        for family in parse(text)
        for sample in family.samples
        if sample.name.startswith(("counter_", "histogram_"))
    }


def expect_same(name: str, found: Samples, expected: Samples, *, times: int = 1) -> None:
    """Check that two scrapes show the same.

    Args:
        name: Whose scrape it is, for the message.
        found: What it shows.
        expected: What it must show.
        times: How often that was recorded.

    Raises:
        RuntimeError: They do not.
    """
    if found.keys() != expected.keys():
        raise RuntimeError(
            f"{name} shows other series: {list(found.keys() ^ expected.keys())[:3]}; nothing was measured"
        )
    for key, value in found.items():
        if not math.isclose(value, expected[key] * times):
            raise RuntimeError(f"{name} shows {value:g} for {key}, not {expected[key] * times:g}; nothing was measured")


def contenders(samples: int) -> tuple[int, dict[str, Callable[[], bytes]]]:
    """Return the number of samples, and the scrapes by figure; all of them show the same samples.

    Raises:
        RuntimeError: They do not.
    """
    count = sum(many * (1 if shape == "counter" else HISTOGRAM_SAMPLES) for shape, _, many in series(samples))
    own, provider = _ours(samples)
    scrapes = {"ours": own, "stock exporter": _stock(samples), "prometheus_client": _prometheus(samples)}
    scrapes[MERGED] = _merged(provider, samples)
    reference = shown(scrapes["prometheus_client"](""))
    if len(reference) != count:
        raise RuntimeError(f"there are {len(reference)} samples instead of {count}; nothing was measured")
    calls: dict[str, Callable[[], bytes]] = {}
    for accept, suffix in (("", ""), (OPEN_METRICS, ", OpenMetrics")):
        for name, scrape in scrapes.items():
            expect_same(name + suffix, shown(scrape(accept)), reference, times=WORKERS if name == MERGED else 1)
            calls[name + suffix] = lambda scrape=scrape, accept=accept: scrape(accept)
    return count, calls


MERGED: Final = f"merged over {WORKERS}"


def measure(*, quick: bool) -> Passes:
    """Measure; see the module."""
    found: Passes = {}
    for samples in (1_000, 10_000) if quick else (1_000, 10_000, 50_000):
        count, calls = contenders(samples)
        passes = 5 if quick or samples > 10_000 else 15  # noqa: PLR2004  # the largest takes seconds
        values = turns(calls, passes, divide=count / 1e6)
        more = [merged - own for merged, own in zip(values[MERGED], values["ours"], strict=True)]
        for name, figures in {**values, f"merge of {WORKERS}": more}.items():
            found[f"scrape of {samples}, {name}"] = figures
    return found
