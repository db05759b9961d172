"""The scrape's text, compared with what the stock exporter makes of the same metrics."""

from __future__ import annotations

from itertools import accumulate
from typing import Any

import pytest
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource
from prometheus_client import REGISTRY, generate_latest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics  # pyright: ignore[reportUnknownVariableType]
from prometheus_client.parser import text_string_to_metric_families

from otel_llm_router import signals
from otel_llm_router.aggregation import HistogramPoint
from otel_llm_router.export.scrape import ScrapeReader
from otel_llm_router.telemetry import Telemetry

OURS = "otel_llm_router"


def samples(body: bytes) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    found: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}
    for family in text_string_to_metric_families(body.decode()):
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in found, f"twice: {key}"
            found[key] = sample.value
    return found


def comparable(
    found: dict[tuple[str, frozenset[tuple[str, str]]], float],
) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """The samples without what differs between versions: the scope's labels, and what the SDK says of itself."""
    return {
        (name, frozenset(pair for pair in labels if not pair[0].startswith("otel_scope_"))): value
        for (name, labels), value in found.items()
        if not name.startswith("otel_sdk_")
    }


def provider_with(*readers: Any, views: Any = ()) -> MeterProvider:
    return MeterProvider(
        metric_readers=list(readers),
        resource=Resource({"service.name": "a router", "odd": 'a "quoted" \\ value\nin lines'}),
        views=views,
        shutdown_on_exit=False,
    )


def record(meter: Any) -> None:
    meter.create_counter("app.requests", unit="{request}", description="Requests.").add(3, {"route": "/a", "ok": True})
    meter.create_up_down_counter("app.active").add(-2, {"n": 5})
    meter.create_histogram("app.latency", unit="ms", description="Latency.").record(12.5, {"route": "/a"})
    meter.create_gauge("app.size", unit="By").set(1.5, {"a.b": "x"})
    meter.create_counter("app.cpu.time", unit="s").add(0.25)


def test_other_scopes_have_the_names_and_values_of_the_stock_exporter() -> None:
    others = {sample.name for family in REGISTRY.collect() for sample in family.samples}
    ours, stock = ScrapeReader(OURS), PrometheusMetricReader()  # which registers itself
    provider = provider_with(ours, stock)
    record(provider.get_meter("app"))
    expected = comparable(samples(generate_latest(REGISTRY)))
    found = comparable(samples(ours.render()[0]))
    provider.shutdown()
    alone = [{key: value for key, value in one.items() if key[0] not in others} for one in (found, expected)]
    assert alone[0] == alone[1]
    assert ("app_latency_milliseconds_count", frozenset({("route", "/a")})) in found


def test_our_own_scope_has_the_declared_names_and_no_further_label() -> None:
    reader = ScrapeReader(OURS)
    telemetry = Telemetry(meter_provider=provider_with(reader))
    with telemetry.request("smart", strategy="cheapest"), telemetry.attempt("openai", "gpt-4o"):
        pass
    found = samples(reader.render()[0])
    labels = {"model": "gpt-4o", "strategy": "cheapest", "status": "success", "cached": "false"}
    assert found["llm_router_inference_total", frozenset(labels.items())] == 1
    declared = {instrument.prometheus_name for instrument in signals.INSTRUMENTS}
    for name, _ in found:
        family = name
        for suffix in ("_bucket", "_sum", "_count"):
            if family not in declared:
                family = family.removesuffix(suffix)
        assert family in declared or name == "target_info"


def test_two_scopes_with_one_name_keep_their_own_labels() -> None:
    reader = ScrapeReader(OURS)
    provider = provider_with(reader)
    provider.get_meter("one").create_counter("shared").add(1, {"model": "a"})
    provider.get_meter("two").create_counter("shared").add(2, {"zone": "z"})
    found = samples(reader.render()[0])
    assert found["shared_total", frozenset({("model", "a"), ("otel_scope_name", "one")})] == 1
    assert found["shared_total", frozenset({("zone", "z"), ("otel_scope_name", "two")})] == 2


