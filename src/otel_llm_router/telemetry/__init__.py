"""What router code calls: requests, decisions, attempts, streams, caches, queues, models, errors.

Room: `telemetry`. Import it as ``router`` and read it aloud::

    from otel_llm_router import telemetry as router

    with router.request(model="smart") as request:
        with router.decision(candidates=MODELS) as decision:
            model = decision.select(pick(), reason="cheapest")
        with router.attempt("openai", model) as call:
            return call.response(client.chat.completions.create(model=model, messages=messages))

With no OpenTelemetry SDK set up, all of it does nothing; nothing in it raises into the caller.
"""

from otel_llm_router.telemetry import _guard
from otel_llm_router.telemetry._attempt import Attempt, Target
from otel_llm_router.telemetry._cache import Cache
from otel_llm_router.telemetry._caller import Caller
from otel_llm_router.telemetry._connection import Connection
from otel_llm_router.telemetry._custom import Counter, Histogram
from otel_llm_router.telemetry._decision import Decision
from otel_llm_router.telemetry._fallback import Fallback
from otel_llm_router.telemetry._foreign import Rule as ForeignRule
from otel_llm_router.telemetry._genai import Names as GenAIMetrics
from otel_llm_router.telemetry._log_events import Inferences
from otel_llm_router.telemetry._models import ModelLoad
from otel_llm_router.telemetry._queue import Queue
from otel_llm_router.telemetry._request import Request
from otel_llm_router.telemetry._telemetry import Telemetry

default = Telemetry()
"""The object behind the module-level functions; it records on the global providers."""

_guard.state.listener = default.guard_caught

request = default.request
route = default.route
current = default.current
decision = default.decision
attempt = default.attempt
cache = default.cache
queue = default.queue
connection = default.connection
http_request = default.http_request
model_load = default.model_load
model_loaded = default.model_loaded
model_unloaded = default.model_unloaded
observe_queue = default.observe_queue
observe_cache = default.observe_cache
observe_connections = default.observe_connections
observe_redis = default.observe_redis
budget = default.budget
saved = default.saved
rate_limit = default.rate_limit
rate_limited = default.rate_limited
auth_failure = default.auth_failure
deployment = default.deployment
cooldown = default.cooldown
error = default.error
counter = default.counter
histogram = default.histogram

__all__ = [
    "Attempt",
    "Cache",
    "Caller",
    "Connection",
    "Counter",
    "Decision",
    "Fallback",
    "ForeignRule",
    "GenAIMetrics",
    "Histogram",
    "Inferences",
    "ModelLoad",
    "Queue",
    "Request",
    "Target",
    "Telemetry",
    "attempt",
    "auth_failure",
    "budget",
    "cache",
    "connection",
    "cooldown",
    "counter",
    "current",
    "decision",
    "default",
    "deployment",
    "error",
    "histogram",
    "http_request",
    "model_load",
    "model_loaded",
    "model_unloaded",
    "observe_cache",
    "observe_connections",
    "observe_queue",
    "observe_redis",
    "queue",
    "rate_limit",
    "rate_limited",
    "request",
    "route",
    "saved",
]
