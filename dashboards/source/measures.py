"""What dashboards, recorded series and alerts measure alike.

A selection of targets comes in, a query goes out. Each measure is written once, so that a panel, a
recorded series and an alert of one name cannot disagree.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from dashboards.source.queries import Label, Query, Target, only
from dashboards.source.selection import Selection
from otel_llm_router.signals import attributes as a
from otel_llm_router.signals.instruments import requests, resources, routing

DASHBOARD: Final = Selection(
    window="$__rate_interval",
    matchers=('job=~"$job"', 'instance=~"$instance"'),
)
RULES: Final = Selection(window="5m", by=(Target.JOB,))

ERROR_RATE_HIGH: Final = 0.1
ERROR_RATE_CRITICAL: Final = 0.5
RESPONSE_TIME_HIGH: Final = 30
RESPONSE_TIME_CRITICAL: Final = 60
MEMORY_HIGH: Final = 3e9
MEMORY_CRITICAL: Final = 7e9
CACHE_HIT_RATIO_LOW: Final = 0.5
QUEUE_HIGH: Final = 100
QUEUE_CRITICAL: Final = 500
TOKEN_RATE_LOW: Final = 10
AUTHENTICATION_FAILURES_HIGH: Final = 1
TRAFFIC: Final = 0.1
"""Requests per second from which on a low token rate means something: below it, few tokens are normal."""


def request_rate(selection: Selection, *, by: Sequence[Label] = ()) -> Query:
    """Routed requests that ended, per second."""
    return selection.rate(requests.INFERENCE, by=by)


def success_ratio(selection: Selection, *, by: Sequence[Label] = ()) -> Query:
    """Share of successes among the requests that the router decided.

    A request that its consumer gave up is neither a success nor a failure of the router, so aborted
    requests are in neither part.
    """
    good = selection.rate(requests.INFERENCE, by=by, where=[only(a.STATUS, a.SUCCESS)])
    decided = selection.rate(requests.INFERENCE, by=by, where=[only(a.STATUS, a.SUCCESS, a.ERROR)])
    return good.over(decided)


def response_time(selection: Selection, quantile: float, *, by: Sequence[Label] = ()) -> Query:
    """Quantile of the duration of routed requests.

    From the inference histogram, whose buckets reach 120 s. The HTTP histogram ends at 30 s: no quantile
    computed from it is ever larger.
    """
    return selection.quantile(quantile, requests.INFERENCE_DURATION, by=by)


def token_rate(selection: Selection, *, by: Sequence[Label] = ()) -> Query:
    """Output tokens given to clients, per second."""
    return selection.rate(requests.TOKENS_GENERATED, by=by)


def cache_hit_ratio(selection: Selection, *, by: Sequence[Label] = ()) -> Query:
    """Share of hits among cache look-ups; absent while there are none."""
    hits = selection.rate(resources.CACHE_HITS, by=by)
    misses = selection.rate(resources.CACHE_MISSES, by=by)
    return hits.beside(misses)


def error_rate(selection: Selection, *, by: Sequence[Label] = ()) -> Query:
    """Errors per second that a client saw or that impair the service.

    An attempt that failed and was made good by a retry or fallback is of severity warning, and is not one.
    """
    return selection.rate(requests.ERRORS, by=by, where=[only(a.SEVERITY, "error", "critical")])


def attempt_error_ratio(selection: Selection, *, by: Sequence[Label] = ()) -> Query:
    """Share of failures among the attempts that were not given up."""
    bad = selection.rate(routing.ATTEMPTS, by=by, where=[only(a.STATUS, a.ERROR)])
    decided = selection.rate(routing.ATTEMPTS, by=by, where=[only(a.STATUS, a.SUCCESS, a.ERROR)])
    return bad.over(decided)


def resident_memory(selection: Selection) -> Query:
    """Resident memory of each process: it is one process that runs out of memory, not the sum of them."""
    return selection.level(resources.PROCESS_RESIDENT_MEMORY, by=(Target.INSTANCE,))


def budget_utilisation(selection: Selection) -> Query:
    """Used share of each budget, by the instance that has used most of its own view of it."""
    each = (Target.INSTANCE, a.SCOPE)
    used = selection.level(routing.BUDGET_USED, how="max", by=each)
    limit = selection.level(routing.BUDGET_LIMIT, how="max", by=each)
    return used.over(limit).aggregated("max", by=(*selection.by, a.SCOPE))
