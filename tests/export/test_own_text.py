"""Our own scope's text, compared with what `prometheus_client` writes for the same points."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.metrics import MeterProvider as AnyMeterProvider
from opentelemetry.metrics import Observation
from opentelemetry.sdk.metrics import MeterProvider as SdkMeterProvider
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from prometheus_client.exposition import choose_encoder
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics  # pyright: ignore[reportUnknownVariableType]
from prometheus_client.parser import text_string_to_metric_families

from otel_llm_router.aggregation import (
    Description,
    Exemplar,
    GaugePoint,
    HistogramPoint,
    Labels,
    MeterProvider,
    Pipeline,
    Point,
    Snapshot,
    SumPoint,
)
from otel_llm_router.export import _own_text
from otel_llm_router.export._families import Families
from otel_llm_router.export._own_text import OwnText
from otel_llm_router.export.scrape import ScrapeReader

OURS = "otel_llm_router"
OPEN_METRICS = "application/openmetrics-text; version=1.0.0"
ACCEPTED = ["", OPEN_METRICS, "text/plain;version=1.0.0;escaping=allow-utf-8", f"{OPEN_METRICS};escaping=values"]
RESOURCE = Resource({"service.name": "a router"})

COUNTER = Description(name="app.hits", shape="counter", unit="{hit}", description='Hits\nwith "lines" and \\.')
HISTOGRAM = Description(name="app.wait", shape="histogram", unit="s", bounds=(0.005, 1.0, 2_500_000.0))
GAUGE = Description(name="app.size", shape="gauge", unit="By", description="Größe")


def fast() -> tuple[ScrapeReader, MeterProvider]:
    reader = ScrapeReader(OURS)
    return reader, MeterProvider(OURS, Pipeline(), resource=RESOURCE, metric_readers=[reader], shutdown_on_exit=False)


def sdk() -> tuple[ScrapeReader, SdkMeterProvider]:
    reader = ScrapeReader(OURS)
    return reader, SdkMeterProvider(resource=RESOURCE, metric_readers=[reader], shutdown_on_exit=False)


def of(snapshots: list[Snapshot]) -> ScrapeReader:
    """A reader that shows one snapshot after the other."""
    reader, _ = sdk()
    reader.take_snapshots(lambda: snapshots.pop(0), RESOURCE)
    return reader


def points_of(snapshot: Snapshot, accept: str) -> bytes:
    """What `prometheus_client` writes."""

    class Registry:
        def collect(self) -> Any:
            return families.families()

    families = Families(OURS)
    families.target_info(RESOURCE)
    families.add_own(snapshot)
    return choose_encoder(accept)[0](Registry())  # pyright: ignore[reportArgumentType]


def without_the_sdk(body: bytes) -> bytes:
    """Without what newer SDKs say of themselves."""
    return b"".join(line for line in body.splitlines(keepends=True) if b"otel_sdk_" not in line)


def record(provider: AnyMeterProvider) -> None:
    meter = provider.get_meter(OURS)
    hits = meter.create_counter("app.hits", unit="{hit}", description='Hits\nwith "lines" and \\.')
    for number, value in enumerate([0, 1, 2.5, 999_999, 1_000_000, 1_234_567.5, 2**53, 1e21, 1e-7, 1e300]):
        hits.add(value, {"number": str(number), "model": "gpt-4o"})
    for odd in ['"quoted"', "back\\slash", "two\nlines", "{braces}", "100 %s", "ümläut", "\ud800", "", "a=b,c"]:
        hits.add(1, {"odd": odd})
    active = meter.create_up_down_counter("app.active")
    for value in (-1, -1_500_000, -0.5, 3):
        active.add(value, {"value": str(value)})
    wait = meter.create_histogram("app.wait", unit="s", explicit_bucket_boundaries_advisory=[0.005, 1, 2_500_000.0])
    for value in (0, 0.005, 0.5, 1, 3e6):
        wait.record(value, {"model": "gpt-4o", "cached": "true"})
        wait.record(value)
        wait.record(value, {"z": "after the bound", "le": "taken"})
    meter.create_counter("llm_router.inference", unit="{request}").add(3, {"model": "a"})
    meter.create_observable_gauge("app.size", [lambda _: [Observation(1.5, {"a.b": "x"}), Observation(7)]], unit="By")


@pytest.mark.parametrize("accept", ACCEPTED)
def test_it_is_character_for_character_what_the_sdk_and_prometheus_client_make_of_the_same_records(accept: str) -> None:
    ours, theirs = fast(), sdk()
    for _, provider in (ours, theirs):
        record(provider)
    body, content_type = ours[0].render(accept)
    expected, expected_type = theirs[0].render(accept)
    assert content_type == expected_type
    assert without_the_sdk(body).decode() == without_the_sdk(expected).decode()
    assert b'{model="gpt-4o",number="5"} 1.2345675e+06\n' in body
    assert without_the_sdk(ours[0].render(accept)[0]) == without_the_sdk(body)  # and so with what is kept


@pytest.mark.parametrize("accept", [*ACCEPTED, f"{OPEN_METRICS};escaping=dots"])
def test_points_of_any_size_are_written_as_prometheus_client_does(accept: str) -> None:
    exemplars = (Exemplar(0.001, 1_700_000_000_123_456_789, 1, 2), Exemplar(9e9, 1_700_000_001_000_000_000, 2**127, 9))
    buckets = (999_999, 1, 5_000_000, 2**60)
    snapshot: Snapshot = {
        HISTOGRAM: {
            (("k", "big"),): HistogramPoint(sum(buckets), 1e20, buckets, HISTOGRAM.bounds, 0, 9e9, 1, exemplars),
            (): HistogramPoint(0, 0, (0, 0, 0, 0), HISTOGRAM.bounds, float("inf"), float("-inf"), 1),
        },
        COUNTER: {(("k", "v"),): SumPoint(2**62, 1), (): SumPoint(float("inf"), 1)},
        GAUGE: {(): GaugePoint(float("nan")), (("k", ""),): GaugePoint(float("-inf"))},
    }
    assert of([snapshot]).render(accept)[0].decode() == points_of(snapshot, accept).decode()


def test_exemplars_are_in_open_metrics_only() -> None:
    tracer = TracerProvider().get_tracer("test")
    for make in (fast, sdk):
        reader, provider = make()
        with tracer.start_as_current_span("measured") as span:
            provider.get_meter(OURS).create_histogram("app.wait", explicit_bucket_boundaries_advisory=[1, 2]).record(
                1.5, {"k": "v"}
            )
        (family,) = [one for one in open_metrics(reader.render(OPEN_METRICS)[0].decode()) if one.name == "app_wait"]
        found = {sample.labels["le"]: sample.exemplar for sample in family.samples if "le" in sample.labels}
        exemplar = found["2.0"]
        assert exemplar is not None
        assert exemplar.value == 1.5
        assert exemplar.labels == {
            "trace_id": trace.format_trace_id(span.get_span_context().trace_id),
            "span_id": trace.format_span_id(span.get_span_context().span_id),
        }
        assert found["1.0"] is None
        assert found["+Inf"] is None
        assert b"trace_id" not in reader.render()[0]


@pytest.mark.parametrize("accept", ["", OPEN_METRICS])
def test_a_family_that_another_scope_has_too_is_declared_once(accept: str) -> None:
    reader, provider = fast()
    provider.get_meter("other").create_counter("shared", description="Theirs.").add(1, {"k": "v"})
    provider.get_meter(OURS).create_counter("shared", description="Ours.").add(2, {"k": "v"})
    provider.get_meter(OURS).create_counter("alone").add(4)
    text = reader.render(accept)[0].decode()
    assert text.count("# TYPE shared") == 1
    assert 'shared_total{k="v",otel_scope_name="other"} 1.0\nshared_total{k="v"} 2.0\n' in text
    assert "alone_total 4.0\n" in text


def test_a_family_that_another_scope_has_as_another_kind_is_said_and_left_out(caplog: pytest.LogCaptureFixture) -> None:
    reader, provider = fast()
    provider.get_meter("other").create_gauge("clash.of.kinds").set(1)
    provider.get_meter(OURS).create_histogram("clash.of.kinds").record(2)
    text = reader.render()[0].decode()
    assert text.count("# TYPE clash_of_kinds") == 1
    assert "clash_of_kinds_bucket" not in text
    assert "clash_of_kinds" in caplog.text


def test_two_of_our_instruments_that_become_one_name_are_one_family() -> None:
    reader, provider = fast()
    meter = provider.get_meter(OURS)
    meter.create_counter("one.name").add(1, {"k": "a"})
    meter.create_counter("one_name").add(2, {"k": "b"})
    text = reader.render()[0].decode()
    assert text.count("# TYPE one_name_total") == 1
    assert {'one_name_total{k="a"} 1.0', 'one_name_total{k="b"} 2.0'} <= set(text.splitlines())


def test_labels_that_read_alike_are_shown_once_and_said(caplog: pytest.LogCaptureFixture) -> None:
    reader, provider = fast()
    meter = provider.get_meter(OURS)
    for instrument in (meter.create_counter("alike").add, meter.create_histogram("alike.too").record):
        for labels in ({"a.b": "1"}, {"a_b": "1"}, {"a_b": "2"}, {"a.b": "1", "": "nameless"}):
            instrument(1, labels)
    for _ in range(2):
        lines = reader.render()[0].decode().splitlines()
        assert [line for line in lines if line.startswith("alike_total")] == [
            'alike_total{a_b="1"} 1.0',
            'alike_total{a_b="2"} 1.0',
        ]
        assert sum(line.startswith("alike_too_count") for line in lines) == 2
    assert "equal labels" in caplog.text


def counted(**values: float) -> Mapping[Labels, Point]:
    return {(("k", key),): SumPoint(value, 1) for key, value in values.items()}


def test_the_text_of_a_series_that_is_gone_is_not_kept() -> None:
    written = OwnText()

    def text(snapshot: Snapshot) -> str:
        return written.text(written.apart(snapshot, ())[0], open_metrics=False).decode()

    text({COUNTER: counted(a=1, b=2), GAUGE: {(): GaugePoint(1)}})
    assert len(written) == 3
    assert text({COUNTER: counted(b=3, c=4)}).splitlines()[2:] == [
        'app_hits_total{k="b"} 3.0',
        'app_hits_total{k="c"} 4.0',
    ]
    assert len(written) == 2
    assert text({}) == ""
    assert len(written) == 0


def test_beyond_the_limit_texts_are_not_kept_and_nothing_else_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_own_text, "MAX_KEPT", 3)
    written = OwnText()
    snapshot: Snapshot = {GAUGE: {(): GaugePoint(1)}, COUNTER: counted(a=1, b=2, c=3)}
    for _ in range(2):
        text = written.text(written.apart(snapshot, ())[0], open_metrics=False)
        assert text.count(b"app_hits_total{") == 3
        assert len(written) == 1


def test_scrapes_while_others_record_are_whole() -> None:
    reader, provider = fast()
    meter = provider.get_meter(OURS)
    counter, histogram = meter.create_counter("busy"), meter.create_histogram("busy.wait")
    done = threading.Event()

    def work(worker: int) -> None:
        number = 0
        while not done.is_set():
            number += 1
            counter.add(1, {"worker": str(worker), "series": str(number % 50)})
            histogram.record(number % 7, {"worker": str(worker), "series": str(number % 50)})

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(20):
            for family in text_string_to_metric_families(reader.render()[0].decode()):
                if family.name == "busy_wait":
                    count = {str(one.labels): one.value for one in family.samples if one.name == "busy_wait_count"}
                    for one in family.samples:
                        if one.labels.pop("le", "") == "+Inf":
                            assert one.value == count[str(one.labels)]
    finally:
        done.set()
        for thread in threads:
            thread.join()


def test_a_reader_that_takes_snapshots_says_once_who_it_is(caplog: pytest.LogCaptureFixture) -> None:
    reader, provider = fast()
    provider.get_meter(OURS).create_counter("ours").add(1)
    provider.get_meter("other").create_counter("theirs").add(1)
    text = reader.render()[0].decode()
    assert text.count('target_info{service_name="a router"} 1.0') == 1
    assert text.index("target_info") < text.index("theirs_total") < text.index("ours_total")
    assert caplog.text == ""
