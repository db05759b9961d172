"""An OTLP receiver inside the demonstration: counts what the gateway delivers.

Room: `cli`. OTLP over HTTP comes in; the latest metrics under their Prometheus names, and the number
of spans and log events of each kind, go out. With ``--collector`` a real Collector takes its place.
"""

from __future__ import annotations

import asyncio
import gzip
import socket
import threading
from collections import Counter, deque
from collections.abc import Callable
from typing import Any, Final

import uvicorn
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from otel_llm_router import signals
from otel_llm_router.cli.demo._samples import Samples

_NAMES: Final = {instrument.name: instrument.prometheus_name for instrument in signals.INSTRUMENTS}
MAX_KEPT: Final = 1000
"""Spans, and log records, kept whole; the latest ones."""
_PROTOBUF: Final = "application/x-protobuf"
_KINDS: Final = {1: "internal", 2: "server", 3: "client"}


class Receiver:
    """An OTLP receiver in a thread of its own."""

    def __init__(self) -> None:
        self.spans: Counter[str] = Counter()
        self.kept_spans: deque[Any] = deque(maxlen=MAX_KEPT)
        self.events: Counter[str] = Counter()
        self.kept_logs: deque[tuple[str, Any]] = deque(maxlen=MAX_KEPT)
        self._metrics: dict[str, Any] = {}
        self._lock = threading.Lock()
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> str:
        """Begin to receive; return the endpoint."""
        app = Starlette(
            routes=[
                Route(
                    "/v1/metrics", self._endpoint(self._take_metrics, ExportMetricsServiceResponse), methods=["POST"]
                ),
                Route("/v1/traces", self._endpoint(self._take_traces, ExportTraceServiceResponse), methods=["POST"]),
                Route("/v1/logs", self._endpoint(self._take_logs, ExportLogsServiceResponse), methods=["POST"]),
            ]
        )
        listening = socket.socket()
        listening.bind(("127.0.0.1", 0))
        self._server = uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False, lifespan="off"))
        self._thread = threading.Thread(
            target=self._server.run, args=([listening],), name="demo-otlp-receiver", daemon=True
        )
        self._thread.start()
        return f"http://127.0.0.1:{listening.getsockname()[1]}"

    def stop(self) -> None:
        """End."""
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._thread.join(5)

    def samples(self) -> Samples:
        """Return the latest metrics, under their Prometheus names."""
        samples = Samples()
        with self._lock:
            for metric in self._metrics.values():
                _add(samples, metric)
        return samples

    @staticmethod
    def _endpoint(take: Callable[[bytes], None], answer: Any) -> Any:
        async def endpoint(request: Request) -> Response:
            body = await request.body()
            if request.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            await asyncio.to_thread(take, body)
            return Response(answer().SerializeToString(), media_type=_PROTOBUF)

        return endpoint

    def _take_metrics(self, body: bytes) -> None:
        with self._lock:
            for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                for scope in resource.scope_metrics:
                    for metric in scope.metrics:
                        if metric.name in _NAMES:
                            self._metrics[metric.name] = metric

    def _take_traces(self, body: bytes) -> None:
        with self._lock:
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                for scope in resource.scope_spans:
                    for span in scope.spans:
                        self.spans[_KINDS.get(span.kind, "other")] += 1
                        self.kept_spans.append(span)

    def _take_logs(self, body: bytes) -> None:
        with self._lock:
            for resource in ExportLogsServiceRequest.FromString(body).resource_logs:
                for scope in resource.scope_logs:
                    for record in scope.log_records:
                        self.events[record.event_name] += 1
                        self.kept_logs.append((scope.scope.name, record))


def _add(samples: Samples, metric: Any) -> None:
    name = _NAMES[metric.name]
    kind = metric.WhichOneof("data")
    for point in getattr(metric, kind).data_points:
        labels = {attribute.key.replace(".", "_"): attribute.value.string_value for attribute in point.attributes}
        if kind == "histogram":
            samples.add(f"{name}_count", labels, point.count)
            samples.add(f"{name}_sum", labels, point.sum)
        else:
            samples.add(name, labels, getattr(point, point.WhichOneof("value")))
