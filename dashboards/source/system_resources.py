"""The system resources dashboard: processes, connections, queues, caches, errors, and the telemetry about itself.

Measures and instruments come in, the JSON text of the dashboard goes out.
"""

from __future__ import annotations

from collections.abc import Sequence

from grafana_foundation_sdk.models.dashboard import Panel

from dashboards.source import measures as m
from dashboards.source.layout import Row, render
from dashboards.source.measures import DASHBOARD as HERE
from dashboards.source.panels import Line, Step, graph
from dashboards.source.queries import Target
from otel_llm_router.signals import attributes as a
from otel_llm_router.signals.instruments import requests, resources, self_telemetry

_EACH = (Target.INSTANCE,)


def text() -> str:
    """Render the dashboard."""
    return render(
        "llm-router-system-resources",
        description="Processes, connections, queues, caches and errors of LLM routers, and what their telemetry says about itself.",
        rows=[
            Row("Process", _process()),
            Row("Connections and queues", _queues()),
            Row("Caches", _caches()),
            Row("Errors", _errors()),
            Row("Telemetry about itself", _self()),
        ],
    )


def _process() -> Sequence[Panel]:
    return [
        graph(
            "CPU",
            Line(HERE.rate(resources.PROCESS_CPU, by=_EACH), "{{instance}}"),
            description="CPU time of each process per second, user and system; 100 % is one core fully used.",
            unit="percentunit",
        ),
        graph(
            "Resident memory",
            Line(m.resident_memory(HERE), "{{instance}}"),
            description="Memory of each process that is in RAM. Dashed: the thresholds of HighMemoryUsage (3 GB) and CriticalMemoryUsage (7 GB).",
            unit="decbytes",
            steps=[Step(m.MEMORY_HIGH, "orange"), Step(m.MEMORY_CRITICAL, "red")],
        ),
        graph(
            "Heap memory",
            Line(HERE.level(resources.PROCESS_HEAP, by=_EACH), "{{instance}}"),
            description="What tracemalloc traces while it is on, else resident memory that is not shared with files or other processes.",
            unit="decbytes",
        ),
        graph(
            "Garbage-collector pauses (p99)",
            Line(HERE.quantile(0.99, resources.PROCESS_GC_PAUSE, by=[a.GC_GENERATION]), "generation {{generation}}"),
            description="Pauses of Python's cyclic garbage collector. While it runs, no request makes progress.",
            unit="s",
        ),
        graph(
            "Open files and threads",
            Line(HERE.level(resources.PROCESS_OPEN_FDS, by=_EACH), "{{instance}} files"),
            Line(HERE.level(resources.PROCESS_THREADS, by=_EACH), "{{instance}} threads"),
            description="Open file descriptors (handles on Windows) and threads of each process; a steady climb is a leak.",
            unit="short",
        ),
        graph(
            "Uptime",
            Line(HERE.level(resources.PROCESS_START_TIME, how="max", by=_EACH).age(), "{{instance}}"),
            description="Time since each process began; a fall to zero is a restart.",
            unit="s",
        ),
    ]


def _queues() -> Sequence[Panel]:
    return [
        graph(
            "Active connections",
            Line(
                HERE.level(resources.ACTIVE_CONNECTIONS, by=[a.CONNECTION_TYPE, a.PROTOCOL]),
                "{{type}} {{protocol}}",
            ),
            description="Connections being served, by what they carry and by protocol.",
            unit="short",
            stacked=True,
            no_value="not reported",
        ),
        graph(
            "Connection duration (p95)",
            Line(
                HERE.quantile(0.95, resources.CONNECTION_DURATION, by=[a.CONNECTION_TYPE, a.PROTOCOL]),
                "{{type}} {{protocol}}",
            ),
            description="95 % of the connections that ended had been served for at most this long. Buckets end at one hour.",
            unit="s",
            no_value="not reported",
        ),
        graph(
            "Upstream connections",
            Line(
                HERE.level(resources.UPSTREAM_CONNECTIONS, by=[a.PROVIDER, a.CONNECTION_STATE]),
                "{{provider}} {{state}}",
            ),
            description="Pooled connections to providers, by state; waiting ones are requests that the pool holds up.",
            unit="short",
            stacked=True,
            no_value="not reported",
        ),
        graph(
            "Queue size",
            Line(HERE.level(resources.QUEUE_SIZE, by=[a.QUEUE_TYPE]), "{{queue_type}}"),
            description="Requests waiting, by queue. Dashed: the thresholds of HighQueueSize (100) and CriticalQueueSize (500).",
            unit="short",
            steps=[Step(m.QUEUE_HIGH, "orange"), Step(m.QUEUE_CRITICAL, "red")],
            no_value="not reported",
        ),
        graph(
            "Queue wait (p95)",
            Line(HERE.quantile(0.95, resources.QUEUE_WAIT, by=[a.QUEUE_TYPE]), "{{queue_type}}"),
            description="95 % of requests waited at most this long in the queue or for a free slot. Buckets end at 30 s.",
            unit="s",
            no_value="not reported",
        ),
        graph(
            "Queue processing (p95)",
            Line(HERE.quantile(0.95, resources.QUEUE_PROCESSING, by=[a.QUEUE_TYPE]), "{{queue_type}}"),
            description="95 % of requests were done at most this long after they had left the queue. Buckets end at 30 s.",
            unit="s",
            no_value="not reported",
        ),
    ]


