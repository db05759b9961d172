"""Instruments of the telemetry about itself: what it lost, bounded, failed at, and what it costs."""

from __future__ import annotations

from typing import Final

from otel_llm_router.signals import attributes as a
from otel_llm_router.signals._model import Instrument, Kind, Merge

SCRAPE_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)

INSTRUMENTATION_DEGRADED = Instrument(
    name="llm_router.instrumentation.degraded",
    prometheus_name="llm_router_instrumentation_degraded",
    kind=Kind.OBSERVABLE_GAUGE,
    unit="{hook}",
    description="1 for each hook of an active instrumentation that is missing or does not fire, else 0.",
    attributes=(a.INSTRUMENTATION, a.HOOK),
    merge=Merge.MAX,
    source="design: telemetry about itself; issue: instrumentation degraded",
)
EMITTED = Instrument(
    name="llm_router.telemetry.emitted",
    prometheus_name="llm_router_telemetry_emitted_total",
    kind=Kind.COUNTER,
    unit="{record}",
    description=(
        "Spans and log records that were left to be exported: those delivered, those dropped, and those that still wait."
    ),
    attributes=(a.SIGNAL,),
    source="design: telemetry about itself; reliability: no silent loss",
)
DELIVERED = Instrument(
    name="llm_router.telemetry.delivered",
    prometheus_name="llm_router_telemetry_delivered_total",
    kind=Kind.COUNTER,
    unit="{record}",
    description="Spans and log records that the collector said it took.",
    attributes=(a.SIGNAL,),
    source="design: telemetry about itself; reliability: no silent loss",
)
RESENT = Instrument(
    name="llm_router.telemetry.resent",
    prometheus_name="llm_router_telemetry_resent_total",
    kind=Kind.COUNTER,
    unit="{record}",
    description="Spans and log records that were sent again although they may have arrived, because nobody answered.",
    attributes=(a.SIGNAL,),
    source="design: telemetry about itself; reliability: at least once",
)
DROPPED = Instrument(
    name="llm_router.telemetry.dropped",
    prometheus_name="llm_router_telemetry_dropped_total",
    kind=Kind.COUNTER,
    unit="{record}",
    description="Telemetry records that were lost, by why.",
    attributes=(a.SIGNAL, a.EXPORT_REASON),
    source="design: telemetry about itself",
)
LOG_LINES_WRITTEN = Instrument(
    name="llm_router.telemetry.log_lines.written",
    prometheus_name="llm_router_telemetry_log_lines_written_total",
    kind=Kind.COUNTER,
    unit="{line}",
    description="Lines written to the log files, or to standard output.",
    attributes=(a.LOG_STREAM,),
    source="design: telemetry about itself; A2: structured logs",
)
LOG_LINES_DROPPED = Instrument(
    name="llm_router.telemetry.log_lines.dropped",
    prometheus_name="llm_router_telemetry_log_lines_dropped_total",
    kind=Kind.COUNTER,
    unit="{line}",
    description="Log records that were to be written to a file and were not, by why.",
    attributes=(a.LOG_STREAM, a.LOG_DROP_REASON),
    source="design: telemetry about itself; A2: structured logs",
)
LABEL_OVERFLOW = Instrument(
    name="llm_router.telemetry.label.overflow",
    prometheus_name="llm_router_telemetry_label_overflow_total",
    kind=Kind.COUNTER,
    unit="{record}",
    description="Records whose label value was beyond its bound and became other.",
    attributes=(a.LABEL,),
    source="design: telemetry about itself",
)
GUARD_ERRORS = Instrument(
    name="llm_router.telemetry.guard.errors",
    prometheus_name="llm_router_telemetry_guard_errors_total",
    kind=Kind.COUNTER,
    unit="{error}",
    description="Errors in our own code that the guard kept from the application.",
    attributes=(a.HOOK,),
    source="design: telemetry about itself",
)
EXPORT_FAILURES = Instrument(
    name="llm_router.telemetry.export.failures",
    prometheus_name="llm_router_telemetry_export_failures_total",
    kind=Kind.COUNTER,
    unit="{export}",
    description="OTLP exports that did not succeed.",
    attributes=(a.SIGNAL, a.EXPORT_REASON),
    source="design: telemetry about itself",
)
SCRAPE_DURATION = Instrument(
    name="llm_router.telemetry.scrape.duration",
    prometheus_name="llm_router_telemetry_scrape_duration_seconds",
    kind=Kind.HISTOGRAM,
    unit="s",
    description="Time a scrape of this process took to answer.",
    buckets=SCRAPE_BUCKETS,
    source="design: telemetry about itself",
)
HEALTH_STATE = Instrument(
    name="llm_router.health.state",
    prometheus_name="llm_router_health_state",
    kind=Kind.OBSERVABLE_GAUGE,
    unit="{state}",
    description="State of the service by its health checks: 0 healthy, 1 degraded, 2 critical.",
    merge=Merge.MAX,
    source="A2: overall state",
)
HEALTH_CHECK_STATE = Instrument(
    name="llm_router.health.check.state",
    prometheus_name="llm_router_health_check_state",
    kind=Kind.OBSERVABLE_GAUGE,
    unit="{state}",
    description="State of a health check: 0 healthy, 1 failed.",
    attributes=(a.CHECK,),
    merge=Merge.MAX,
    source="design: health-check state; A2",
)
WORKERS = Instrument(
    name="llm_router.telemetry.workers",
    prometheus_name="llm_router_telemetry_workers",
    kind=Kind.OBSERVABLE_GAUGE,
    unit="{worker}",
    description=(
        "Worker processes behind this scrape: those that answered it, those that did not answer in time and count with "
        "what is last known of them, those that have ended and whose counts are kept, and supervisors."
    ),
    attributes=(a.WORKER_STATE,),
    merge=Merge.MAX,
    source="design: one truthful scrape for N workers",
)
