"""Recorded series: short aliases for existing dashboards, and measures that are worth keeping.

Measures come in, the text of the recording rules goes out.
"""

from __future__ import annotations

from typing import Final

from dashboards.source import measures as m
from dashboards.source.measures import RULES
from dashboards.source.rules import Group, Recorded, render
from otel_llm_router.signals import attributes as a
from otel_llm_router.signals.instruments import routing

ALIAS_BOUNDS: Final = (0.1, 0.5, 1.0, 2.0, 5.0)
"""Buckets of the alias, fewer than its source has."""

_DURATION: Final = "llm_request_duration_seconds"

# Counts keep their instance: were they summed over instances, one restart would look like a reset of all.
ALIASES: Final = (
    Recorded(name="llm_requests_total", query=RULES.cumulative(routing.ATTEMPTS, by=[a.PROVIDER, a.STATUS])),
    Recorded(
        name=f"{_DURATION}_bucket",
        query=RULES.cumulative_buckets(routing.ATTEMPT_DURATION, bounds=ALIAS_BOUNDS, by=[a.PROVIDER]),
    ),
    Recorded(
        name=f"{_DURATION}_sum",
        query=RULES.cumulative(routing.ATTEMPT_DURATION, part="_sum", by=[a.PROVIDER]),
    ),
    Recorded(
        name=f"{_DURATION}_count",
        query=RULES.cumulative(routing.ATTEMPT_DURATION, part="_count", by=[a.PROVIDER]),
    ),
)

LEVELS: Final = (
    Recorded(name="job:llm_router_inference:rate5m", query=m.request_rate(RULES)),
    Recorded(name="job:llm_router_inference:success_ratio_rate5m", query=m.success_ratio(RULES)),
    Recorded(name="job:llm_router_inference_duration_seconds:p95_rate5m", query=m.response_time(RULES, 0.95)),
    Recorded(name="job:llm_router_errors:rate5m", query=m.error_rate(RULES)),
    Recorded(name="job:llm_router_tokens_generated:rate5m", query=m.token_rate(RULES)),
    Recorded(name="job:llm_router_cache:hit_ratio_rate5m", query=m.cache_hit_ratio(RULES)),
    Recorded(
        name="job_provider:llm_router_attempts:error_ratio_rate5m",
        query=m.attempt_error_ratio(RULES, by=[a.PROVIDER]),
    ),
    Recorded(name="job_scope:llm_router_budget:utilisation_ratio", query=m.budget_utilisation(RULES)),
)


def text() -> str:
    """Render the rule file."""
    return render(
        "Recorded series: the aliases llm_requests_total and llm_request_duration_seconds, and measures per service.",
        [
            Group(name="llm-router-aliases", interval="15s", rules=ALIASES),
            Group(name="llm-router-measures", interval="15s", rules=LEVELS),
        ],
    )
