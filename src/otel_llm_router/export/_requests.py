"""Requests of OTLP as bytes: in two, when one is too large.

Room: `export`.
"""

from __future__ import annotations

from typing import Any, Final

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otel_llm_router.export._destination import Signal

MAX_REQUEST: Final = 3_670_016
"""Bytes of a request, 3.5 MiB: below the 4 MiB that gRPC servers take unless they are told otherwise."""

_SHAPES: Final[dict[Signal, tuple[Any, str, str, str]]] = {
    "traces": (ExportTraceServiceRequest, "resource_spans", "scope_spans", "spans"),
    "logs": (ExportLogsServiceRequest, "resource_logs", "scope_logs", "log_records"),
    "metrics": (ExportMetricsServiceRequest, "resource_metrics", "scope_metrics", "metrics"),
}


def halves(signal: Signal, content: bytes) -> list[tuple[bytes, int]]:
    """Return two requests with the records of one, each with their number; one alone when it cannot be less."""
    made_by, of_resource, of_scope, of_record = _SHAPES[signal]
    whole = made_by.FromString(content)
    records = [
        (resource, scope, record)
        for resource in getattr(whole, of_resource)
        for scope in getattr(resource, of_scope)
        for record in getattr(scope, of_record)
    ]
    middle = len(records) // 2
    if not middle:
        return [(content, len(records))]
    requests: list[tuple[bytes, int]] = []
    for part in (records[:middle], records[middle:]):
        request = made_by()
        last: tuple[Any, Any] = (None, None)
        into: Any = None
        for resource, scope, record in part:
            if resource is not last[0]:
                outer = getattr(request, of_resource).add(schema_url=resource.schema_url)
                outer.resource.CopyFrom(resource.resource)
            if scope is not last[1]:
                into = getattr(outer, of_scope).add(schema_url=scope.schema_url)  # pyright: ignore[reportPossiblyUnboundVariable]
                into.scope.CopyFrom(scope.scope)
            getattr(into, of_record).append(record)
            last = resource, scope
        requests.append((request.SerializeToString(), len(part)))
    return requests
