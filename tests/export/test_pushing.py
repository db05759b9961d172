"""What leaves over OTLP, in the standard exporters' place: over real sockets, to collectors that misbehave."""

# grpcio and protobuf's messages have no types.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

import itertools
import logging
import time
import tracemalloc
from collections.abc import Callable, Generator
from contextlib import nullcontext
from typing import Any

import pytest
from accounts import Accounts
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo
from opentelemetry._logs import LogRecord
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcLogExporter
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as GrpcMetricExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpanExporter
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider

from benchmarks.faults.collectors import GrpcCollector, HttpCollector, SilentPort
from otel_llm_router.export import _delivery
from otel_llm_router.export._ending import Ending
from otel_llm_router.export._pushing import Pushing
from otel_llm_router.export._reporter import Reporter

EXPORTERS: dict[str, tuple[Any, Any, Any]] = {
    "http": (OTLPSpanExporter, OTLPLogExporter, OTLPMetricExporter),
    "grpc": (GrpcSpanExporter, GrpcLogExporter, GrpcMetricExporter),
}


class Sdk:
    """Providers whose signals go to one collector; each record has a name of its own."""

    def __init__(self, protocol: str, endpoint: str, **limits: Any) -> None:
        self.accounts, self.ending, self.problems = Accounts(), Ending(), list[str]()
        self.pushing = Pushing(Reporter(self.accounts), lambda _name: nullcontext(), self.ending, **limits)
        of_http = protocol == "http"
        spans, logs, metrics = (
            made_by(endpoint + (f"/v1/{signal}" if of_http else ""))
            for made_by, signal in zip(EXPORTERS[protocol], ("traces", "logs", "metrics"), strict=True)
        )
        self.tracers = TracerProvider(shutdown_on_exit=False)
        self.tracers.add_span_processor(self.pushing.spans(spans, self.problems, "own"))
        self.loggers = LoggerProvider(shutdown_on_exit=False)
        self.loggers.add_log_record_processor(self.pushing.logs(logs, self.problems))
        self._metric_exporter = metrics
        self.metered: MeterProvider | None = None
        self._names = itertools.count()

    def meter(self) -> Any:
        reader = self.pushing.metrics(self._metric_exporter, self.problems)
        assert reader is not None
        self.metered = MeterProvider([reader], shutdown_on_exit=False)
        return self.metered.get_meter("m")

    def emit(self, number: int, **attributes: Any) -> None:
        tracer, logger = self.tracers.get_tracer("own"), self.loggers.get_logger("l")
        for _ in range(number):
            name = str(next(self._names))
            tracer.start_span(name, attributes=attributes).end()
            logger.emit(LogRecord(body=name, attributes=attributes))

    def flush(self, seconds: float = 20) -> bool:
        return all(one.force_flush(int(seconds * 1000)) for one in (self.tracers, self.loggers))

    def close(self, seconds: float = 5) -> None:
        self.ending.begin(seconds)
        for one in (self.tracers, self.loggers, *([self.metered] if self.metered else [])):
            one.shutdown()


@pytest.fixture
def to() -> Generator[Callable[..., Sdk]]:
    made: list[Sdk] = []

    def make(protocol: str, endpoint: str, **limits: Any) -> Sdk:
        made.append(Sdk(protocol, endpoint, **limits))
        return made[-1]

    yield make
    for one in made:
        one.close(0)


