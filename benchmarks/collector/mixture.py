"""What the Collector costs with what routers send: three spans to two log records, through an agent and through a gateway."""

# protobuf's messages have no types.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from benchmarks.collector.running import running, settings
from benchmarks.collector.sending import request
from benchmarks.collector.throughput import Backends, measure

RATES: Final = (1_000, 5_000)
SHAPES: Final = {
    "`base` + `agent`": ("agent",),
    "`base` + `gateway` + `loki` + `traces` + `prometheus-otlp`": ("gateway", "loki", "traces", "prometheus-otlp"),
}
_ROUTED: Final = 10
"""Routed requests in a request of OTLP."""
_SPANS: Final = 3
_LOGS: Final = 2
_TOKEN: Final = "token"  # of a Collector on loopback that lives for seconds


def run(directory: Path, *, seconds: float = 10.0, rates: tuple[int, ...] = RATES) -> list[dict[str, Any]]:
    """Send requests of 30 spans and of 20 log records in turn, over one connection in a loop.

    Returns:
        As `throughput.run`; records are spans and log records.
    """
    found: list[dict[str, Any]] = []
    with Backends() as backends:
        to = {f"LLM_ROUTER_COLLECTOR_{name}": backends.url for name in ("GATEWAY", "LOKI", "TRACES", "PROMETHEUS_OTLP")}
        # Traces are decided on within the measurement, and all of them kept: the dearest case.
        deciding = {"LLM_ROUTER_COLLECTOR_DECISION_WAIT": "1s", "LLM_ROUTER_COLLECTOR_TRACES_PERCENT": "100"}
        variables = {**to, **deciding, "LLM_ROUTER_COLLECTOR_GATEWAY_TOKEN": _TOKEN}
        for shape, names in SHAPES.items():
            for rate in rates:
                # Each trace comes once.
                pairs = int(rate * seconds / (_ROUTED * (_SPANS + _LOGS))) + 1
                bodies = [body for number in range(pairs) for body in _bodies(number)]
                chosen = settings(directory / f"{len(found)}", names, variables)
                with running(chosen, directory / f"{len(found)}.log") as collector:
                    figures = measure(
                        chosen.otlp_http,
                        collector,
                        bodies,
                        _ROUTED * (_SPANS + _LOGS) // 2,
                        rate,
                        seconds,
                        {"authorization": f"Bearer {_TOKEN}"},
                    )
                found.append({"files": shape, "rate": rate, **figures})
    return found


def _bodies(number: int) -> list[tuple[str, bytes]]:
    ids = [f"{number}-{one}" for one in range(_ROUTED * _LOGS)]
    return [("/v1/traces", _spans(number)), ("/v1/logs", request(ids))]


def _spans(number: int) -> bytes:
    """Encode the spans of some routed requests, about 400 bytes each: the server's, the route's, one call's."""
    message: Any = ExportTraceServiceRequest()
    resource = message.resource_spans.add()
    resource.resource.attributes.add(key="service.name").value.string_value = "router"
    scope = resource.scope_spans.add()
    scope.scope.name = "otel_llm_router"
    now = time.time_ns()
    for routed in range(_ROUTED):
        for place, name in enumerate(("POST /v1/chat/completions", "route smart", "chat gpt-4o-mini")):
            span = scope.spans.add(
                name=name,
                trace_id=(number * _ROUTED + routed + 1).to_bytes(16, "big"),
                span_id=(place + 1).to_bytes(8, "big"),
                parent_span_id=place.to_bytes(8, "big") if place else b"",
                start_time_unix_nano=now,
                end_time_unix_nano=now + 10**9,
            )
            for key in ("http.route", "llm_router.strategy", "gen_ai.request.model", "llm_router.deployment", "note"):
                span.attributes.add(key=key).value.string_value = f"{key} is said here in forty letters"
    return message.SerializeToString()
