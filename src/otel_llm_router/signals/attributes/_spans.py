"""Attributes of our own on spans and on the events in them.

Room: `signals`.
"""

from __future__ import annotations

from otel_llm_router.signals._model import Attribute
from otel_llm_router.signals.attributes import _outcomes

REQUEST_MODEL = Attribute(key="llm_router.request.model", description="Model (group) that the client asked for.")
RESPONSE_MODEL = Attribute(key="llm_router.response.model", description="Model that answered.")
REQUEST_USER = Attribute(key="user.id", description="Caller, where the application names one; spans only.")
TEAM_SPAN = Attribute(key="llm_router.team", description="Team of the caller.")
KEY_SPAN = Attribute(key="llm_router.key", description="Alias of the caller's key, or a hash of it, never the key.")
ORGANIZATION_SPAN = Attribute(key="llm_router.organization", description="Organization of the caller.")
STRATEGY_SPAN = Attribute(key="llm_router.strategy", description="Routing strategy.")
CANDIDATES = Attribute(
    key="llm_router.decision.candidates",
    description="Deployments that could have been chosen, at most 20.",
)
CANDIDATE_COUNT = Attribute(
    key="llm_router.decision.candidate_count", description="How many deployments could have been chosen."
)
CHOSEN = Attribute(key="llm_router.decision.chosen", description="Deployment that was chosen.")
DECISION_REASON = Attribute(key="llm_router.decision.reason", description="Why it was chosen.")
DECISION_SCORE = Attribute(
    key="llm_router.decision.score", description="Score of the chosen one, when the strategy has one."
)
DECISION_COST = Attribute(key="llm_router.decision.estimated_cost", description="Cost in USD that the router expected.")
OUTCOME = Attribute(
    key="llm_router.outcome",
    description="How it ended.",
    values=(_outcomes.SUCCESS, _outcomes.ERROR, _outcomes.ABORTED),
    domain="outcome",
)
CACHED_SPAN = Attribute(key="llm_router.cached", description="Whether the answer came from the router's cache.")
ATTEMPT_COUNT = Attribute(key="llm_router.attempt.count", description="Calls to deployments that the request took.")
ATTEMPT_NUMBER = Attribute(
    key="llm_router.attempt.number", description="Position among the request's attempts, from 1."
)
ATTEMPT_REASON = Attribute(
    key="llm_router.attempt.reason",
    description="Why the attempt was made; ``routing`` is a call made in order to decide, not the answer.",
    values=("initial", "retry", "fallback", "routing"),
)
DEPLOYMENT_SPAN = Attribute(key="llm_router.deployment.id", description="Identifier of the deployment.")
USAGE_SOURCE_SPAN = Attribute(
    key="llm_router.usage.source",
    description="Where the token counts come from.",
    values=("reported", "estimated", "missing"),
)
COOLDOWN_SECONDS = Attribute(
    key="llm_router.cooldown.seconds", description="How long the deployment is left out, in seconds."
)
HTTP_STATUS = Attribute(
    key="http.response.status_code", description="Status code of the answer: the provider's on an attempt."
)
RETRY_AFTER = Attribute(key="llm_router.retry_after", description="Seconds after which the provider said to try again.")
PREVIOUS_ERROR = Attribute(key="llm_router.previous.error_type", description="Class of the failure that led to this.")
FROM_SPAN = Attribute(key="llm_router.fallback.from", description="Model (group) that failed.")
TO_SPAN = Attribute(key="llm_router.fallback.to", description="Model (group) tried next.")
CACHE_TYPE_SPAN = Attribute(key="llm_router.cache.type", description="Which cache.")
CACHE_HIT = Attribute(key="llm_router.cache.hit", description="Whether the look-up found an answer.")
QUEUE_TYPE_SPAN = Attribute(key="llm_router.queue.type", description="Which queue.")
QUEUE_WAIT = Attribute(key="llm_router.queue.wait", description="Seconds spent waiting.")
CHECK_SPAN = Attribute(key="llm_router.health.check.name", description="Name of a health check.")
CHECK_MESSAGE = Attribute(key="llm_router.health.check.message", description="What the check found, in words.")
TTFT_SPAN = Attribute(key="gen_ai.response.time_to_first_chunk", description="Seconds to the first chunk with content.")
COST_SPAN = Attribute(key="llm_router.cost.usd", description="Cost of the attempt in USD, when known at its end.")
SERVER_ADDRESS = Attribute(key="server.address", description="Host of the deployment's API base; spans only.")
SERVER_PORT = Attribute(key="server.port", description="Port of the deployment's API base; spans only.")
CONTENT_TRUNCATED = Attribute(
    key="llm_router.content.truncated",
    description="Set, and true, when content was longer than allowed and part of it was left out.",
)
