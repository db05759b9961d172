"""The names of OpenTelemetry that are not public, and what we rely on of each."""

from __future__ import annotations

import gc
import threading
from typing import Any

import pytest
from opentelemetry._logs import LogRecord
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpanExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ParentBased
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode

from otel_llm_router import _otel_compat as compat


def test_exporters_come_from_the_standard_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "otlp,console")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
    assert compat.exporter_names("traces") == ["otlp_proto_http", "console"]
    traces, metrics, logs = compat.import_exporters(["otlp_proto_http"], ["otlp_proto_http"], ["otlp_proto_http"])
    assert traces["otlp_proto_http"] is OTLPSpanExporter
    assert metrics["otlp_proto_http"] is OTLPMetricExporter
    assert len(logs) == 1
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    assert compat.exporter_names("traces") == []


def test_sampler_and_id_generator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0.25")
    sampler = compat.import_sampler(compat.sampler_name())
    assert isinstance(sampler, ParentBased)
    assert "0.25" in sampler.get_description()
    assert isinstance(compat.import_id_generator(compat.id_generator_name()), RandomIdGenerator)


def test_the_prometheus_exporters_rules_for_names() -> None:
    assert compat.map_unit("s") == "seconds"
    assert compat.map_unit("By") == "bytes"
    assert compat.map_unit("{request}") == ""
    assert compat.sanitize_full_name("a.b-c") == "a_b_c"
    assert compat.sanitize_attribute("a.b") == "a_b"


def test_what_an_exporter_says_about_itself() -> None:
    exporter = OTLPMetricExporter(endpoint="http://collector:4318/v1/metrics")
    assert compat.endpoint_of(exporter) == "http://collector:4318/v1/metrics"
    temporality = compat.metric_preferences(exporter)["preferred_temporality"]
    assert set(temporality.values()) <= {AggregationTemporality.CUMULATIVE, AggregationTemporality.DELTA}
    assert compat.endpoint_of(object()) == ""


def test_a_configurator_can_be_built_on() -> None:
    assert issubclass(compat.BaseConfigurator, object)
    assert hasattr(compat.BaseConfigurator, "configure")


def test_what_a_span_and_an_event_hold() -> None:
    context, parent = SpanContext(1, 2, is_remote=False), SpanContext(1, 3, is_remote=True)
    event, link, status = Event("event", {"a": 1}, 5), Link(parent), Status(StatusCode.OK)
    span = ReadableSpan("span", context, parent, None, {"a": 1}, [event], [link], SpanKind.CLIENT, None, status, 6, 7)
    expected = (context, parent, "span", SpanKind.CLIENT, status, 6, 7, {"a": 1}, [event], [link])
    assert compat.span_content(span) == expected
    assert compat.event_content(event) == ("event", 5, {"a": 1})


def test_where_an_exporter_encodes() -> None:
    over_http, over_grpc = OTLPSpanExporter("http://127.0.0.1:1"), GrpcSpanExporter("http://127.0.0.1:1")
    assert compat.span_encoding_of(over_http) == "export"
    assert compat.span_encoding_of(over_grpc) == "_translate_data"
    assert compat.span_encoding_of(OTLPMetricExporter("http://127.0.0.1:1")) is None
    assert compat.span_encoding_of(object()) is None
    compat.use_span_encoding(over_grpc, "_translate_data", len)
    assert over_grpc._translate_data([]) == 0  # pyright: ignore[reportPrivateUsage]
    over_grpc.shutdown()  # pyright: ignore[reportUnknownMemberType]


def test_who_a_providers_metrics_are_from() -> None:
    resource = Resource({"service.name": "a"})
    assert compat.resource_of(MeterProvider(resource=resource, shutdown_on_exit=False)) is resource


def test_how_an_exporter_connects() -> None:
    plain, encrypted = GrpcSpanExporter("http://127.0.0.1:1"), GrpcSpanExporter("https://127.0.0.1:1")
    assert compat.insecure(plain)
    assert not compat.insecure(encrypted)
    for exporter in (plain, encrypted):
        exporter.shutdown()  # pyright: ignore[reportUnknownMemberType]


