"""Each instrument has the Prometheus name that it states, by both translations: Python's and the Collector's."""

# White-box: the collector of the Prometheus exporter.
# pyright: reportPrivateUsage=false

from __future__ import annotations

import re
from collections.abc import Iterable

import pytest
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from otel_llm_router.signals import INSTRUMENTS, Instrument, Kind
from otel_llm_router.telemetry import Telemetry
from otel_llm_router.telemetry._sources import Source

# --- the Collector's and Prometheus' own translation ------------------------------------------------
# The rules of otlptranslator's strategy UnderscoreEscapingWithSuffixes (facts/otel-python.md 4.2).

UNITS = {
    "d": "days", "h": "hours", "min": "minutes", "s": "seconds", "ms": "milliseconds", "us": "microseconds",
    "ns": "nanoseconds", "By": "bytes", "KiBy": "kibibytes", "MiBy": "mebibytes", "GiBy": "gibibytes",
    "TiBy": "tibibytes", "KBy": "kilobytes", "MBy": "megabytes", "GBy": "gigabytes", "TBy": "terabytes",
    "m": "meters", "V": "volts", "A": "amperes", "J": "joules", "W": "watts", "g": "grams", "Cel": "celsius",
    "Hz": "hertz", "1": "", "%": "percent",
}  # fmt: skip
PER_UNITS = {"s": "second", "m": "minute", "h": "hour", "d": "day", "w": "week", "mo": "month", "y": "year"}

MONOTONIC = {Kind.COUNTER, Kind.OBSERVABLE_COUNTER}


def _words(text: str) -> list[str]:
    return [word for word in re.split(r"[^a-zA-Z0-9:]+", text) if word]


def _unit(text: str, table: dict[str, str]) -> str:
    """Annotations in braces do not count; a unit that the table does not know stands for itself."""
    text = text.strip()
    return "_".join(_words(table.get(text, text))) if "{" not in text else ""


def collector_name(name: str, kind: Kind, unit: str) -> str:
    tokens = _words(name)
    main, _, per = unit.partition("/")
    suffix, per_suffix = _unit(main, UNITS), _unit(per, PER_UNITS)
    # The whole suffix is looked for among the name's words: "per_second" is two of them and never found.
    for addition in (suffix, f"per_{per_suffix}" if per_suffix else ""):
        if addition and addition not in tokens:
            tokens.append(addition)
    if kind in MONOTONIC:
        tokens = [*(token for token in tokens if token != "total"), "total"]
    if unit == "1" and kind is Kind.OBSERVABLE_GAUGE:
        tokens = [*(token for token in tokens if token != "ratio"), "ratio"]
    translated = "_".join(tokens)
    return f"_{translated}" if translated[:1].isdigit() else translated


EXAMPLES = [
    # The traps of facts/otel-python.md 4.2, with what was measured on the Go path.
    ("llm_router.tokens_per_second", Kind.HISTOGRAM, "{token}/s", "llm_router_tokens_per_second_per_second"),
    ("llm_router.tokens_per_second", Kind.HISTOGRAM, "", "llm_router_tokens_per_second"),
    ("llm_router.tokens", Kind.HISTOGRAM, "{token}/s", "llm_router_tokens_per_second"),
    ("process.cpu.utilization", Kind.OBSERVABLE_GAUGE, "1", "process_cpu_utilization_ratio"),
    ("process.cpu.utilization", Kind.UP_DOWN_COUNTER, "1", "process_cpu_utilization"),
    ("process.cpu.utilization", Kind.HISTOGRAM, "1", "process_cpu_utilization"),
    ("process.cpu.utilization", Kind.COUNTER, "1", "process_cpu_utilization_total"),
    ("trap.total.tokens", Kind.COUNTER, "{token}", "trap_tokens_total"),
    ("trap.seconds.behind", Kind.OBSERVABLE_GAUGE, "s", "trap_seconds_behind"),
    ("cost", Kind.COUNTER, "USD", "cost_USD_total"),
    ("cost", Kind.COUNTER, "{USD}", "cost_total"),
    # The instrument table 4.3, verified there for both translations.
    ("llm_router.inference.duration", Kind.HISTOGRAM, "s", "llm_router_inference_duration_seconds"),
    ("llm_router.inference", Kind.COUNTER, "{request}", "llm_router_inference_total"),
    ("llm_router.tokens.generated", Kind.COUNTER, "{token}", "llm_router_tokens_generated_total"),
    ("llm_router.models.loaded", Kind.UP_DOWN_COUNTER, "{model}", "llm_router_models_loaded"),
    ("llm_router.model.load.duration", Kind.HISTOGRAM, "s", "llm_router_model_load_duration_seconds"),
    ("llm_router.model.memory", Kind.OBSERVABLE_GAUGE, "By", "llm_router_model_memory_bytes"),
    ("llm_router.cache.hits", Kind.COUNTER, "{hit}", "llm_router_cache_hits_total"),
    ("llm_router.cache.size", Kind.OBSERVABLE_GAUGE, "By", "llm_router_cache_size_bytes"),
    ("llm_router.active_connections", Kind.UP_DOWN_COUNTER, "{connection}", "llm_router_active_connections"),
    ("llm_router.connection.duration", Kind.HISTOGRAM, "s", "llm_router_connection_duration_seconds"),
    ("llm_router.errors", Kind.COUNTER, "{error}", "llm_router_errors_total"),
    ("llm_router.queue.size", Kind.OBSERVABLE_GAUGE, "{request}", "llm_router_queue_size"),
    ("llm_router.queue.processing", Kind.HISTOGRAM, "s", "llm_router_queue_processing_seconds"),
    ("llm_router.http.request.duration", Kind.HISTOGRAM, "s", "llm_router_http_request_duration_seconds"),
    ("llm_router.http.requests", Kind.COUNTER, "{request}", "llm_router_http_requests_total"),
    # Rules of the translator that no trap above touches.
    ("response_time_seconds", Kind.OBSERVABLE_GAUGE, "s", "response_time_seconds"),
    ("throughput", Kind.OBSERVABLE_GAUGE, "By/s", "throughput_bytes_per_second"),
    ("requests", Kind.OBSERVABLE_GAUGE, "1/s", "requests_per_second"),
    ("custom_metric", Kind.OBSERVABLE_GAUGE, "By/{custom}", "custom_metric_bytes"),
    ("custom_metric", Kind.OBSERVABLE_GAUGE, "unit@with#special/chars", "custom_metric_unit_with_special_per_chars"),
    ("metric__with__underscores", Kind.OBSERVABLE_GAUGE, "", "metric_with_underscores"),
    ("cpu_usage_ratio", Kind.OBSERVABLE_GAUGE, "1", "cpu_usage_ratio"),
    ("123metric", Kind.OBSERVABLE_GAUGE, "", "_123metric"),
]