def test_one_name_with_two_descriptions_has_one_help(caplog: pytest.LogCaptureFixture) -> None:
    reader = ScrapeReader(OURS)
    provider = provider_with(reader)
    provider.get_meter("one").create_counter("shared", description="One.").add(1)
    provider.get_meter("two").create_counter("shared", description="Two.").add(1)
    text = reader.render()[0].decode()
    assert text.count("# HELP shared_total") == 1
    assert text.count("# TYPE shared_total") == 1


def test_one_name_of_two_kinds_is_shown_as_one_and_said(caplog: pytest.LogCaptureFixture) -> None:
    reader = ScrapeReader(OURS)
    provider = provider_with(reader)
    provider.get_meter("one").create_gauge("muddle").set(1)
    provider.get_meter("two").create_histogram("muddle").record(1)
    assert len([name for name, _ in samples(reader.render()[0]) if name.startswith("muddle")]) == 1
    assert "muddle" in caplog.text


@pytest.mark.parametrize("of_several", [False, True])
def test_an_exponential_histogram_has_buckets_of_powers_of_two(of_several: bool) -> None:
    reader = ScrapeReader(OURS)
    provider = provider_with(
        reader, views=[View(instrument_name="exp", aggregation=ExponentialBucketHistogramAggregation())]
    )
    meter = provider.get_meter("app")
    exponential = meter.create_histogram("exp")
    for value in (0, 0.0001, 0.75, 1, 1.5, 2, 3, 1e12):
        exponential.record(value)
    meter.create_counter("fine").add(1)
    if of_several:  # as a worker says it to the others
        live, _ = reader.local(observe=True)
        (points,) = (found for one, found in live.items() if one.name == "exp")
        ((bounds, buckets),) = ((one.bounds, one.buckets) for one in points.values() if isinstance(one, HistogramPoint))
        totals = dict(zip((*bounds, float("inf")), accumulate(buckets), strict=True))
    else:
        found = samples(reader.render()[0])
        assert any(name == "fine_total" for name, _ in found)
        totals = {float(dict(labels)["le"]): value for (name, labels), value in found.items() if name == "exp_bucket"}
    wanted = {2**-10: 2, 0.5: 2, 1: 4, 2: 6, 4: 7, 2**20: 7, float("inf"): 8}
    assert {bound: totals[bound] for bound in wanted} == wanted


def test_a_lone_surrogate_does_not_break_the_scrape() -> None:
    reader = ScrapeReader(OURS)
    meter = provider_with(reader).get_meter("app")
    meter.create_counter("odd").add(1, {"name": "bad \ud800 value"})
    body, _ = reader.render()
    assert b"odd_total" in body


def test_attributes_that_become_one_label_are_joined() -> None:
    reader = ScrapeReader(OURS)
    provider_with(reader).get_meter("app").create_counter("c").add(1, {"a.b": "1", "a_b": "2"})
    labels = next(labels for name, labels in samples(reader.render()[0]) if name == "c_total")
    assert dict(labels)["a_b"] in {"1;2", "2;1"}


@pytest.mark.parametrize("accept", ["", "*/*", "text/plain;version=abc", "application/json", "\ud800", "a" * 5000])
def test_any_accept_header_gets_text(accept: str) -> None:
    reader = ScrapeReader(OURS)
    record(provider_with(reader).get_meter("app"))
    body, content_type = reader.render(accept)
    assert content_type.startswith("text/plain")
    assert samples(body)


def test_open_metrics_when_asked_for() -> None:
    reader = ScrapeReader(OURS)
    record(provider_with(reader).get_meter("app"))
    body, content_type = reader.render("application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
    assert body.endswith(b"# EOF\n")
    assert {family.name for family in open_metrics(body.decode())} >= {"app_requests", "app_latency_milliseconds"}


def test_the_time_of_a_scrape_is_told() -> None:
    seconds: list[float] = []
    reader = ScrapeReader(OURS, timer=seconds.append)
    provider_with(reader)
    reader.render()
    assert len(seconds) == 1
    assert seconds[0] > 0