def test_the_encoder_of_logs() -> None:
    record = ReadableLogRecord(LogRecord(body="said"), Resource({"service.name": "a"}))
    assert compat.encode_logs([record]).resource_logs[0].scope_logs[0].log_records[0].body.string_value == "said"


def test_a_resource_changes_wherever_it_is_held() -> None:
    resource = Resource({"service.name": "a", "service.instance.id": "1"})
    tracers = TracerProvider(resource=resource, shutdown_on_exit=False)
    compat.change_resource(resource, {"service.instance.id": "2"})
    assert dict(tracers.resource.attributes) == {"service.name": "a", "service.instance.id": "2"}


def test_the_sdk_begins_again() -> None:
    reader = InMemoryMetricReader()
    meters = MeterProvider([reader], shutdown_on_exit=False)
    counter = meters.get_meter("m").create_counter("c")
    counter.add(5)
    held = [lock for lock in gc_locks(meters) if lock.acquire(blocking=False)]
    assert len(held) > 3, "what a thread of the parent's may hold"
    compat.begin_again([meters])
    counter.add(2)
    data = reader.get_metrics_data()
    assert data is not None
    (point,) = data.resource_metrics[0].scope_metrics[0].metrics[0].data.data_points
    assert getattr(point, "value", None) == 2
    meters.shutdown()


def gc_locks(provider: object) -> list[Any]:
    """Every lock that the SDK's objects behind a provider hold."""
    found: list[Any] = []
    waiting: list[Any] = [provider]
    seen: set[int] = set()
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if type(one) is type(threading.Lock()):
            found.append(one)
        elif isinstance(one, (dict, list, tuple, set)) or type(one).__module__.startswith("opentelemetry.sdk.metrics"):
            waiting.extend(gc.get_referents(one))
    return found


@pytest.mark.skipif(
    not hasattr(MeterProvider, "add_metric_reader"), reason="an SDK that takes a configuration file has it"
)
def test_a_reader_that_is_added_later_is_flushed_and_ended() -> None:
    class Told(InMemoryMetricReader):
        said: list[str]

        def force_flush(self, timeout_millis: float = 10_000) -> bool:  # the interface's
            self.said.append("flush")
            return True

        def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
            self.said.append("shutdown")
            super().shutdown(timeout_millis, **kwargs)  # pyright: ignore[reportUnknownMemberType]

    reader = Told()
    reader.said = []
    meters = MeterProvider(shutdown_on_exit=False)
    compat.add_reader(meters, reader)
    meters.get_meter("m").create_counter("c").add(2)
    assert reader.get_metrics_data() is not None
    meters.force_flush()
    meters.shutdown()
    assert reader.said == ["flush", "shutdown"]


@pytest.mark.parametrize("signal", ["traces", "metrics", "logs"])
def test_exporters_and_readers_of_a_configuration_file(signal: Any) -> None:
    models: Any = pytest.importorskip("opentelemetry.configuration.models", reason="OpenTelemetry has it since 1.44")
    of_metrics = signal == "metrics"
    otlp = (models.OtlpHttpMetricExporter if of_metrics else models.OtlpHttpExporter)(endpoint="http://c:1/v1")
    holder = {"traces": "SpanExporter", "metrics": "PushMetricExporter", "logs": "LogRecordExporter"}[signal]
    exporter = compat.file_exporter(signal, getattr(models, holder)(otlp_http=otlp))
    assert compat.endpoint_of(exporter) == "http://c:1/v1"
    if of_metrics:
        limits = compat.file_limits(models.CardinalityLimits(default=7))
        assert limits is None or set(limits.values()) == {7}
        assert compat.file_limits(None) is None
        with pytest.raises(Exception, match="pull metric exporter"):
            compat.file_reader(models.PullMetricReader(exporter=models.PullMetricExporter()))
