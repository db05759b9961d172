"""Every attribute that our metrics, spans and events may carry.

Room: `signals`. Attributes on metrics are either closed (``values``) or bounded (``bound``);
attributes with neither appear on spans and events only.
"""

from __future__ import annotations

from typing import Final

from otel_llm_router.signals._log_attributes import *
from otel_llm_router.signals._model import Attribute

OTHER: Final = "other"
"""The value that stands for every value beyond a bound, and for any value outside a closed set."""

UNKNOWN: Final = "unknown"
"""The value of a label whose truth could not be learned."""

# --- outcome ---------------------------------------------------------------------------------

SUCCESS: Final = "success"
ERROR: Final = "error"
ABORTED: Final = "aborted"

STATUS = Attribute(
    key="status",
    description="How it ended. An abort is a request or stream that its consumer gave up.",
    values=(SUCCESS, ERROR, ABORTED),
)
OPERATION_STATUS = Attribute(
    key="status", description="How it ended.", values=(SUCCESS, ERROR), domain="operation_status"
)
CACHED = Attribute(
    key="cached",
    description="Whether the answer came from the router's own cache.",
    values=("true", "false"),
)

ERROR_TYPES: Final = (
    "authentication",
    "bad_request",
    "budget_exceeded",
    "cancelled",
    "client_disconnect",
    "connection",
    "content_policy",
    "context_window",
    "internal",
    "invalid_response",
    "no_deployment",
    "not_found",
    "permission",
    "rate_limit",
    "server_error",
    "stream_abandoned",
    "stream_interrupted",
    "timeout",
)
"""The closed vocabulary of ``error.type``: what an operator would do something different about."""

ERROR_TYPE = Attribute(
    key="error_type",
    description="Class of the failure; empty on success.",
    values=("", *ERROR_TYPES),
)
ERROR_TYPE_SPAN = Attribute(key="error.type", description="Class of the failure.", values=ERROR_TYPES)

# --- who and what ----------------------------------------------------------------------------

MODEL = Attribute(
    key="model",
    description="Model that answered; the requested one where none did.",
    bound=200,
    client_chosen=True,
)
FROM_MODEL = Attribute(
    key="from_model",
    description="Model (group) that failed.",
    bound=200,
    domain="model",
    client_chosen=True,
)
TO_MODEL = Attribute(
    key="to_model", description="Model (group) tried next.", bound=200, domain="model", client_chosen=True
)
PROVIDER = Attribute(key="provider", description="Provider that was called.", bound=60)
DEPLOYMENT = Attribute(
    key="deployment",
    description="Identifier of one deployment in the router's configuration.",
    bound=200,
)
STRATEGY = Attribute(key="strategy", description="Routing strategy.", bound=40)
REASON = Attribute(key="reason", description="Why the router decided so.", bound=60)

# --- HTTP and connections --------------------------------------------------------------------

METHOD = Attribute(
    key="method",
    description="HTTP method; anything that is not a registered method is ``other``.",
    values=("CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE", OTHER),
)
ROUTE = Attribute(
    key="route",
    description="Route template, never the raw path; empty when no route matched.",
    bound=200,
)
STATUS_CODE = Attribute(key="status_code", description="HTTP status code of the response.", bound=80)
CONNECTION_TYPE = Attribute(
    key="type",
    description="What the connection carries: ``http``, ``sse``, ``websocket`` or the application's own word.",
    bound=20,
    domain="connection_type",
)
PROTOCOL = Attribute(
    key="protocol",
    description="Protocol spoken, such as ``http/1.1``.",
    bound=20,
    domain="protocol",
)

# --- tokens ----------------------------------------------------------------------------------

TOKEN_TYPE = Attribute(
    key="type",
    description=(
        "Type of token. ``cache_read`` and ``cache_write`` are parts of ``input``, ``reasoning`` is a part of ``output``."
    ),
    values=("input", "output", "cache_read", "cache_write", "reasoning"),
    domain="token_type",
)
USAGE_SOURCE = Attribute(
    key="source",
    description="``reported`` by the provider, or ``estimated`` on our side of it.",
    values=("reported", "estimated"),
    domain="usage_source",
)
USAGE_MISSING_REASON = Attribute(
    key="reason",
    description="``absent``: the provider sent none; ``invalid``: it sent something that cannot be a count.",
    values=("absent", "invalid"),
    domain="usage_missing_reason",
)

