"""The spans of one routed request.

Room: `signals`. The web framework's SERVER span is the parent of `ROUTE`; `ATTEMPT` spans are
its children, one for each call to a deployment.
"""

from __future__ import annotations

from otel_llm_router.signals import attributes as a
from otel_llm_router.signals._model import Span, SpanEvent

DECISION_EVENT = SpanEvent(
    name="llm_router.decision",
    description="A deployment was chosen.",
    attributes=(a.CANDIDATES, a.CANDIDATE_COUNT, a.CHOSEN, a.DECISION_REASON, a.DECISION_SCORE, a.DECISION_COST),
)
CACHE_EVENT = SpanEvent(
    name="llm_router.cache.lookup",
    description="A cache was asked for the answer.",
    attributes=(a.CACHE_TYPE_SPAN, a.CACHE_HIT),
)
RETRY_EVENT = SpanEvent(
    name="llm_router.retry",
    description="The same model (group) is tried again.",
    attributes=(a.REQUEST_MODEL, a.PREVIOUS_ERROR),
)
FALLBACK_EVENT = SpanEvent(
    name="llm_router.fallback",
    description="Another model (group) is tried.",
    attributes=(a.FROM_SPAN, a.TO_SPAN, a.PREVIOUS_ERROR),
)
COOLDOWN_EVENT = SpanEvent(
    name="llm_router.cooldown",
    description="A deployment was taken out of rotation.",
    attributes=(a.DEPLOYMENT_SPAN, a.ERROR_TYPE_SPAN, a.COOLDOWN_SECONDS),
)
QUEUE_EVENT = SpanEvent(
    name="llm_router.queue.wait",
    description="The request waited for its turn.",
    attributes=(a.QUEUE_TYPE_SPAN, a.QUEUE_WAIT),
)
FIRST_TOKEN_EVENT = SpanEvent(name="gen_ai.first_token", description="The first chunk with content arrived.")

ROUTE = Span(
    name="route {llm_router.request.model}",
    kind="internal",
    description="One routed request: from the router's entry to the last byte of its answer.",
    attributes=(
        a.REQUEST_MODEL,
        a.RESPONSE_MODEL,
        a.REQUEST_USER,
        a.TEAM_SPAN,
        a.KEY_SPAN,
        a.ORGANIZATION_SPAN,
        a.STRATEGY_SPAN,
        a.CANDIDATES,
        a.CANDIDATE_COUNT,
        a.CHOSEN,
        a.DECISION_REASON,
        a.DECISION_SCORE,
        a.DECISION_COST,
        a.OUTCOME,
        a.CACHED_SPAN,
        a.ATTEMPT_COUNT,
        a.ERROR_TYPE_SPAN,
    ),
    events=(DECISION_EVENT, CACHE_EVENT, RETRY_EVENT, FALLBACK_EVENT, COOLDOWN_EVENT, QUEUE_EVENT),
    source="design: spans",
)
ATTEMPT = Span(
    name="{gen_ai.operation.name} {gen_ai.request.model}",
    kind="client",
    description="One call to one deployment, by the GenAI conventions.",
    attributes=(
        a.GEN_AI_OPERATION,
        a.GEN_AI_PROVIDER,
        a.GEN_AI_REQUEST_MODEL,
        a.GEN_AI_RESPONSE_MODEL,
        a.GEN_AI_RESPONSE_ID,
        a.GEN_AI_FINISH_REASONS,
        a.GEN_AI_STREAM,
        a.GEN_AI_INPUT_TOKENS,
        a.GEN_AI_OUTPUT_TOKENS,
        a.GEN_AI_CACHE_READ,
        a.GEN_AI_CACHE_WRITE,
        a.GEN_AI_REASONING,
        a.TTFT_SPAN,
        a.SERVER_ADDRESS,
        a.SERVER_PORT,
        a.HTTP_STATUS,
        a.RETRY_AFTER,
        a.ERROR_TYPE_SPAN,
        a.DEPLOYMENT_SPAN,
        a.ATTEMPT_NUMBER,
        a.ATTEMPT_REASON,
        a.OUTCOME,
        a.USAGE_SOURCE_SPAN,
        a.COST_SPAN,
        a.GEN_AI_SYSTEM_INSTRUCTIONS,
        a.GEN_AI_INPUT_MESSAGES,
        a.GEN_AI_TOOL_DEFINITIONS,
        a.GEN_AI_OUTPUT_MESSAGES,
        a.CONTENT_TRUNCATED,
    ),
    events=(FIRST_TOKEN_EVENT,),
    source="semconv gen_ai client span",
)
SERVER = Span(
    name="{http.request.method} {http.route}",
    kind="server",
    description="One HTTP request to the router; made by the web framework's own instrumentation.",
    source="semconv http server span",
)

SPANS = (SERVER, ROUTE, ATTEMPT)
