"""Advice for each alert.

Nothing comes in; by alert name, what it means, which panels and queries to look at and what to do go out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from dashboards.source import measures as m
from dashboards.source.alerts import JOB
from dashboards.source.measures import RULES
from dashboards.source.queries import Query, Target, only
from otel_llm_router.signals import attributes as a
from otel_llm_router.signals.instruments import requests, resources, routing, security

_OVERVIEW: Final = "LLM Router / Overview"
_MODELS: Final = "LLM Router / Model Performance"
_SYSTEM: Final = "LLM Router / System Resources"


@dataclass(frozen=True, kw_only=True)
class Runbook:
    """Advice for one alert.

    Args:
        meaning: What is true while it fires, and what is not.
        panels: Dashboard and panel, in the order in which to look.
        queries: What the panels do not show.
        actions: What to do, the likely first.
    """

    meaning: str
    panels: Sequence[tuple[str, str]]
    queries: Sequence[Query] = ()
    actions: Sequence[str]


_ERRORS_BY_TYPE: Final = RULES.rate(
    requests.ERRORS, by=[a.ERROR_KIND, a.COMPONENT], where=[only(a.SEVERITY, "error", "critical")]
)
_FAILED_ATTEMPTS: Final = RULES.rate(
    routing.ATTEMPTS, by=[a.PROVIDER, a.MODEL, a.ERROR_TYPE], where=[only(a.STATUS, a.ERROR)]
)
_SLOW_ATTEMPTS: Final = RULES.quantile(0.95, routing.ATTEMPT_DURATION, by=[a.PROVIDER, a.MODEL])

_ERROR_PANELS: Final = (
    (_SYSTEM, "Errors by type"),
    (_SYSTEM, "Errors by component"),
    (_OVERVIEW, "Attempts by provider and outcome"),
    (_OVERVIEW, "Retries and fallbacks"),
)
_ERROR_ACTIONS: Final = (
    "`authentication`, `permission`, `not_found`: a key, a quota or a model name is wrong. It will not heal; correct the configuration.",
    "`rate_limit`: add deployments, lower the load, or raise the limit with the provider. *Rate limits hit upstream* says which.",
    "`server_error`, `connection`, `timeout` of one provider: look at its status page, take its deployments out of the router's configuration, and see that a fallback exists.",
    "`no_deployment`: every deployment of a model is cooling down or left out; look at *Cool-downs*.",
    "`bad_request`, `context_window`, `content_policy`: clients send what no model accepts. Tell them; the router is well.",
    "`budget_exceeded`: raise the budget, or leave it as it was meant.",
)
_LATENCY_PANELS: Final = (
    (_OVERVIEW, "Inference p50, p95 and p99"),
    (_MODELS, "Inference duration by model (p95)"),
    (_OVERVIEW, "Router overhead"),
    (_OVERVIEW, "Time to first token"),
    (_SYSTEM, "Queue wait (p95)"),
)
_LATENCY_ACTIONS: Final = (
    "Overhead is high: the time is lost in the router, in queues, back-off between retries or a slow cache. Look at *Retries and fallbacks* and *Queue size*.",
    "One model is slow: move its traffic to another deployment or provider, or lower the time-out after which the router gives up.",
    "Time to first token is normal and the duration is not: answers are long. That may be what clients want; then the threshold is wrong for them.",
    "All models are slow and overhead is low: look at CPU and at the network between router and providers.",
)
_MEMORY_PANELS: Final = (
    (_SYSTEM, "Resident memory"),
    (_SYSTEM, "Heap memory"),
    (_MODELS, "Memory by model"),
    (_SYSTEM, "Active connections"),
    (_SYSTEM, "Open files and threads"),
)
_QUEUE_PANELS: Final = (
    (_SYSTEM, "Queue size"),
    (_SYSTEM, "Queue wait (p95)"),
    (_OVERVIEW, "Request rate"),
    (_MODELS, "Inference duration by model (p95)"),
)

TEXTS: Final[Mapping[str, Runbook]] = {
    "HighErrorRate": Runbook(
        meaning=(
            "Requests fail in the eyes of clients. Attempts that failed and were made good by a retry or fallback are "
            "warnings and not counted, nor are requests that their consumer gave up. It is a rate, not a share: a busy "
            "service reaches it with a small share of failures, which the success rate on the overview puts in proportion."
        ),
        panels=((_OVERVIEW, "Inference success rate"), *_ERROR_PANELS),
        queries=(_ERRORS_BY_TYPE, _FAILED_ATTEMPTS),
        actions=_ERROR_ACTIONS,
    ),
    "CriticalErrorRate": Runbook(
        meaning="As HighErrorRate, five times as many. Usually a provider or a credential has failed altogether, or a deployment went wrong.",
        panels=((_OVERVIEW, "Inference success rate"), *_ERROR_PANELS),
        queries=(_ERRORS_BY_TYPE, _FAILED_ATTEMPTS),
        actions=("If it began with a release or a change of configuration, take that back first.", *_ERROR_ACTIONS),
    ),
    "HighResponseTime": Runbook(
        meaning=(
            "One request in twenty takes longer than the threshold, a stream to its last chunk. The figure is estimated from "
            "the buckets of the inference histogram: between 30 s and 60 s it is a straight line between the two, and it never "
            "exceeds 120 s. Requests that fail fast are in it and pull it down. The HTTP histogram is of no use here, since "
            "its largest bucket is 30 s."
        ),
        panels=_LATENCY_PANELS,
        queries=(_SLOW_ATTEMPTS,),
        actions=_LATENCY_ACTIONS,
    ),
    "CriticalResponseTime": Runbook(
        meaning="As HighResponseTime, above one minute: many clients and proxies have given up by then, and aborted requests rise.",
        panels=(*_LATENCY_PANELS, (_OVERVIEW, "Requests by outcome"), (_OVERVIEW, "Streams broken off")),
        queries=(_SLOW_ATTEMPTS,),
        actions=_LATENCY_ACTIONS,
    ),
    "HighMemoryUsage": Runbook(
        meaning="One process holds more resident memory than the threshold; instances are not added up. 3 GB is 3,000,000,000 bytes. For a router that loads models this may be its normal size: then raise the threshold.",
        panels=_MEMORY_PANELS,
        actions=(
            "It follows *Memory by model*: the models need it. Unload some, or give the process more.",
            "It climbs while models stay the same: a leak. Heap memory climbs too if it is in Python; open files and connections show streams that nobody closes.",
            "A restart helps for a while; take a heap profile before it.",
        ),
    ),
    "CriticalMemoryUsage": Runbook(
        meaning="One process holds more than 7 GB (7,000,000,000 bytes). It may be killed by the system at any time, with the requests it serves.",
        panels=_MEMORY_PANELS,
        actions=(
            "Take the instance out of the load balancer, let its requests end, and restart it.",
            "Then find out why, as for HighMemoryUsage.",
        ),
    ),
    "NoModelsLoaded": Runbook(
        meaning="A service that reports its loaded models reports none on any instance. It cannot answer, except from its cache. Gateways that load no models never report the series and never raise this alert.",
        panels=((_OVERVIEW, "Models loaded"), (_MODELS, "Model load time"), (_SYSTEM, "Errors by type")),
        queries=(RULES.level(resources.MODELS_LOADED, by=[Target.INSTANCE, a.FORMAT]),),
        actions=(
            "During a start or a planned exchange of models: wait for the load, which *Model load time* shows for earlier ones.",
            "Otherwise look for load errors in the router's log: a missing file, too little memory, a wrong format.",
        ),
    ),
    "LowCacheHitRate": Runbook(
        meaning="Of the look-ups in all caches together, fewer than half hit, for ten minutes. While nothing is looked up there is no ratio and no alert. Nobody is harmed at once: answers are slower and cost more.",
        panels=(
            (_OVERVIEW, "Cache hit rate by cache"),
            (_SYSTEM, "Cache size"),
            (_SYSTEM, "Cache evictions"),
            (_OVERVIEW, "Cost by provider"),
        ),
        actions=(
            "After a restart or a flush: wait until it has filled.",
            "Evictions are high: the cache is too small, or its time to live too short.",
            "Neither: clients ask new things, or prompts contain something that changes each time, such as a date. A cache that never hits is better turned off.",
        ),
    ),
    "HighQueueSize": Runbook(
        meaning="More requests wait in one queue, over all instances, than the threshold. Arrivals exceed what is served.",
        panels=_QUEUE_PANELS,
        actions=(
            "The request rate has grown: add instances or deployments, or limit the clients that send most.",
            "It has not, and durations have: an upstream has become slow. Go on as for HighResponseTime.",
            "Neither: workers hang. Look at *Open files and threads*, *Active connections* and the log, and restart the instance.",
        ),
    ),
    "CriticalQueueSize": Runbook(
        meaning="As HighQueueSize, five times as many. Those at the end of the queue will not be answered before their clients give up.",
        panels=_QUEUE_PANELS,
        actions=(
            "Refuse new requests early, with a rate limit, rather than late, with a time-out.",
            "Then find out why, as for HighQueueSize.",
        ),
    ),
    "ServiceDown": Runbook(
        meaning=(
            f"Either Prometheus cannot scrape a router of the job `{JOB}`: the alert names the instance. Or it knows no target "
            "of that job at all, and no router reports by another path either: the alert names no instance. Routers that "
            "push through the Collector have no scrape of their own; they raise this alert only when all of them are gone "
            "(and only while process metrics are on)."
        ),
        panels=((_OVERVIEW, "Request rate"), (_SYSTEM, "Uptime")),
        queries=(Query(text=f'up{{job="{JOB}"}}'), Query(text=resources.PROCESS_START_TIME.prometheus_name)),
        actions=(
            "Ask the instance itself: `curl http://INSTANCE/metrics` and `/health/live`. If it answers, the way from Prometheus to it is closed, or the address in `prometheus.yaml` is old.",
            "The router runs and the port is closed: its log says why the scrape server did not start, such as a port in use. By default it listens on loopback only.",
            "The process is gone: the log of its supervisor says why. Killed for its memory: see CriticalMemoryUsage.",
            "Your routers have another job: give them this one in `prometheus.yaml`, or change the job in your copy of the rule.",
        ),
    ),
    "LowTokenGeneration": Runbook(
        meaning=(
            f"Clients get fewer output tokens per second than the threshold although more than {m.TRAFFIC:g} requests per second "
            "end. Below that traffic few tokens are normal and there is no alert; nor is there one for a service that has "
            "never generated a token, such as one for embeddings only."
        ),
        panels=(
            (_OVERVIEW, "Token rate by model"),
            (_OVERVIEW, "Requests by outcome"),
            (_MODELS, "Tokens/s by model (p95)"),
            (_OVERVIEW, "Streams broken off"),
        ),
        queries=(RULES.rate(routing.USAGE_MISSING, by=[a.PROVIDER, a.MODEL, a.USAGE_MISSING_REASON]),),
        actions=(
            "Requests end in error or are aborted: go on as for HighErrorRate.",
            "They succeed and usage is missing: providers answer without token counts, so tokens are not seen rather than not generated.",
            "They succeed and usage is there: answers are short, or mostly embeddings. Then the threshold is wrong for this service.",
            "Tokens/s by model has fallen: an upstream generates slowly.",
        ),
    ),
    "ManyAuthenticationFailures": Runbook(
        meaning=(
            "The router turns away more clients for their credentials, over all instances, than the threshold. Somebody tries "
            "keys, or a client goes on with one that was taken from it."
        ),
        panels=((_SYSTEM, "Clients turned away"),),
        queries=(
            RULES.rate(requests.AUTH_FAILURES, by=[a.AUTH_REASON]),
            RULES.rate(security.UNUSUAL_ACCESS, by=[a.ACCESS_PATTERN]),
        ),
        actions=(
            "`expired`, or `invalid` since a key was changed: one client was forgotten. `otel-llm-router audit show FILE --event authentication` says from which address it comes.",
            "`invalid` with ever other hashes of keys from one address: keys are being tried. Block the address in front of the router.",
            "`missing`: something that is no client has found the router, such as a scanner or a probe with the wrong path.",
        ),
    ),
    "AuditRecordsLost": Runbook(
        meaning=(
            "Records of the audit trail never came to disk: `queue_full` when more waited than may, because the file could not "
            "be written for long, `shutdown` when the process ended before it could be, `encoding` when a record could not be "
            "made. The application is not affected; what happened meanwhile is not on record."
        ),
        panels=((_SYSTEM, "Clients turned away"),),
        queries=(RULES.rate(security.AUDIT_FAILURES), RULES.rate(security.AUDIT_RECORDS, by=[a.AUDIT_EVENT])),
        actions=(
            "The router's log says once why the file cannot be written: a full disk, a directory that is not its own, another process that holds the lock and does not go on.",
            "Make room: audit files that were put aside may be moved away once they are shipped; see docs/audit.md.",
            "Then `otel-llm-router audit verify` says whether what is there is intact.",
        ),
    ),
}