# --- models, caches, queues ------------------------------------------------------------------

FORMAT = Attribute(key="format", description="Model file format, such as ``gguf``.", bound=30)
SIZE_CATEGORY = Attribute(
    key="size_category",
    description="small < 1e9 bytes, medium < 10e9, large < 50e9, else xlarge.",
    values=("small", "medium", "large", "xlarge"),
)
CACHE_TYPE = Attribute(key="cache_type", description="Which cache.", bound=40)
QUEUE_TYPE = Attribute(key="queue_type", description="Which queue.", bound=40)

# --- errors ----------------------------------------------------------------------------------

ERROR_KIND = Attribute(
    key="type",
    description="Class of the error (the vocabulary of ``error_type``, or the application's own word).",
    bound=60,
    domain="error_kind",
)
COMPONENT = Attribute(
    key="component",
    description="Where it happened: ``router`` (a request failed), ``client`` (it failed by what its client sent), ``upstream`` (an attempt failed), or the application's own word.",
    bound=40,
)
SEVERITY = Attribute(
    key="severity",
    description="``warning``: recovered or recoverable; ``error``: a client saw it; ``critical``: the service is impaired.",
    values=("warning", "error", "critical"),
)

# --- money, limits, streams ------------------------------------------------------------------

COST_SOURCE = Attribute(
    key="source",
    description="Who computed the cost: ``reported`` by the router library or provider, ``estimated`` from a price table or estimated tokens.",
    values=("reported", "estimated"),
    domain="cost_source",
)
SAVED_BY = Attribute(
    key="saved_by",
    description="What saved the money: ``cache`` or ``routing`` (against the baseline model).",
    values=("cache", "routing"),
)
SCOPE = Attribute(key="scope", description="What a budget or limit applies to.", bound=100, client_chosen=True)
LIMIT_KIND = Attribute(
    key="kind",
    description="What is limited; ``parallel_requests`` are those in flight at once.",
    values=("requests", "tokens", "parallel_requests"),
    domain="limit_kind",
)
TEAM = Attribute(key="team", description="Team of the caller; only where configured.", bound=100)
USER = Attribute(key="user", description="The caller; only where configured.", bound=100, client_chosen=True)
KEY = Attribute(
    key="key",
    description="Alias of the caller's key, or a hash of it, never the key; only where configured.",
    bound=100,
)
ORGANIZATION = Attribute(
    key="organization", description="Organization of the caller; only where configured.", bound=100
)
ABORT_SIDE = Attribute(
    key="side",
    description="Who broke the stream off: ``client`` or ``upstream``.",
    values=("client", "upstream"),
)
STREAM_PHASE = Attribute(
    key="phase",
    description="How far the stream had come.",
    values=("before_first_token", "mid_stream"),
)
AUTH_REASON = Attribute(
    key="reason",
    description="Why authentication failed: ``missing``, ``invalid``, ``expired``, ``forbidden``, or the application's own word.",
    bound=20,
    domain="auth_reason",
)

# --- telemetry about itself --------------------------------------------------------------------

CHECK = Attribute(key="check", description="Name of a health check.", bound=60)
SIGNAL = Attribute(key="signal", description="Telemetry signal.", values=("traces", "metrics", "logs"))
EXPORT_REASON = Attribute(
    key="reason",
    description=(
        "Why an export failed, or why records were dropped: `queue_full` when the bound pushed them out, `shutdown` when the "
        "process ended before they could be delivered."
    ),
    values=(
        "refused",
        "timeout",
        "disconnected",
        "tls",
        "rejected",
        "redirect",
        "too_large",
        "encoding",
        "queue_full",
        "shutdown",
        OTHER,
    ),
    domain="export_reason",
)
WORKER_STATE = Attribute(
    key="state",
    description="What became of a worker process at the last scrape.",
    values=("live", "unresponsive", "ended", "supervisor"),
    domain="worker_state",
)
LABEL = Attribute(key="label", description="Key of the label that overflowed.", bound=40)
HOOK = Attribute(key="hook", description="Place in our code where the guard caught an error.", bound=60)
INSTRUMENTATION = Attribute(key="instrumentation", description="Name of an instrumentor.", bound=40)
GC_GENERATION = Attribute(
    key="generation",
    description="Generation that the garbage collector swept.",
    values=("0", "1", "2"),
)

