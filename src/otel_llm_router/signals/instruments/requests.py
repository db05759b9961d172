"""Instruments of the request as the router's client sees it: HTTP, inference, tokens, streams, errors."""

from __future__ import annotations

from typing import Final

from otel_llm_router.signals import attributes as a
from otel_llm_router.signals._model import Instrument, Kind, Stability

HTTP_DURATION_BUCKETS: Final = (0.01, 0.05, 0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
INFERENCE_DURATION_BUCKETS: Final = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0)
TOKENS_PER_SECOND_BUCKETS: Final = (1.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0)
FIRST_TOKEN_BUCKETS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
"""From a cached answer to a reasoning model that thinks before it speaks."""
PER_TOKEN_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0)
"""From 1,000 tokens/s down to 1 token/s."""
OVERHEAD_BUCKETS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0)
"""A router's own work is milliseconds; back-off between retries is seconds."""

HTTP_REQUEST_DURATION = Instrument(
    name="llm_router.http.request.duration",
    prometheus_name="llm_router_http_request_duration_seconds",
    kind=Kind.HISTOGRAM,
    unit="s",
    description="Duration of HTTP requests to the router, to the last byte of the response.",
    attributes=(a.METHOD, a.ROUTE, a.STATUS_CODE),
    buckets=HTTP_DURATION_BUCKETS,
    stability=Stability.STABLE,
    source="A1",
)
HTTP_REQUESTS = Instrument(
    name="llm_router.http.requests",
    prometheus_name="llm_router_http_requests_total",
    kind=Kind.COUNTER,
    unit="{request}",
    description="HTTP requests to the router.",
    attributes=(a.METHOD, a.ROUTE, a.STATUS_CODE),
    stability=Stability.STABLE,
    source="A1",
)
INFERENCE = Instrument(
    name="llm_router.inference",
    prometheus_name="llm_router_inference_total",
    kind=Kind.COUNTER,
    unit="{request}",
    description="Routed requests that ended.",
    attributes=(a.MODEL, a.STRATEGY, a.STATUS, a.CACHED),
    stability=Stability.STABLE,
    source="A1",
)
INFERENCE_DURATION = Instrument(
    name="llm_router.inference.duration",
    prometheus_name="llm_router_inference_duration_seconds",
    kind=Kind.HISTOGRAM,
    unit="s",
    description="Duration of routed requests, a stream to its last chunk.",
    attributes=(a.MODEL, a.STRATEGY),
    buckets=INFERENCE_DURATION_BUCKETS,
    stability=Stability.STABLE,
    source="A1",
)
TOKENS_GENERATED = Instrument(
    name="llm_router.tokens.generated",
    prometheus_name="llm_router_tokens_generated_total",
    kind=Kind.COUNTER,
    unit="{token}",
    description="Output tokens given to the client, cached answers included.",
    attributes=(a.MODEL, a.STRATEGY),
    stability=Stability.STABLE,
    source="A1",
)
TOKENS_PER_SECOND = Instrument(
    name="llm_router.tokens_per_second",
    prometheus_name="llm_router_tokens_per_second",
    kind=Kind.HISTOGRAM,
    unit="",  # not {token}/s: the two translations make different names of that
    description="Output tokens of a request divided by its duration.",
    attributes=(a.MODEL,),
    buckets=TOKENS_PER_SECOND_BUCKETS,
    stability=Stability.STABLE,
    source="A1",
)
ERRORS = Instrument(
    name="llm_router.errors",
    prometheus_name="llm_router_errors_total",
    kind=Kind.COUNTER,
    unit="{error}",
    description="Errors: a failed request once as component router, each failed attempt as component upstream.",
    attributes=(a.ERROR_KIND, a.COMPONENT, a.SEVERITY),
    stability=Stability.STABLE,
    source="A1",
)
REQUESTS_IN_FLIGHT = Instrument(
    name="llm_router.requests.in_flight",
    prometheus_name="llm_router_requests_in_flight",
    kind=Kind.UP_DOWN_COUNTER,
    unit="{request}",
    description="Routed requests that have begun and not ended.",
    source="design: request in flight",
)
TIME_TO_FIRST_TOKEN = Instrument(
    name="llm_router.time_to_first_token",
    prometheus_name="llm_router_time_to_first_token_seconds",
    kind=Kind.HISTOGRAM,
    unit="s",
    description="From the start of a streamed request to its first chunk with content.",
    attributes=(a.MODEL, a.STRATEGY),
    buckets=FIRST_TOKEN_BUCKETS,
    source="design: time to first token",
)
TIME_PER_OUTPUT_TOKEN = Instrument(
    name="llm_router.time_per_output_token",
    prometheus_name="llm_router_time_per_output_token_seconds",
    kind=Kind.HISTOGRAM,
    unit="s",
    description="Mean time between output tokens of a streamed request, after the first.",
    attributes=(a.MODEL,),
    buckets=PER_TOKEN_BUCKETS,
    source="design: time per output token",
)
OVERHEAD = Instrument(
    name="llm_router.overhead",
    prometheus_name="llm_router_overhead_seconds",
    kind=Kind.HISTOGRAM,
    unit="s",
    description="Request time minus the time during which an attempt was open: routing, queueing, back-off, cache.",
    attributes=(a.STRATEGY,),
    buckets=OVERHEAD_BUCKETS,
    source="design: router overhead",
)
STREAM_ABORTS = Instrument(
    name="llm_router.stream.aborts",
    prometheus_name="llm_router_stream_aborts_total",
    kind=Kind.COUNTER,
    unit="{stream}",
    description="Streams broken off, by side and by whether anything had arrived.",
    attributes=(a.MODEL, a.ABORT_SIDE, a.STREAM_PHASE),
    source="design: stream aborts by side",
)
AUTH_FAILURES = Instrument(
    name="llm_router.auth.failures",
    prometheus_name="llm_router_auth_failures_total",
    kind=Kind.COUNTER,
    unit="{failure}",
    description="Clients that the router turned away for their credentials.",
    attributes=(a.AUTH_REASON,),
    source="design: authentication failures; D security metrics",
)
RATE_LIMIT_TRIGGERS = Instrument(
    name="llm_router.rate_limit.triggers",
    prometheus_name="llm_router_rate_limit_triggers_total",
    kind=Kind.COUNTER,
    unit="{request}",
    description="Requests that the router itself turned away because a client was over its limit.",
    attributes=(a.SCOPE, a.LIMIT_KIND),
    source="design: rate-limit triggers; D security metrics",
)
