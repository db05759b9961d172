"""The log events: OpenTelemetry log records with an event name, for what an operator greps.

Room: `signals`. Requests that begin or succeed make an event only where options ask for it, and so do HTTP requests; the
Collector classifies all of them by name.
"""

from __future__ import annotations

from otel_llm_router.signals import attributes as a
from otel_llm_router.signals._audit_events import *
from otel_llm_router.signals._model import LogEvent

INFERENCE_STARTED = LogEvent(
    name="llm_router.inference.started",
    severity="INFO",
    description="A routed request began.",
    attributes=(a.REQUEST_ID, a.REQUEST_MODEL, a.STRATEGY_SPAN),
    source="A2: inference start",
)
INFERENCE_COMPLETED = LogEvent(
    name="llm_router.inference.completed",
    severity="INFO",
    description="A routed request succeeded.",
    attributes=(
        a.REQUEST_ID,
        a.REQUEST_MODEL,
        a.RESPONSE_MODEL,
        a.STRATEGY_SPAN,
        a.CACHED_SPAN,
        a.ATTEMPT_COUNT,
        a.REQUEST_DURATION,
        a.GEN_AI_OUTPUT_TOKENS,
    ),
    source="A2: inference complete",
)
INFERENCE_ERROR = LogEvent(
    name="llm_router.inference.error",
    severity="ERROR",
    description="A routed request failed.",
    attributes=(
        a.REQUEST_ID,
        a.REQUEST_MODEL,
        a.RESPONSE_MODEL,
        a.STRATEGY_SPAN,
        a.ERROR_TYPE_SPAN,
        a.ATTEMPT_COUNT,
        a.REQUEST_DURATION,
        a.GEN_AI_OUTPUT_TOKENS,
    ),
    source="A2: inference error",
)
INFERENCE_ABORTED = LogEvent(
    name="llm_router.inference.aborted",
    severity="INFO",
    description="A client gave a request or stream up.",
    attributes=INFERENCE_ERROR.attributes,
    source="design: aborted",
)
HTTP_REQUEST = LogEvent(
    name="llm_router.http.request",
    severity="INFO",
    description="An HTTP request to the router was answered.",
    attributes=(
        a.HTTP_METHOD_LOG,
        a.HTTP_ROUTE_LOG,
        a.HTTP_STATUS,
        a.HTTP_DURATION_LOG,
        a.HTTP_REQUEST_ID,
        a.CLIENT_ADDRESS,
    ),
    stream="access",
    source="A2: access stream; B: sampling for high-volume endpoints",
)
METRICS_SUMMARY = LogEvent(
    name="llm_router.metrics.summary",
    severity="INFO",
    description="What this process has counted since it began, and since the summary before.",
    attributes=(
        a.SUMMARY_SECONDS,
        a.SUMMARY_REQUESTS,
        a.SUMMARY_ERRORS,
        a.SUMMARY_ABORTED,
        a.SUMMARY_TOKENS,
        a.SUMMARY_HTTP,
        a.SUMMARY_IN_FLIGHT,
        a.SUMMARY_TOTAL_REQUESTS,
        a.SUMMARY_TOTAL_TOKENS,
    ),
    stream="metrics",
    source="A2: metrics stream",
)
FALLBACK = LogEvent(
    name="llm_router.fallback",
    severity="WARN",
    description="A request moved to another model (group).",
    attributes=(a.FROM_SPAN, a.TO_SPAN, a.OUTCOME),
    source="design: fallbacks",
)
COOLDOWN = LogEvent(
    name="llm_router.cooldown.entered",
    severity="WARN",
    description="A deployment was taken out of rotation.",
    attributes=(a.DEPLOYMENT_SPAN, a.ERROR_TYPE_SPAN, a.COOLDOWN_SECONDS),
    source="design: cool-downs",
)
COOLDOWN_LEFT = LogEvent(
    name="llm_router.cooldown.left",
    severity="INFO",
    description="A deployment's cool-down is over, as seen when metrics are collected.",
    attributes=(a.DEPLOYMENT_SPAN, a.COOLDOWN_SECONDS),
    source="design: cool-downs",
)
MODEL_LOADED = LogEvent(
    name="llm_router.model.loaded",
    severity="INFO",
    description="A model was loaded.",
    attributes=(a.MODEL, a.FORMAT),
    source="A2",
)
MODEL_LOAD_FAILED = LogEvent(
    name="llm_router.model.load_failed",
    severity="ERROR",
    description="A model could not be loaded.",
    attributes=(a.MODEL, a.FORMAT, a.ERROR_TYPE_SPAN),
    source="A2",
)
MODEL_UNLOADED = LogEvent(
    name="llm_router.model.unloaded",
    severity="INFO",
    description="A model was unloaded.",
    attributes=(a.MODEL, a.FORMAT),
    source="A2",
)
ERROR_EVENT = LogEvent(
    name="llm_router.error",
    severity="ERROR",
    description="The application reported an error.",
    attributes=(a.ERROR_KIND, a.COMPONENT, a.SEVERITY),
    source="A2",
)
BUDGET_EXCEEDED = LogEvent(
    name="llm_router.budget.exceeded",
    severity="WARN",
    description="A budget was used up.",
    attributes=(a.SCOPE,),
    source="D alerts: budget exceeded",
)
HEALTH_CHECK_FAILED = LogEvent(
    name="llm_router.health.check.failed",
    severity="WARN",
    description="A health check failed that had not failed before.",
    attributes=(a.CHECK_SPAN, a.CHECK_MESSAGE),
    source="design: health-check state",
)
HEALTH_CHECK_RECOVERED = LogEvent(
    name="llm_router.health.check.recovered",
    severity="INFO",
    description="A health check that had failed is healthy again.",
    attributes=(a.CHECK_SPAN, a.CHECK_MESSAGE),
    source="design: health-check state",
)
INSTRUMENTATION_DEGRADED = LogEvent(
    name="llm_router.instrumentation.degraded",
    severity="WARN",
    description="A hook of an active instrumentation is missing or does not fire.",
    attributes=(a.INSTRUMENTATION, a.HOOK),
    source="design: telemetry about itself",
)
INFERENCE_DETAILS = LogEvent(
    name="gen_ai.client.inference.operation.details",
    severity="INFO",
    description="What a call to a model asked and answered, where its content is asked for as events.",
    attributes=(
        a.REQUEST_ID,
        a.GEN_AI_OPERATION,
        a.GEN_AI_PROVIDER,
        a.GEN_AI_REQUEST_MODEL,
        a.GEN_AI_RESPONSE_MODEL,
        a.GEN_AI_RESPONSE_ID,
        a.GEN_AI_FINISH_REASONS,
        a.GEN_AI_STREAM,
        a.GEN_AI_INPUT_TOKENS,
        a.GEN_AI_OUTPUT_TOKENS,
        a.ERROR_TYPE_SPAN,
        a.SERVER_ADDRESS,
        a.SERVER_PORT,
        a.GEN_AI_SYSTEM_INSTRUCTIONS,
        a.GEN_AI_INPUT_MESSAGES,
        a.GEN_AI_TOOL_DEFINITIONS,
        a.GEN_AI_OUTPUT_MESSAGES,
        a.CONTENT_TRUNCATED,
    ),
    source="semconv gen_ai events",
)

EVENTS = (
    INFERENCE_STARTED,
    INFERENCE_COMPLETED,
    INFERENCE_ERROR,
    INFERENCE_ABORTED,
    HTTP_REQUEST,
    METRICS_SUMMARY,
    FALLBACK,
    COOLDOWN,
    COOLDOWN_LEFT,
    MODEL_LOADED,
    MODEL_LOAD_FAILED,
    MODEL_UNLOADED,
    ERROR_EVENT,
    BUDGET_EXCEEDED,
    HEALTH_CHECK_FAILED,
    HEALTH_CHECK_RECOVERED,
    INSTRUMENTATION_DEGRADED,
    *AUDIT_EVENTS,
    INFERENCE_DETAILS,
)