@pytest.mark.parametrize(("name", "kind", "unit", "expected"), EXAMPLES)
def test_the_port_gives_what_the_translator_gives(name: str, kind: Kind, unit: str, expected: str):
    assert collector_name(name, kind, unit) == expected


@pytest.mark.parametrize("declared", INSTRUMENTS, ids=lambda one: one.name)
def test_the_collector_shows_the_declared_name(declared: Instrument):
    assert collector_name(declared.name, declared.kind, declared.unit) == declared.prometheus_name


# --- the Python exporter ----------------------------------------------------------------------------


def _scrapable() -> tuple[MeterProvider, CollectorRegistry]:
    """A registry of its own, which the oldest exporter that we support takes no argument for."""
    reader = PrometheusMetricReader(disable_target_info=True)
    REGISTRY.unregister(reader._collector)
    registry = CollectorRegistry()
    registry.register(reader._collector)
    return MeterProvider([reader], shutdown_on_exit=False), registry


def _labels(declared: Instrument) -> list[str]:
    return [attribute.values[-1] if attribute.values else "x" for attribute in declared.attributes]


@pytest.fixture(scope="module")
def scraped() -> dict[str, tuple[str, set[str], set[str]]]:
    """Record each instrument once, through the recorder, and scrape: family -> (type, labels, le)."""
    provider, registry = _scrapable()
    recorder = Telemetry(meter_provider=provider).recorder

    def source(labels: Iterable[str]) -> Source:
        return lambda: [(1.0, tuple(labels))]

    for declared in INSTRUMENTS:
        labels = _labels(declared)
        if declared.kind in {Kind.OBSERVABLE_GAUGE, Kind.OBSERVABLE_COUNTER}:
            recorder.observe(declared, "test", source(labels))
        else:
            recorder.record(declared, 1, *labels)
    families: dict[str, tuple[str, set[str], set[str]]] = {}
    for family in text_string_to_metric_families(generate_latest(registry).decode()):
        # The parser takes a counter's _total off its family's name.
        name = family.name + ("_total" if family.type == "counter" else "")
        keys = {key for sample in family.samples for key in sample.labels}
        keys = {key for key in keys if key != "le" and not key.startswith("otel_scope_")}
        bounds = {sample.labels["le"] for sample in family.samples if "le" in sample.labels}
        families[name] = (family.type, keys, bounds)
    return families


TYPES = {
    Kind.COUNTER: "counter",
    Kind.OBSERVABLE_COUNTER: "counter",
    Kind.UP_DOWN_COUNTER: "gauge",
    Kind.OBSERVABLE_GAUGE: "gauge",
    Kind.HISTOGRAM: "histogram",
}


@pytest.mark.parametrize("declared", INSTRUMENTS, ids=lambda one: one.name)
def test_a_scrape_shows_the_declared_name_type_labels_and_buckets(
    declared: Instrument, scraped: dict[str, tuple[str, set[str], set[str]]]
):
    kind, labels, bounds = scraped[declared.prometheus_name]
    assert kind == TYPES[declared.kind]
    assert labels == {attribute.key.replace(".", "_") for attribute in declared.attributes}
    assert {float(bound) for bound in bounds} == ({*declared.buckets, float("inf")} if declared.buckets else set())


def test_a_scrape_shows_nothing_else(scraped: dict[str, tuple[str, set[str], set[str]]]):
    assert set(scraped) == {one.prometheus_name for one in INSTRUMENTS}


def test_two_translations_agree_only_because_the_declarations_avoid_the_traps():
    """The port is no copy of the Python rules: it differs from them where the facts say so."""
    provider, registry = _scrapable()
    meter = provider.get_meter("traps")
    meter.create_counter("trap.total.tokens", "{token}").add(1)
    meter.create_histogram("trap.seconds.behind", "s").record(1)
    meter.create_histogram("trap.tokens_per_second", "{token}/s").record(1)
    text = generate_latest(registry).decode()
    assert "trap_total_tokens_total" in text
    assert "trap_seconds_behind_seconds_count" in text
    assert "trap_tokens_per_second_count" in text
    assert collector_name("trap.tokens_per_second", Kind.HISTOGRAM, "{token}/s") == "trap_tokens_per_second_per_second"
