"""Our scope and every other one, behind one provider, at every door."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.metrics import Counter, Histogram
from opentelemetry.sdk.metrics import MeterProvider as SdkMeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, ParentBased, Sampler, TraceIdRatioBased
from opentelemetry.trace import NonRecordingSpan, SpanContext, StatusCode, TraceFlags, set_span_in_context

from otel_llm_router.aggregation import MeterProvider, Pipeline, TracerProvider

OURS = "otel_llm_router"


def metrics_of(*readers: InMemoryMetricReader) -> MeterProvider:
    return MeterProvider(
        OURS, Pipeline(), resource=Resource({"service.name": "a"}), metric_readers=readers, shutdown_on_exit=False
    )


def seen(reader: InMemoryMetricReader) -> dict[tuple[str, str], Any]:
    data = reader.get_metrics_data()
    if data is None:
        return {}
    (resource,) = data.resource_metrics
    assert resource.resource.attributes["service.name"] == "a"
    return {
        (scope.scope.name, metric.name): metric.data
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if not metric.name.startswith("otel.sdk")
    }


def test_every_scope_is_at_every_door() -> None:
    first, second, third = (InMemoryMetricReader() for _ in range(3))
    provider = metrics_of(first, second)
    doors = [first, second]
    if hasattr(SdkMeterProvider, "add_metric_reader"):  # since OpenTelemetry 1.42
        provider.add_metric_reader(third)
        doors.append(third)
    for scope in (OURS, "another"):
        provider.get_meter(scope, "1").create_counter("hits").add(3, {"k": "v"})
    for reader in doors:
        found = seen(reader)
        assert set(found) == {(OURS, "hits"), ("another", "hits")}
        for data in found.values():
            (point,) = data.data_points
            assert (point.value, dict(point.attributes), data.is_monotonic) == (3, {"k": "v"}, True)
            assert 0 < point.start_time_unix_nano <= point.time_unix_nano


def test_our_scope_alone_is_enough_to_collect() -> None:
    reader = InMemoryMetricReader()
    metrics_of(reader).get_meter(OURS).create_histogram("wait").record(7)
    (point,) = seen(reader)[OURS, "wait"].data_points
    assert (point.count, point.sum, point.min, point.max) == (1, 7, 7, 7)


def test_values_that_no_sum_recovers_from_are_not_taken() -> None:
    reader = InMemoryMetricReader()
    meter = metrics_of(reader).get_meter(OURS)
    counter, both = meter.create_counter("up"), meter.create_up_down_counter("both")
    for value in (1, float("nan"), float("inf"), -5):
        counter.add(value)
        both.add(value)
    found = seen(reader)
    assert found[OURS, "up"].data_points[0].value == 1
    assert found[OURS, "both"].data_points[0].value == -4


def test_a_reader_that_wants_changes_gets_them_and_the_other_does_not_notice() -> None:
    delta = dict.fromkeys((Counter, Histogram), AggregationTemporality.DELTA)
    changes, whole = InMemoryMetricReader(preferred_temporality=delta), InMemoryMetricReader()
    meter = metrics_of(changes, whole).get_meter(OURS)
    counter, wait = meter.create_counter("hits"), meter.create_histogram("wait")
    totals: list[tuple[float, int]] = []
    for number in (1, 2, 3):
        counter.add(number)
        wait.record(number)
        found = seen(changes)
        assert found[OURS, "hits"].aggregation_temporality is AggregationTemporality.DELTA
        assert [point.value for point in found[OURS, "hits"].data_points] == [number]
        assert [(point.count, point.sum) for point in found[OURS, "wait"].data_points] == [(1, number)]
        data = seen(whole)[OURS, "hits"].data_points[0]
        totals.append((data.value, data.start_time_unix_nano))
    assert [value for value, _ in totals] == [1, 3, 6]
    assert len({start for _, start in totals}) == 1
    assert [key for key in seen(changes) if key[0] == OURS] == []


def test_a_histogram_has_the_span_it_was_recorded_in_as_exemplar() -> None:
    reader, (provider, _) = InMemoryMetricReader(), spans_of()
    wait = metrics_of(reader).get_meter(OURS).create_histogram("wait")
    with provider.get_tracer(OURS).start_as_current_span("outer") as span:
        wait.record(3)
    (exemplar,) = seen(reader)[OURS, "wait"].data_points[0].exemplars
    assert (exemplar.value, exemplar.span_id) == (3, span.get_span_context().span_id)


def spans_of(sampler: Sampler | None = None) -> tuple[TracerProvider, InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    provider = TracerProvider(OURS, Pipeline(), sampler=sampler, shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return provider, exporter


def test_spans_of_both_scopes_are_one_trace() -> None:
    provider, exporter = spans_of()
    theirs, ours = provider.get_tracer("theirs"), provider.get_tracer(OURS, "1")
    with (
        theirs.start_as_current_span("server") as server,
        ours.start_as_current_span("route") as route,
        ours.start_as_current_span("attempt"),
        theirs.start_as_current_span("http"),
    ):
        pass
    assert provider.force_flush()
    spans: dict[str, Any] = {span.name: span for span in exporter.get_finished_spans()}
    parents = {name: span.parent.span_id if span.parent else None for name, span in spans.items()}
    assert parents == {
        "server": None,
        "route": server.get_span_context().span_id,
        "attempt": route.get_span_context().span_id,
        "http": spans["attempt"].context.span_id,
    }
    assert len({span.context.trace_id for span in spans.values()}) == 1
    assert spans["route"].instrumentation_scope is not None
    assert spans["route"].instrumentation_scope.version == "1"


REMOTE = SpanContext(0xA1, 0xB2, is_remote=True, trace_flags=TraceFlags(1))
UNSAMPLED = SpanContext(0xA1, 0xB2, is_remote=True, trace_flags=TraceFlags(0))
LOCAL = SpanContext(0xA1, 0xB2, is_remote=False, trace_flags=TraceFlags(1))
LOCAL_UNSAMPLED = SpanContext(0xA1, 0xB2, is_remote=False, trace_flags=TraceFlags(0))


@pytest.mark.parametrize("parent", [None, REMOTE, UNSAMPLED, LOCAL, LOCAL_UNSAMPLED])
@pytest.mark.parametrize(
    "sampler",
    [
        ALWAYS_ON,
        ALWAYS_OFF,
        TraceIdRatioBased(0.0),
        TraceIdRatioBased(1.0),
        ParentBased(ALWAYS_ON),
        ParentBased(ALWAYS_OFF),
        ParentBased(ALWAYS_ON, local_parent_sampled=ALWAYS_OFF),
        ParentBased(ALWAYS_OFF, local_parent_not_sampled=ALWAYS_ON),
    ],
    ids=lambda sampler: getattr(sampler, "get_description", str)(),
)
def test_sampling_is_what_the_sdk_would_do(sampler: Sampler, parent: SpanContext | None) -> None:
    provider, exporter = spans_of(sampler)
    context = set_span_in_context(NonRecordingSpan(parent)) if parent else None
    made = [provider.get_tracer(scope).start_span("x", context) for scope in ("theirs", OURS)]
    theirs, ours = made
    assert ours.is_recording() is theirs.is_recording()
    assert ours.get_span_context().trace_flags == theirs.get_span_context().trace_flags
    assert ours.get_span_context().is_valid
    if parent:
        assert ours.get_span_context().trace_id == parent.trace_id
    recording = theirs.is_recording()
    for span in made:
        span.end()
    provider.force_flush()
    assert len(exporter.get_finished_spans()) == 2 * recording


def test_any_value_is_made_fit_and_what_comes_after_the_end_is_not_heard() -> None:
    provider, exporter = spans_of()
    unfit: Any = {"big": 2**70, "object": object}
    span: Any = provider.get_tracer(OURS).start_span("bad \ud800 name", attributes=unfit)
    span.set_attribute("text", "bad \ud800 text")
    span.set_attributes({f"many-{number}": number for number in range(500)})
    span.add_event("later", {"list": ["a", "\ud800"]}, timestamp=20)
    span.add_event("earlier", timestamp=10)
    span.set_status(StatusCode.OK)
    span.set_status(StatusCode.ERROR, "too late")
    span.record_exception(ValueError("a secret"))
    span.end()
    span.set_attribute("after", 1)
    span.end()
    provider.force_flush()
    (found,) = exporter.get_finished_spans()
    attributes = dict(found.attributes or {})
    assert found.name == "bad ? name"
    assert (attributes["big"], attributes["text"]) == (str(2**70), "bad ? text")
    assert len(attributes) == 128
    assert [event.name for event in found.events] == ["earlier", "later", "exception"]
    assert found.status.status_code is StatusCode.OK
    assert "secret" not in found.to_json()


def test_shutting_down_delivers_what_has_ended() -> None:
    provider, exporter = spans_of()
    provider.get_tracer(OURS).start_span("last").end()
    provider.shutdown()
    assert [span.name for span in exporter.get_finished_spans()] == ["last"]
    assert isinstance(trace.get_current_span(), NonRecordingSpan)
