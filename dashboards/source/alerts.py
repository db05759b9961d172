"""Alerts: what a person should be told about a router.

Measures come in, the text of the alerting rules goes out. The expressions stand on their own: they use no
recorded series, so that an alert does not fall silent where only this file is loaded.
"""

from __future__ import annotations

from typing import Final

from dashboards.source import measures as m
from dashboards.source.measures import RULES
from dashboards.source.queries import Query
from dashboards.source.rules import Alert, Group, render
from otel_llm_router.signals import attributes as a
from otel_llm_router.signals.instruments import resources

JOB: Final = "llm-router"
"""Job of the routers in prometheus.yaml."""

# humanize is for large numbers: it writes 0.12 as 120m.
_ERRORS: Final = (
    '{{ $value | printf "%.2f" }} errors per second reach clients, over 5 minutes and all instances; the threshold is'
)
_P95: Final = (
    "95 % of requests take up to {{ $value | humanizeDuration }}, over 5 minutes and all instances; the threshold is"
)
_MEMORY: Final = "{{ $labels.instance }} holds {{ $value | humanize }}B of resident memory; the threshold is"
_QUEUE: Final = '{{ $value | printf "%.0f" }} requests wait in the queue {{ $labels.queue_type }}, over all instances; the threshold is'


def _service_down() -> Query:
    # A router that only pushes has no scrape target; its own series, by whatever path, show that it lives.
    alive = resources.PROCESS_START_TIME.prometheus_name
    return Query(text=f'up{{job="{JOB}"}} == 0\nor (absent(up{{job="{JOB}"}}) unless on () count({alive}))')


ALERTS: Final = (
    Alert(
        name="HighErrorRate",
        query=m.error_rate(RULES).above(m.ERROR_RATE_HIGH),
        threshold=m.ERROR_RATE_HIGH,
        hold="2m",
        severity="warning",
        component="errors",
        summary="{{ $labels.job }}: errors reach clients",
        description=f"{_ERRORS} {m.ERROR_RATE_HIGH:g}.",
    ),
    Alert(
        name="CriticalErrorRate",
        query=m.error_rate(RULES).above(m.ERROR_RATE_CRITICAL),
        threshold=m.ERROR_RATE_CRITICAL,
        hold="1m",
        severity="critical",
        component="errors",
        summary="{{ $labels.job }}: many errors reach clients",
        description=f"{_ERRORS} {m.ERROR_RATE_CRITICAL:g}.",
    ),
    Alert(
        name="HighResponseTime",
        query=m.response_time(RULES, 0.95).above(m.RESPONSE_TIME_HIGH),
        threshold=m.RESPONSE_TIME_HIGH,
        hold="3m",
        severity="warning",
        component="latency",
        summary="{{ $labels.job }}: slow answers",
        description=f"{_P95} {m.RESPONSE_TIME_HIGH} s.",
    ),
    Alert(
        name="CriticalResponseTime",
        query=m.response_time(RULES, 0.95).above(m.RESPONSE_TIME_CRITICAL),
        threshold=m.RESPONSE_TIME_CRITICAL,
        hold="1m",
        severity="critical",
        component="latency",
        summary="{{ $labels.job }}: very slow answers",
        description=f"{_P95} {m.RESPONSE_TIME_CRITICAL} s.",
    ),
    Alert(
        name="HighMemoryUsage",
        query=m.resident_memory(RULES).above(m.MEMORY_HIGH),
        threshold=m.MEMORY_HIGH,
        hold="5m",
        severity="warning",
        component="memory",
        summary="{{ $labels.job }}: a process uses much memory",
        description=f"{_MEMORY} 3 GB.",
    ),
    Alert(
        name="CriticalMemoryUsage",
        query=m.resident_memory(RULES).above(m.MEMORY_CRITICAL),
        threshold=m.MEMORY_CRITICAL,
        hold="1m",
        severity="critical",
        component="memory",
        summary="{{ $labels.job }}: a process is about to run out of memory",
        description=f"{_MEMORY} 7 GB.",
    ),
    Alert(
        name="NoModelsLoaded",
        # A gateway that loads no models never reports the series, and an absent series equals nothing.
        query=RULES.level(resources.MODELS_LOADED).equal_to(0),
        threshold=0,
        hold="1m",
        severity="critical",
        component="models",
        summary="{{ $labels.job }}: no model is loaded",
        description="{{ $value }} models are loaded, over all instances.",
    ),
    Alert(
        name="LowCacheHitRate",
        # The ratio has no value while nothing is looked up.
        query=m.cache_hit_ratio(RULES).below(m.CACHE_HIT_RATIO_LOW),
        threshold=m.CACHE_HIT_RATIO_LOW,
        hold="10m",
        severity="warning",
        component="cache",
        summary="{{ $labels.job }}: the cache misses more than it hits",
        description="{{ $value | humanizePercentage }} of look-ups hit, over 5 minutes and all instances; the threshold is 50 %.",
    ),
    Alert(
        name="HighQueueSize",
        query=RULES.level(resources.QUEUE_SIZE, by=[a.QUEUE_TYPE]).above(m.QUEUE_HIGH),
        threshold=m.QUEUE_HIGH,
        hold="2m",
        severity="warning",
        component="queue",
        summary="{{ $labels.job }}: requests pile up",
        description=f"{_QUEUE} {m.QUEUE_HIGH}.",
    ),
    Alert(
        name="CriticalQueueSize",
        query=RULES.level(resources.QUEUE_SIZE, by=[a.QUEUE_TYPE]).above(m.QUEUE_CRITICAL),
        threshold=m.QUEUE_CRITICAL,
        hold="30s",
        severity="critical",
        component="queue",
        summary="{{ $labels.job }}: very many requests pile up",
        description=f"{_QUEUE} {m.QUEUE_CRITICAL}.",
    ),
    Alert(
        name="ServiceDown",
        query=_service_down(),
        threshold=0,
        hold="1m",
        severity="critical",
        component="availability",
        summary="{{ $labels.job }}: a router is not there",
        description=(
            "{{ if $labels.instance }}The scrape of {{ $labels.instance }} fails (up is {{ $value }})."
            "{{ else }}Prometheus has no target of this job, and no router reports by another path.{{ end }}"
        ),
    ),
    Alert(
        name="LowTokenGeneration",
        # A service that has never generated a token, such as one for embeddings only, has no series and no alert.
        query=m.token_rate(RULES).below(m.TOKEN_RATE_LOW).during(m.request_rate(RULES).above(m.TRAFFIC)),
        threshold=m.TOKEN_RATE_LOW,
        hold="5m",
        severity="warning",
        component="throughput",
        summary="{{ $labels.job }}: few tokens in spite of traffic",
        description=(
            '{{ $value | printf "%.1f" }} output tokens per second, over 5 minutes and all instances; the threshold is '
            f"{m.TOKEN_RATE_LOW} while more than {m.TRAFFIC:g} requests per second end."
        ),
    ),
)


def text() -> str:
    """Render the rule file."""
    return render(
        "Alerting rules for LLM routers that otel-llm-router instruments.",
        [Group(name="llm-router", interval="15s", rules=ALERTS)],
    )