def _caches() -> Sequence[Panel]:
    return [
        graph(
            "Cache size",
            Line(HERE.level(resources.CACHE_SIZE, by=[a.CACHE_TYPE]), "{{cache_type}}"),
            description="Bytes that each cache holds, over the selected instances: one that they share counts once for each of them.",
            unit="bytes",
            no_value="not reported",
        ),
        graph(
            "Cache entries",
            Line(HERE.level(resources.CACHE_ENTRIES, by=[a.CACHE_TYPE]), "{{cache_type}}"),
            description="Entries that each cache holds, over the selected instances: one that they share counts once for each of them.",
            unit="short",
            no_value="not reported",
        ),
        graph(
            "Cache evictions",
            Line(HERE.rate(resources.CACHE_EVICTIONS, by=[a.CACHE_TYPE]), "{{cache_type}}"),
            description="Entries thrown out per second to make room; many of them and few hits mean that the cache is too small.",
            unit="ops",
            no_value="none yet",
        ),
    ]


def _errors() -> Sequence[Panel]:
    return [
        graph(
            "Errors by type",
            Line(HERE.rate(requests.ERRORS, by=[a.ERROR_KIND, a.SEVERITY]), "{{type}} ({{severity}})"),
            description="Errors per second. A warning was made good by a retry or fallback; the error-rate alerts count error and critical.",
            unit="ops",
            stacked=True,
            no_value="none yet",
            width=12,
        ),
        graph(
            "Errors by component",
            Line(HERE.rate(requests.ERRORS, by=[a.COMPONENT, a.SEVERITY]), "{{component}} ({{severity}})"),
            description="Errors per second by where they happened: router (a request failed), upstream (an attempt failed), or the application's own word.",
            unit="ops",
            stacked=True,
            no_value="none yet",
            width=12,
        ),
        graph(
            "Clients turned away",
            Line(HERE.rate(requests.AUTH_FAILURES, by=[a.AUTH_REASON]), "credentials {{reason}}"),
            Line(HERE.rate(requests.RATE_LIMIT_TRIGGERS, by=[a.LIMIT_KIND]), "limit of {{kind}}"),
            description="Requests per second that the router itself refused, for their credentials or because the client was over its limit.",
            unit="reqps",
            no_value="none yet",
            width=12,
        ),
        graph(
            "Failed health checks",
            Line(HERE.level(self_telemetry.HEALTH_CHECK_STATE, by=[a.CHECK]), "{{check}}"),
            description="How many of the selected instances fail each health check; 0 is healthy.",
            unit="short",
            no_value="not reported",
            width=12,
        ),
    ]


def _self() -> Sequence[Panel]:
    me = self_telemetry
    return [
        graph(
            "Telemetry lost",
            Line(HERE.rate(me.DROPPED, by=[a.SIGNAL, a.EXPORT_REASON]), "{{signal}} dropped, {{reason}}"),
            Line(HERE.rate(me.EXPORT_FAILURES, by=[a.SIGNAL, a.EXPORT_REASON]), "{{signal}} export failed, {{reason}}"),
            description="Records lost, and OTLP exports that did not succeed, per second. While this is not zero, other panels may be low.",
            unit="ops",
            no_value="none yet",
        ),
        graph(
            "Telemetry bounded or guarded",
            Line(HERE.rate(me.LABEL_OVERFLOW, by=[a.LABEL]), "label {{label}} beyond its bound"),
            Line(HERE.rate(me.GUARD_ERRORS, by=[a.HOOK]), "error in {{hook}}"),
            description="Records whose label value became other, and errors in the instrumentation that were kept from the application, per second.",
            unit="ops",
            no_value="none yet",
        ),
        graph(
            "Instrumentation degraded",
            Line(
                HERE.level(me.INSTRUMENTATION_DEGRADED, by=[a.INSTRUMENTATION, a.HOOK]), "{{instrumentation}} {{hook}}"
            ),
            description="Hooks that are missing or do not fire in the library version at hand, over the selected instances. Not zero: what the hook would show is missing.",
            unit="short",
            no_value="not reported",
        ),
    ]
