"""OTLP over gRPC: the same application, another protocol, the same numbers."""

# grpcio and the generated services have no types.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUntypedBaseClass=false

from __future__ import annotations

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import httpx
import pytest
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as logs
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2_grpc as logs_grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2_grpc as metrics_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as traces
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as traces_grpc

from test_ten_lines import eventually, question


class Service:
    """One of the three services: what arrives over gRPC goes on to the receiver, byte for byte.

    Args:
        url: Where the receiver takes this signal over HTTP.
        answer: What a sender is answered.
    """

    def __init__(self, url: str, answer: Any) -> None:
        self._url = url
        self._answer = answer
        self.calls = 0

    def Export(self, request: Any, _context: Any) -> Any:  # noqa: N802  # the protocol's name
        self.calls += 1
        httpx.post(self._url, content=request.SerializeToString()).raise_for_status()
        return self._answer()


@pytest.fixture
def over_grpc(receiver: Any) -> Generator[tuple[Any, str, dict[str, Service]]]:
    """A gRPC server on a real socket, its endpoint, and its services by signal."""
    found, endpoint = receiver
    services = {
        "metrics": Service(f"{endpoint}/v1/metrics", metrics.ExportMetricsServiceResponse),
        "traces": Service(f"{endpoint}/v1/traces", traces.ExportTraceServiceResponse),
        "logs": Service(f"{endpoint}/v1/logs", logs.ExportLogsServiceResponse),
    }
    server = grpc.server(ThreadPoolExecutor(4))
    metrics_grpc.add_MetricsServiceServicer_to_server(services["metrics"], server)
    traces_grpc.add_TraceServiceServicer_to_server(services["traces"], server)
    logs_grpc.add_LogsServiceServicer_to_server(services["logs"], server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield found, f"http://127.0.0.1:{port}", services
    server.stop(grace=None).wait()


def test_the_same_numbers_arrive(application: Any, providers: Any, over_grpc: Any) -> None:
    found, endpoint, services = over_grpc
    variables = {
        "UPSTREAM": f"{providers['alpha'].base}/v1",
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
        "OTEL_BSP_SCHEDULE_DELAY": "200",
        "OTEL_BLRP_SCHEDULE_DELAY": "200",
    }
    app = application("ten_lines", variables=variables)
    failing = ({"status": 500}, {"status": 429, "retry_after": 0}, {"completion_tokens": 5})
    assert httpx.post(f"{app.base}/ask/a", params=question(*failing), timeout=60).status_code == 200
    assert httpx.post(f"{app.base}/ask/b", params=question({"completion_tokens": 7}), timeout=60).status_code == 200
    assert httpx.post(f"{app.base}/ask/c", params=question({"status": 400}), timeout=60).status_code == 500

    scrape, record = app.scrape(), providers["alpha"].record
    assert scrape.sum("llm_router_inference_total", status="success") == 2
    assert scrape.sum("llm_router_inference_total", status="error") == 1
    # Whether a 400 is tried again differs between LiteLLM's versions.
    assert scrape.sum("llm_router_attempts_total") == record["attempts"] >= 5
    assert scrape.sum("llm_router_tokens_total", type="output") == record["tokens.output"] == 12
    names = (
        "llm_router_inference_total",
        "llm_router_inference_duration_seconds_count",
        "llm_router_attempts_total",
        "llm_router_tokens_total",
        "llm_router_http_requests_total",
    )
    assert eventually(lambda: all(found.samples().series(name) == scrape.series(name) for name in names))
    spans = {
        "server": 4,
        "internal": 3,
        "client": record["attempts"],
    }  # the fourth is the page that the test waited for
    assert eventually(lambda: found.spans == spans)
    assert eventually(lambda: found.events["llm_router.inference.error"] == 1)
    assert all(service.calls for service in services.values())


def test_what_is_buffered_leaves_when_the_server_is_stopped(application: Any, providers: Any, over_grpc: Any) -> None:
    found, endpoint, _ = over_grpc
    slow = {"OTEL_METRIC_EXPORT_INTERVAL": "3600000", "OTEL_BSP_SCHEDULE_DELAY": "3600000"}
    variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", **slow}
    app = application("ten_lines", variables={"UPSTREAM": f"{providers['alpha'].base}/v1", **variables})
    for _ in range(10):
        assert httpx.post(f"{app.base}/ask/a", params=question({}), timeout=60).status_code == 200
    assert found.spans["client"] == 0
    app.stop()
    assert found.spans["client"] == 10
    assert found.samples().sum("llm_router_inference_total", status="success") == 10


def test_a_collector_that_is_not_there_is_said_once(application: Any, providers: Any) -> None:
    variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
    variables |= {"OTEL_BSP_SCHEDULE_DELAY": "100", "OTEL_EXPORTER_OTLP_TIMEOUT": "1"}
    app = application("ten_lines", variables={"UPSTREAM": f"{providers['alpha'].base}/v1", **variables})
    for _ in range(5):
        assert httpx.post(f"{app.base}/ask/a", params=question({}), timeout=60).status_code == 200
    assert eventually(lambda: app.scrape().sum("llm_router_telemetry_export_failures_total") > 2)
    assert app.said().count("cannot deliver") == 1
    assert "Traceback" not in app.said()
    app.stop()