# --- spans and events --------------------------------------------------------------------------

CONNECTION_STATE = Attribute(
    key="state",
    description="State of a pooled upstream connection.",
    values=("open", "idle", "waiting"),
    domain="connection_state",
)
CACHE_RESULT = Attribute(
    key="result", description="What the look-up gave.", values=("hit", "miss"), domain="cache_result"
)
FILTER_REASON = Attribute(
    key="reason",
    description="Why a candidate was left out: ``cooldown``, ``unavailable``, ``budget``, ``context_window`` or the router's own word.",
    bound=40,
    domain="filter_reason",
)
WASTE_REASON = Attribute(
    key="reason",
    description="Why the tokens did not become an answer.",
    values=("attempt_failed", "aborted"),
    domain="waste_reason",
)
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
    key="llm_router.outcome", description="How it ended.", values=(SUCCESS, ERROR, ABORTED), domain="outcome"
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

# --- GenAI semantic conventions ----------------------------------------------------------------

GEN_AI_OPERATION = Attribute(key="gen_ai.operation.name", description="``chat``, ``embeddings`` and so on.", bound=20)
GEN_AI_PROVIDER = Attribute(
    key="gen_ai.provider.name",
    description="Provider by the names of the convention.",
    bound=60,
)
GEN_AI_REQUEST_MODEL = Attribute(
    key="gen_ai.request.model",
    description="Model that the deployment was asked for.",
    bound=200,
    domain="model",
    client_chosen=True,
)
GEN_AI_RESPONSE_MODEL = Attribute(
    key="gen_ai.response.model",
    description="Model that the provider says answered.",
    bound=200,
    domain="model",
    client_chosen=True,
)
GEN_AI_TOKEN_TYPE = Attribute(
    key="gen_ai.token.type", description="``input`` or ``output``.", values=("input", "output")
)
GEN_AI_TOKEN_MODALITY = Attribute(
    key="gen_ai.token.modality",
    description="Modality of the tokens; ``unknown`` when the provider gives no split.",
    values=("text", "image", "audio", "unknown"),
)
GEN_AI_ERROR_TYPE = Attribute(
    key="error.type", description="Class of the failure.", values=ERROR_TYPES, domain="gen_ai_error"
)
GEN_AI_STREAM = Attribute(key="gen_ai.request.stream", description="Set, and true, when the answer was streamed.")
GEN_AI_RESPONSE_ID = Attribute(key="gen_ai.response.id", description="Provider's identifier of the answer.")
GEN_AI_FINISH_REASONS = Attribute(key="gen_ai.response.finish_reasons", description="Why each choice ended.")
GEN_AI_INPUT_TOKENS = Attribute(key="gen_ai.usage.input_tokens", description="Input tokens, cached ones included.")
GEN_AI_OUTPUT_TOKENS = Attribute(key="gen_ai.usage.output_tokens", description="Output tokens, reasoning included.")
GEN_AI_CACHE_READ = Attribute(
    key="gen_ai.usage.cache_read.input_tokens", description="Input tokens read from the provider's cache."
)
GEN_AI_CACHE_WRITE = Attribute(
    key="gen_ai.usage.cache_write.input_tokens", description="Input tokens written to the provider's cache."
)
GEN_AI_REASONING = Attribute(
    key="gen_ai.usage.reasoning.output_tokens", description="Output tokens spent on reasoning."
)
COST_SPAN = Attribute(key="llm_router.cost.usd", description="Cost of the attempt in USD, when known at its end.")
SERVER_ADDRESS = Attribute(key="server.address", description="Host of the deployment's API base; spans only.")
SERVER_PORT = Attribute(key="server.port", description="Port of the deployment's API base; spans only.")
