"""Instruments of what the router does to serve a request: decisions, attempts, retries, money, limits."""

from __future__ import annotations

from typing import Final

from otel_llm_router.signals import attributes as a
from otel_llm_router.signals._model import Instrument, Kind

DECISION_BUCKETS: Final = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0)
"""From a table look-up to a router that asks a model which model to ask."""
ATTEMPT_BUCKETS: Final = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
"""Contains the bounds of requirement C (.1 .5 1 2 5), so that its alias can be a recording rule."""
BACKOFF_BUCKETS: Final = (0.001, 0.01, 0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)

_CALLER: Final = (a.TEAM, a.USER, a.KEY, a.ORGANIZATION)

DECISIONS = Instrument(
    name="llm_router.decisions",
    prometheus_name="llm_router_decisions_total",
    kind=Kind.COUNTER,
    unit="{decision}",
    description="Routing decisions, by what was chosen and why.",
    attributes=(a.STRATEGY, a.MODEL, a.REASON),
    source="design: routing decisions",
)
DECISION_DURATION = Instrument(
    name="llm_router.decision.duration",
    prometheus_name="llm_router_decision_duration_seconds",
    kind=Kind.HISTOGRAM,
    unit="s",
    description="Time a routing decision took.",
    attributes=(a.STRATEGY,),
    buckets=DECISION_BUCKETS,
    source="design: decision time",
)
DECISION_FILTERED = Instrument(
    name="llm_router.decision.filtered",
    prometheus_name="llm_router_decision_filtered_total",
    kind=Kind.COUNTER,
    unit="{candidate}",
    description="Candidates that a decision left out, by reason.",
    attributes=(a.STRATEGY, a.FILTER_REASON),
    source="wish: decision record",
)
ATTEMPTS = Instrument(
    name="llm_router.attempts",
    prometheus_name="llm_router_attempts_total",
    kind=Kind.COUNTER,
    unit="{attempt}",
    description="Calls to deployments that ended.",
    attributes=(a.PROVIDER, a.MODEL, a.STATUS, a.ERROR_TYPE),
    source="design: attempts; C llm_requests_total",
)
ATTEMPT_DURATION = Instrument(
    name="llm_router.attempt.duration",
    prometheus_name="llm_router_attempt_duration_seconds",
    kind=Kind.HISTOGRAM,
    unit="s",
    description="Duration of calls to deployments, a stream to its last chunk.",
    attributes=(a.PROVIDER, a.MODEL),
    buckets=ATTEMPT_BUCKETS,
    source="design: attempts; C llm_request_duration_seconds",
)
ATTEMPTS_IN_FLIGHT = Instrument(
    name="llm_router.attempts.in_flight",
    prometheus_name="llm_router_attempts_in_flight",
    kind=Kind.UP_DOWN_COUNTER,
    unit="{attempt}",
    description="Calls to deployments that have begun and not ended.",
    attributes=(a.PROVIDER, a.MODEL),
    source="wish: concurrency and queues for each deployment",
)
RETRIES = Instrument(
    name="llm_router.retries",
    prometheus_name="llm_router_retries_total",
    kind=Kind.COUNTER,
    unit="{retry}",
    description="Further attempts at the same model (group), by the failure that led to them.",
    attributes=(a.MODEL, a.ERROR_TYPE),
    source="design: retries",
)
RETRY_BACKOFF = Instrument(
    name="llm_router.retry.backoff",
    prometheus_name="llm_router_retry_backoff_seconds",
    kind=Kind.HISTOGRAM,
    unit="s",
    description="Time between the end of a failed attempt and the start of the next one.",
    attributes=(a.MODEL,),
    buckets=BACKOFF_BUCKETS,
    source="wish: attempts and back-off told apart",
)
FALLBACKS = Instrument(
    name="llm_router.fallbacks",
    prometheus_name="llm_router_fallbacks_total",
    kind=Kind.COUNTER,
    unit="{fallback}",
    description="Moves to another model (group) after a failure, by how they ended.",
    attributes=(a.FROM_MODEL, a.TO_MODEL, a.STATUS),
    source="design: fallbacks from -> to",
)
COOLDOWNS = Instrument(
    name="llm_router.cooldowns",
    prometheus_name="llm_router_cooldowns_total",
    kind=Kind.COUNTER,
    unit="{cooldown}",
    description="Times a deployment was taken out of rotation.",
    attributes=(a.PROVIDER, a.MODEL, a.ERROR_TYPE),
    source="design: cool-downs; wish: cool-down life cycle",
)
DEPLOYMENT_STATE = Instrument(
    name="llm_router.deployment.state",
    prometheus_name="llm_router_deployment_state",
    kind=Kind.OBSERVABLE_GAUGE,
    unit="{state}",
    description="0 when a deployment is in rotation, 1 while it is cooling down.",
    attributes=(a.DEPLOYMENT, a.PROVIDER, a.MODEL),
    source="design: deployment state; wish: cool-down life cycle",
)
COOLDOWN_REMAINING = Instrument(
    name="llm_router.cooldown.remaining",
    prometheus_name="llm_router_cooldown_remaining_seconds",
    kind=Kind.OBSERVABLE_GAUGE,
    unit="s",
    description="Time until a deployment is back in rotation, by the failure that took it out; no series after that.",
    attributes=(a.DEPLOYMENT, a.PROVIDER, a.MODEL, a.ERROR_TYPE),
    source="wish: cool-down life cycle",
)
TOKENS = Instrument(
    name="llm_router.tokens",
    prometheus_name="llm_router_tokens_total",
    kind=Kind.COUNTER,
    unit="{token}",
    description="Tokens of attempts by type and by who counted them.",
    attributes=(a.PROVIDER, a.MODEL, a.TOKEN_TYPE, a.USAGE_SOURCE),
    source="design: tokens by type",
)
TOKENS_WASTED = Instrument(
    name="llm_router.tokens.wasted",
    prometheus_name="llm_router_tokens_wasted_total",
    kind=Kind.COUNTER,
    unit="{token}",
    description="Output tokens of attempts that did not become a complete answer.",
    attributes=(a.MODEL, a.WASTE_REASON),
    source="wish: tokens of abandoned streams",
)
USAGE_MISSING = Instrument(
    name="llm_router.usage.missing",
    prometheus_name="llm_router_usage_missing_total",
    kind=Kind.COUNTER,
    unit="{attempt}",
    description="Attempts that answered without a usable token count.",
    attributes=(a.PROVIDER, a.MODEL, a.USAGE_MISSING_REASON),
    source="design: usage missing",
)
COST = Instrument(
    name="llm_router.cost.usd",
    prometheus_name="llm_router_cost_usd_total",
    kind=Kind.COUNTER,
    unit="{USD}",
    description="Cost of attempts in US dollars, failed ones included where they are charged.",
    attributes=(a.PROVIDER, a.MODEL, a.STATUS, a.COST_SOURCE),
    source="design: cost in USD; wish: cost of failed attempts",
)
ATTRIBUTED_REQUESTS = Instrument(
    name="llm_router.attributed.requests",
    prometheus_name="llm_router_attributed_requests_total",
    kind=Kind.COUNTER,
    unit="{request}",
    description="Routed requests by caller; off unless configured, and then with the labels that are.",
    attributes=(*_CALLER, a.STATUS),
    source="D: user activity, API-key usage",
)
ATTRIBUTED_TOKENS = Instrument(
    name="llm_router.attributed.tokens",
    prometheus_name="llm_router_attributed_tokens_total",
    kind=Kind.COUNTER,
    unit="{token}",
    description="Tokens of attempts by caller; off unless configured, and then with the labels that are.",
    attributes=(*_CALLER, a.TOKEN_TYPE),
    source="design: attribution of cost and tokens",
)
ATTRIBUTED_COST = Instrument(
    name="llm_router.attributed.cost.usd",
    prometheus_name="llm_router_attributed_cost_usd_total",
    kind=Kind.COUNTER,
    unit="{USD}",
    description="Cost of attempts in US dollars by caller; off unless configured, and then with the labels that are.",
    attributes=_CALLER,
    source="D: cost by user and organisation",
)
COST_UNPRICED = Instrument(
    name="llm_router.cost.unpriced",
    prometheus_name="llm_router_cost_unpriced_total",
    kind=Kind.COUNTER,
    unit="{attempt}",
    description="Successful attempts whose cost is not known.",
    attributes=(a.PROVIDER, a.MODEL),
    source="wish: cost of failed attempts",
)
COST_SAVED = Instrument(
    name="llm_router.cost.saved.usd",
    prometheus_name="llm_router_cost_saved_usd_total",
    kind=Kind.COUNTER,
    unit="{USD}",
    description="Money not spent, by what saved it.",
    attributes=(a.MODEL, a.SAVED_BY),
    source="design: cost saved",
)
BUDGET_LIMIT = Instrument(
    name="llm_router.budget.limit.usd",
    prometheus_name="llm_router_budget_limit_usd",
    kind=Kind.OBSERVABLE_GAUGE,
    unit="{USD}",
    description="Budget; no series where there is no limit.",
    attributes=(a.SCOPE,),
    source="design: budget limit; wish: budget and rate-limit headroom",
)
BUDGET_USED = Instrument(
    name="llm_router.budget.used.usd",
    prometheus_name="llm_router_budget_used_usd",
    kind=Kind.OBSERVABLE_GAUGE,
    unit="{USD}",
    description="Budget spent in its current period.",
    attributes=(a.SCOPE,),
    source="design: budget used; wish: budget and rate-limit headroom",
)
RATE_LIMIT_REMAINING = Instrument(
    name="llm_router.rate_limit.remaining",
    prometheus_name="llm_router_rate_limit_remaining",
    kind=Kind.OBSERVABLE_GAUGE,
    unit="{unit}",
    description="What the provider last said is left of its rate limit.",
    attributes=(a.PROVIDER, a.MODEL, a.LIMIT_KIND),
    source="design: upstream rate-limit remaining; wish: budget and rate-limit headroom",
)
RATE_LIMIT_HITS = Instrument(
    name="llm_router.rate_limit.hits",
    prometheus_name="llm_router_rate_limit_hits_total",
    kind=Kind.COUNTER,
    unit="{attempt}",
    description="Attempts that a provider turned away for its rate limit.",
    attributes=(a.PROVIDER, a.MODEL),
    source="design: upstream rate-limit hits",
)
