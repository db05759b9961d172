"""Attributes that only log events carry.

Room: `signals`. They are attributes of `otel_llm_router.signals.attributes` too.
"""

from __future__ import annotations

from otel_llm_router.signals._model import Attribute

REQUEST_ID = Attribute(
    key="llm_router.request.id",
    description="Identifier of the routed request, the same on each of its events: its route span's id where it has one.",
)
REQUEST_DURATION = Attribute(key="llm_router.request.duration", description="Seconds that the routed request took.")
HTTP_METHOD_LOG = Attribute(key="http.request.method", description="HTTP method; ``other`` where it is not registered.")
HTTP_ROUTE_LOG = Attribute(key="http.route", description="Route template, never the raw path.")
HTTP_DURATION_LOG = Attribute(
    key="http.server.request.duration", description="Seconds to the last byte of the response."
)
HTTP_REQUEST_ID = Attribute(
    key="http.request.header.x-request-id",
    description="What the response, or else the request, has in its header ``X-Request-ID``.",
)
CLIENT_ADDRESS = Attribute(key="client.address", description="Address of the client; only where an option asks for it.")
SUMMARY_SECONDS = Attribute(key="llm_router.summary.seconds", description="Seconds since the summary before.")
SUMMARY_REQUESTS = Attribute(
    key="llm_router.summary.requests", description="Routed requests that ended since the summary before."
)
SUMMARY_ERRORS = Attribute(key="llm_router.summary.errors", description="Those of them that failed.")
SUMMARY_ABORTED = Attribute(key="llm_router.summary.aborted", description="Those of them that were given up.")
SUMMARY_TOKENS = Attribute(
    key="llm_router.summary.tokens_generated", description="Output tokens given to clients since the summary before."
)
SUMMARY_HTTP = Attribute(
    key="llm_router.summary.http_requests", description="HTTP requests that were answered since the summary before."
)
SUMMARY_IN_FLIGHT = Attribute(key="llm_router.summary.in_flight", description="Routed requests that have not ended.")
SUMMARY_TOTAL_REQUESTS = Attribute(
    key="llm_router.summary.total.requests", description="Routed requests that ended since the process began."
)
SUMMARY_TOTAL_TOKENS = Attribute(
    key="llm_router.summary.total.tokens_generated", description="Output tokens since the process began."
)
LOG_STREAM = Attribute(
    key="stream",
    description="Stream of log records.",
    values=("application", "access", "error", "audit", "metrics"),
    domain="log_stream",
)
LOG_DROP_REASON = Attribute(
    key="reason",
    description=(
        "Why lines were not written: `queue_full` when more waited than is kept, `write_failed` when the file could not be "
        "written, `shutdown` when the process ended first."
    ),
    values=("queue_full", "write_failed", "shutdown"),
    domain="log_drop_reason",
)
