"""An OTLP receiver in a process of its own: counts what each run delivers, by its first path element.

Started by the parent as ``python -m benchmarks.sink``; the first line on stdout is ``{"port": N}``. A run
exports to ``http://127.0.0.1:N/RUN``; ``GET /RUN`` answers with its counts: spans and log records by
scope, and the total of each metric.
"""

from __future__ import annotations

import gzip
import json
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

_lock = Lock()
_counts: dict[str, dict[str, Counter[str]]] = {}


def _take(run: str, signal: str, body: bytes) -> None:
    with _lock:
        counts = _counts.setdefault(run, {"spans": Counter(), "logs": Counter(), "metrics": Counter()})
        if signal == "traces":
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                for scope in resource.scope_spans:
                    counts["spans"][scope.scope.name] += len(scope.spans)
        elif signal == "logs":
            for resource in ExportLogsServiceRequest.FromString(body).resource_logs:
                for scope in resource.scope_logs:
                    counts["logs"][scope.scope.name] += len(scope.log_records)
        elif signal == "metrics":
            for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                for metric in (metric for scope in resource.scope_metrics for metric in scope.metrics):
                    counts["metrics"][metric.name] = _total(metric)


def _total(metric: Any) -> Any:
    """Return the records of a histogram, or the sum of a counter or gauge, over all series (cumulative)."""
    kind = metric.WhichOneof("data")
    points = getattr(metric, kind).data_points
    if kind in {"histogram", "exponential_histogram"}:
        return sum(point.count for point in points)
    return sum(getattr(point, point.WhichOneof("value")) for point in points)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:  # http.server's name
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        run, _, rest = self.path.strip("/").partition("/")
        _take(run, rest.rpartition("/")[2], body)
        self._answer(b"", "application/x-protobuf")

    def do_GET(self) -> None:  # http.server's name
        with _lock:
            body = json.dumps(_counts.get(self.path.strip("/"), {})).encode()
        self._answer(body, "application/json")

    def _answer(self, body: bytes, content_type: str) -> None:
        self.send_response(200)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # http.server's name
        """Stay silent."""


def main() -> None:
    """Serve until the process is ended."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    print(json.dumps({"port": server.server_address[1]}), flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