@pytest.fixture(params=["http", "grpc"])
def protocol(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def collector(protocol: str) -> Generator[Any]:
    made = HttpCollector() if protocol == "http" else GrpcCollector()
    made.start()
    yield made
    made.stop()


@pytest.fixture
def over_http() -> Generator[HttpCollector]:
    made = HttpCollector()
    made.start()
    yield made
    made.stop()


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short pauses: what is waited for is the same."""
    monkeypatch.setattr(_delivery, "FIRST_PAUSE", 0.02)
    monkeypatch.setattr(_delivery, "LONGEST_PAUSE", 0.1)
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
    monkeypatch.setenv("OTEL_BLRP_SCHEDULE_DELAY", "50")


def endpoint(collector: Any) -> str:
    return f"http://127.0.0.1:{collector.port}"


def exactly_once(collector: Any, number: int) -> bool:
    wanted = dict.fromkeys(map(str, range(number)), 1)
    return collector.taken.span_names() == wanted and collector.taken.log_bodies() == wanted


def test_everything_arrives_once(
    protocol: str, collector: Any, to: Callable[..., Sdk], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-team=a")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
    sdk = to(protocol, endpoint(collector))
    sdk.emit(1500, some="attribute")
    sdk.meter().create_counter("c").add(7)
    assert sdk.flush()
    assert exactly_once(collector, 1500)
    assert sdk.accounts.arrived == {"traces": 1500, "logs": 1500}
    sdk.emit(1)
    sdk.close()
    assert exactly_once(collector, 1501)
    assert collector.taken.sums("c") == {(): 7}
    assert sdk.accounts.balanced()
    assert not sdk.accounts.failures
    if protocol == "grpc":
        assert collector.metadata[0]["x-team"] == "a"
    else:
        assert collector.connections <= 3, "a connection for each signal is kept"


def test_an_outage_loses_nothing(
    protocol: str, collector: Any, to: Callable[..., Sdk], caplog: pytest.LogCaptureFixture
) -> None:
    sdk = to(protocol, endpoint(collector))
    sdk.emit(10)
    assert sdk.flush()
    collector.stop()
    for _ in range(4):
        sdk.emit(600)
        time.sleep(0.05)
    assert not sdk.flush(0.2)
    assert sdk.accounts.failures["traces", "refused"]
    collector.start()
    assert sdk.flush()
    assert exactly_once(collector, 2410)
    assert sdk.accounts.balanced()
    assert not sdk.accounts.lost
    said = [record.getMessage() for record in caplog.records if record.name == "otel_llm_router"]
    assert sum("cannot deliver" in one for one in said) == 1
    assert sum("answers again" in one for one in said) == 1


@pytest.mark.parametrize("mode", ["503", "429"])
def test_what_the_collector_puts_off_is_sent_when_it_says(
    over_http: HttpCollector, to: Callable[..., Sdk], mode: str
) -> None:
    over_http.mode, over_http.headers = mode, {"retry-after": "1"}
    sdk = to("http", endpoint(over_http))
    began = time.monotonic()
    sdk.tracers.get_tracer("t").start_span("0").end()
    while not over_http.requests:
        time.sleep(0.01)
    over_http.mode = "ok"
    while not sdk.accounts.arrived:
        time.sleep(0.01)
    assert time.monotonic() - began >= 1
    assert over_http.requests == 2
    assert sdk.accounts.failures == {("traces", "rejected"): 1}


@pytest.mark.parametrize("code", ["UNAVAILABLE", "RESOURCE_EXHAUSTED"])
def test_what_a_grpc_server_puts_off_is_sent_when_it_says(to: Callable[..., Sdk], code: str) -> None:
    collector = GrpcCollector(code)
    collector.trailers = (
        ("google.rpc.retryinfo-bin", RetryInfo(retry_delay=Duration(nanos=500_000_000)).SerializeToString()),
    )
    sdk = to("grpc", collector.start())
    began = time.monotonic()
    sdk.tracers.get_tracer("t").start_span("0").end()
    while not collector.requests:
        time.sleep(0.01)
    collector.mode = "ok"
    while not sdk.accounts.arrived:
        time.sleep(0.01)
    assert time.monotonic() - began >= 0.5
    assert collector.requests == 2
    collector.stop()


def test_the_libraries_of_the_way_out_log_nothing_of_it(
    protocol: str,
    collector: Any,
    to: Callable[..., Sdk],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A root logger that exports at level DEBUG would export about each export, and handlers would see its keys."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-api-key=a-secret")
    with caplog.at_level(logging.DEBUG):
        sdk = to(protocol, endpoint(collector))
        sdk.emit(5)
        assert sdk.flush()
        assert len(collector.taken.spans()) == len(collector.taken.logs()) == 5
    said = [one for one in caplog.records if not one.name.startswith(("grpc", "asyncio"))]  # the collector is here too
    assert [(one.name, one.getMessage()) for one in said] == []


def test_who_hangs_is_not_given_one_copy_after_the_other(
    protocol: str, collector: Any, to: Callable[..., Sdk], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.2")
    collector.mode = "hang"
    sdk = to(protocol, endpoint(collector))
    sdk.emit(5)
    while sdk.accounts.failures["traces", "timeout"] < 3 or sdk.accounts.failures["logs", "timeout"] < 3:
        time.sleep(0.01)
    collector.mode = "ok"
    assert sdk.flush()
    # The first one may have arrived; in this collector's case it did not.
    assert sdk.accounts.again["traces"] <= 5
    assert exactly_once(collector, 5)
    assert sdk.accounts.balanced()


@pytest.mark.parametrize(("mode", "reason"), [("302", "redirect"), ("400", "rejected"), ("404", "rejected")])
def test_what_is_never_taken_is_counted(
    over_http: HttpCollector, to: Callable[..., Sdk], monkeypatch: pytest.MonkeyPatch, mode: str, reason: str
) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "3600000")
    monkeypatch.setenv("OTEL_BLRP_SCHEDULE_DELAY", "3600000")
    over_http.mode, over_http.headers = mode, {"location": f"{endpoint(over_http)}/login"}
    sdk = to("http", endpoint(over_http))
    sdk.emit(3)
    assert sdk.flush()
    assert sdk.accounts.lost == {("traces", reason): 3, ("logs", reason): 3}
    assert over_http.requests == 2
    assert sdk.accounts.balanced()


def test_partial_success_is_counted(protocol: str, collector: Any, to: Callable[..., Sdk]) -> None:
    collector.reject = 2
    sdk = to(protocol, endpoint(collector))
    sdk.emit(5)
    assert sdk.flush()
    assert sdk.accounts.arrived["traces"] + sdk.accounts.lost["traces", "rejected"] == 5
    assert sdk.accounts.lost["traces", "rejected"] >= 2
    assert sdk.accounts.balanced()


@pytest.mark.parametrize(
    ("mode", "reason"),
    [
        ("drip", "delivered"),
        ("huge", "delivered"),
        ("bomb", "delivered"),
        ("http10", "delivered"),
        ("headers", "other"),
        ("garbage", "other"),
        ("cut", "delivered"),
        ("reset", "disconnected"),
        ("swallow", "timeout"),
        ("hang", "timeout"),
    ],
)
def test_a_hostile_answer_costs_an_attempt_and_no_more(
    over_http: HttpCollector, to: Callable[..., Sdk], monkeypatch: pytest.MonkeyPatch, mode: str, reason: str
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.4" if reason == "timeout" else "15")
    over_http.mode = mode
    sdk = to("http", endpoint(over_http))
    tracemalloc.start()
    try:
        began = time.monotonic()
        sdk.tracers.get_tracer("t").start_span(
            "0", attributes={"large": "x" * (900_000 if mode == "swallow" else 9)}
        ).end()
        while not (sdk.accounts.failures or sdk.accounts.arrived):
            time.sleep(0.01)
            assert time.monotonic() - began < 20
        assert tracemalloc.get_traced_memory()[1] < 12_000_000
    finally:
        tracemalloc.stop()
    if reason == "delivered":
        assert sdk.accounts.arrived == {"traces": 1}
        assert not sdk.accounts.failures
    else:
        assert ("traces", reason) in sdk.accounts.failures
        over_http.mode = "ok"
        assert sdk.flush()
    sdk.close(0.5)
    assert sdk.accounts.balanced()


def test_a_port_that_answers_no_connection(to: Callable[..., Sdk], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.3")
    silent = SilentPort()
    sdk = to("http", silent.start())
    sdk.emit(1)
    while not sdk.accounts.failures["traces", "timeout"]:
        time.sleep(0.01)
    began = time.monotonic()
    sdk.close(0.5)
    assert time.monotonic() - began < 5
    assert sdk.accounts.lost == {("traces", "shutdown"): 1, ("logs", "shutdown"): 1}
    silent.stop()


def test_beyond_the_bound_the_oldest_go(over_http: HttpCollector, to: Callable[..., Sdk]) -> None:
    over_http.stop()
    sdk = to("http", endpoint(over_http), limit=1_000_000)
    for _ in range(40):
        sdk.emit(20, large="x" * 2000)
        time.sleep(0.01)
    over_http.start()
    assert sdk.flush()
    arrived = over_http.taken.span_names()
    assert set(arrived.values()) == {1}
    assert "799" in arrived
    assert "0" not in arrived
    assert 100 < len(arrived) < 500
    assert set(sdk.accounts.lost) == {("traces", "queue_full"), ("logs", "queue_full")}
    assert sdk.accounts.arrived["traces"] == len(arrived)
    assert sdk.accounts.balanced()


def test_the_number_that_the_user_sets_bounds_as_well(
    over_http: HttpCollector, to: Callable[..., Sdk], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "100")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "10")
    monkeypatch.setenv("OTEL_BLRP_SCHEDULE_DELAY", "soon")
    over_http.stop()
    sdk = to("http", endpoint(over_http))
    sdk.emit(300)
    over_http.start()
    assert sdk.flush()
    assert 90 <= sdk.accounts.arrived["traces"] <= 110
    assert sdk.accounts.arrived["logs"] == 300
    assert sdk.accounts.balanced()
    assert sdk.problems == [
        "OTEL_BLRP_SCHEDULE_DELAY='soon' is not allowed: it takes a number above 0; 1000 is used",
    ]


def test_a_batch_that_is_too_large_goes_in_pieces(protocol: str, collector: Any, to: Callable[..., Sdk]) -> None:
    sdk = to(protocol, endpoint(collector))
    sdk.emit(12, large="x" * 500_000)
    sdk.emit(1, large="y" * 5_000_000)
    assert sdk.flush()
    assert exactly_once(collector, 13)
    assert collector.taken.largest <= 3.5 * 1024 * 1024
    (cut,) = (one.attributes[0].value.string_value for one in collector.taken.spans() if one.name == "12")
    assert cut.endswith("[cut: 5000000 characters]")
    assert len(cut) < 70_000


def test_what_the_collector_finds_too_large_goes_in_halves(
    over_http: HttpCollector, to: Callable[..., Sdk], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "3600000")
    monkeypatch.setenv("OTEL_BLRP_SCHEDULE_DELAY", "3600000")
    over_http.mode = "413"
    sdk = to("http", endpoint(over_http))
    sdk.emit(8)
    assert sdk.flush()
    assert sdk.accounts.lost == {("traces", "too_large"): 8, ("logs", "too_large"): 8}
    assert over_http.requests >= 2 * 15
    over_http.mode = "ok"
    sdk.emit(1)
    assert sdk.flush()
    assert sdk.accounts.arrived == {"traces": 1, "logs": 1}


def test_a_record_that_nobody_can_encode_costs_no_other(over_http: HttpCollector, to: Callable[..., Sdk]) -> None:
    sdk = to("http", endpoint(over_http))
    sdk.emit(3)
    sdk.tracers.get_tracer("t").start_span("\ud800").end()
    sdk.loggers.get_logger("l").emit(LogRecord(body="\ud800"))
    sdk.emit(3)
    assert sdk.flush()
    assert exactly_once(over_http, 6)
    assert sdk.accounts.lost == {("traces", "encoding"): 1, ("logs", "encoding"): 1}
    assert sdk.accounts.balanced()


def test_metrics_are_made_up_for(protocol: str, collector: Any, to: Callable[..., Sdk], monkeypatch: Any) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.3")
    collector.stop()
    sdk = to(protocol, endpoint(collector))
    meter = sdk.meter()
    counter = meter.create_counter("c")
    counter.add(3)
    assert sdk.metered is not None
    sdk.metered.force_flush(500)
    assert sdk.accounts.failures["metrics", "refused"]
    collector.start()
    counter.add(4)
    meter.create_counter("poisoned").add(2**70)
    assert sdk.metered.force_flush(5000)
    assert collector.taken.sums("c") == {(): 7}
    assert sdk.accounts.failures["metrics", "encoding"] == 1
    assert not sdk.accounts.lost


def test_deltas_that_were_not_taken_are_sent_with_the_next(
    over_http: HttpCollector, to: Callable[..., Sdk], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "delta")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.2")
    over_http.mode = "503"
    sdk = to("http", endpoint(over_http))
    counter = sdk.meter().create_counter("c")
    assert sdk.metered is not None
    for value in (1, 2):
        counter.add(value)
        sdk.metered.force_flush(300)
    over_http.mode = "ok"
    counter.add(4)
    assert sdk.metered.force_flush(5000)
    values = [
        point.as_int
        for message in over_http.taken.messages("metrics")
        for point in message.resource_metrics[0].scope_metrics[0].metrics[0].sum.data_points
    ]
    assert values == [1, 2, 4]


def test_after_the_end_what_comes_is_counted(over_http: HttpCollector, to: Callable[..., Sdk]) -> None:
    sdk = to("http", endpoint(over_http))
    sdk.emit(2)
    sdk.close()
    assert exactly_once(over_http, 2)
    processor: Any = sdk.tracers._active_span_processor  # pyright: ignore[reportPrivateUsage]
    sdk2 = TracerProvider(shutdown_on_exit=False)
    sdk2.add_span_processor(processor)
    sdk2.get_tracer("late").start_span("late").end()
    assert sdk.accounts.lost == {("traces", "shutdown"): 1}
    assert sdk.accounts.balanced()
