"""How a request, an attempt or an operation ended, and what went wrong.

Room: `signals`.
"""

from __future__ import annotations

from typing import Final

from otel_llm_router.signals._model import Attribute

OTHER: Final = "other"
"""The value that stands for every value beyond a bound, and for any value outside a closed set."""

UNKNOWN: Final = "unknown"
"""The value of a label whose truth could not be learned."""

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
