"""OTLP exporters over real sockets: what fails is said once and counted."""

from __future__ import annotations

import http.server
import logging
import threading
from collections.abc import Callable, Generator
from typing import Any

import pytest
from accounts import Accounts
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult

from otel_llm_router.export import otlp
from otel_llm_router.export._reporter import Reporter, classify
from otel_llm_router.export.otlp import ReportingMetricExporter, ReportingSpanExporter


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What we said; pytest also listens to loggers that do not propagate."""
    return [record.getMessage() for record in caplog.records if record.name == "otel_llm_router"]


@pytest.fixture(autouse=True)
def quiet_exporters() -> Generator[None]:
    noisy = logging.getLogger("opentelemetry.exporter.otlp")
    handlers, propagate = list(noisy.handlers), noisy.propagate
    otlp.silence_exporters()
    yield
    noisy.handlers[:], noisy.propagate = handlers, propagate


@pytest.fixture
def collector() -> Generator[Callable[[int], str]]:
    """A server that answers every request with one status, which can be changed."""
    servers: list[http.server.ThreadingHTTPServer] = []

    def start(status: int) -> str:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["content-length"]))
                self.send_response(answer["status"])
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None: ...  # noqa: A002

        answer["status"] = status
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://user:pass@127.0.0.1:{server.server_address[1]}/v1/traces?api_key=sk-query"

    answer: dict[str, int] = {}
    start.answer = answer  # pyright: ignore[reportFunctionMemberAccess]
    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def spans(number: int) -> Any:
    kept: list[Any] = []

    class Keep(SpanExporter):
        def export(self, spans: Any) -> SpanExportResult:
            kept.extend(spans)
            return SpanExportResult.SUCCESS

    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(Keep()))
    for index in range(number):
        provider.get_tracer("t").start_span(f"span {index}").end()
    return kept


def test_a_refused_connection(caplog: pytest.LogCaptureFixture) -> None:
    accounts = Accounts()
    reporter = Reporter(accounts)
    inner = OTLPSpanExporter(endpoint="http://127.0.0.1:1/v1/traces", timeout=0.3)
    exporter = ReportingSpanExporter(inner, reporter)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert exporter.export(spans(4)) is SpanExportResult.FAILURE
    assert accounts.failures == {("traces", "refused"): 3}
    assert accounts.lost == {("traces", "refused"): 12}
    assert accounts.balanced()
    (message,) = said(caplog)
    assert "http://127.0.0.1:1" in message
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" in message


def test_a_collector_that_refuses_and_then_accepts(collector: Any, caplog: pytest.LogCaptureFixture) -> None:
    accounts = Accounts()
    exporter = ReportingSpanExporter(OTLPSpanExporter(endpoint=collector(401), timeout=1), Reporter(accounts))
    with caplog.at_level(logging.WARNING):
        assert exporter.export(spans(2)) is SpanExportResult.FAILURE
        collector.answer["status"] = 200
        assert exporter.export(spans(2)) is SpanExportResult.SUCCESS
        assert exporter.export(spans(2)) is SpanExportResult.SUCCESS
    assert accounts.lost == {("traces", "rejected"): 2}
    assert accounts.arrived == {"traces": 4}
    assert accounts.balanced()
    first, second = said(caplog)
    assert "answered 401" in first
    assert "answers again" in second
    assert "user" not in caplog.text
    assert "pass" not in caplog.text
    assert "sk-query" not in caplog.text


def test_metrics_are_late_but_not_lost(caplog: pytest.LogCaptureFixture) -> None:
    accounts = Accounts()
    inner = OTLPMetricExporter(endpoint="http://127.0.0.1:1/v1/metrics", timeout=0.2)
    exporter = ReportingMetricExporter(inner, Reporter(accounts))
    provider = MeterProvider(
        metric_readers=[PeriodicExportingMetricReader(exporter, export_interval_millis=3_600_000)],
        shutdown_on_exit=False,
    )
    provider.get_meter("m").create_counter("c").add(1)
    provider.force_flush()
    assert accounts.failures == {("metrics", "refused"): 1}
    assert accounts.lost == {}
    provider.shutdown()


def test_an_exporter_that_raises_has_failed(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(SpanExporter):
        def export(self, spans: Any) -> SpanExportResult:
            raise ValueError("secret")

    accounts = Accounts()
    exporter = ReportingSpanExporter(Broken(), Reporter(accounts))
    assert exporter.export(spans(1)) is SpanExportResult.FAILURE
    assert accounts.lost == {("traces", "other"): 1}
    assert "secret" not in caplog.text


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("HTTPConnectionPool: Max retries (Caused by NewConnectionError: [Errno 111] Connection refused)", "refused"),
        ("StatusCode.UNAVAILABLE", "refused"),
        ("Read timed out.", "timeout"),
        ("StatusCode.DEADLINE_EXCEEDED", "timeout"),
        ("Failed to export spans batch code: 503, reason: Service Unavailable", "rejected"),
        ("Failed to encode span batch: bad", "encoding"),
        ("", "other"),
    ],
)
def test_reasons(words: str, reason: str) -> None:
    assert classify(words) == reason
