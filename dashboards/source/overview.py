"""The overview dashboard: is the router serving, how fast, at what price, and what is it doing to its upstreams.

Measures and instruments come in, the JSON text of the dashboard goes out.
"""

from __future__ import annotations

from collections.abc import Sequence

from grafana_foundation_sdk.models.dashboard import Panel

from dashboards.source import measures as m
from dashboards.source.layout import Row, render
from dashboards.source.measures import DASHBOARD as HERE
from dashboards.source.panels import Line, Step, graph, number
from otel_llm_router.signals import attributes as a
from otel_llm_router.signals.instruments import requests, resources, routing


def text() -> str:
    """Render the dashboard."""
    return render(
        "llm-router-overview",
        description="Requests, latency, tokens, cache, cost and upstreams of LLM routers that otel-llm-router instruments.",
        rows=[
            Row("At a glance", _glance()),
            Row("Traffic", _traffic()),
            Row("Latency", _latency()),
            Row("Tokens, cache and cost", _tokens()),
            Row("Upstreams", _upstreams()),
        ],
    )


def _glance() -> Sequence[Panel]:
    return [
        number(
            "Request rate",
            m.request_rate(HERE),
            description="Routed requests that ended, per second: successes, errors and aborted ones. A cached answer is a request too.",
            unit="reqps",
            no_value="no requests",
        ),
        number(
            "Inference success rate",
            m.success_ratio(HERE),
            description=(
                "Successes divided by successes and errors. Aborted requests, which their consumer gave up, are in neither: "
                "the router did not fail them. They are in the panel Requests by outcome. Absent while nothing ends."
            ),
            unit="percentunit",
            base="red",
            steps=[Step(0.95, "orange"), Step(0.99, "green")],
            no_value="no requests",
        ),
        number(
            "p95 response time",
            m.response_time(HERE, 0.95),
            description=(
                "95 % of routed requests took at most this long, a stream to its last chunk. Estimated from the buckets of the "
                "inference histogram, which end at 120 s. HighResponseTime fires above 30 s, CriticalResponseTime above 60 s."
            ),
            unit="s",
            base="green",
            steps=[Step(m.RESPONSE_TIME_HIGH, "orange"), Step(m.RESPONSE_TIME_CRITICAL, "red")],
            no_value="no requests",
        ),
        number(
            "Models loaded",
            HERE.level(resources.MODELS_LOADED),
            description="Models loaded or served, over all selected instances. Not reported by gateways that load none themselves.",
            unit="short",
            base="red",
            steps=[Step(1, "green")],
            no_value="not reported",
        ),
        number(
            "Cache hit rate",
            m.cache_hit_ratio(HERE),
            description="Hits divided by look-ups in the router's caches. Absent while nothing is looked up. LowCacheHitRate fires below 50 %.",
            unit="percentunit",
            base="orange",
            steps=[Step(m.CACHE_HIT_RATIO_LOW, "green")],
            no_value="no look-ups",
        ),
        number(
            "Requests in flight",
            HERE.level(requests.REQUESTS_IN_FLIGHT),
            description="Routed requests that have begun and not ended, over all selected instances.",
            unit="short",
        ),
        number(
            "Errors",
            m.error_rate(HERE),
            description=(
                "Errors of severity error and critical per second. An attempt that failed and was made good by a retry or "
                "fallback is a warning and does not count. HighErrorRate fires above 0.1/s, CriticalErrorRate above 0.5/s."
            ),
            unit="ops",
            base="green",
            steps=[Step(m.ERROR_RATE_HIGH, "orange"), Step(m.ERROR_RATE_CRITICAL, "red")],
            no_value="none yet",
        ),
        number(
            "Cost per hour",
            HERE.rate(routing.COST).scaled(3600),
            description="What attempts cost at the present rate, in US dollars per hour, failed ones included where they are charged.",
            unit="currencyUSD",
            no_value="no price known",
        ),
    ]


def _traffic() -> Sequence[Panel]:
    return [
        graph(
            "Request volume by method and route",
            Line(HERE.rate(requests.HTTP_REQUESTS, by=[a.METHOD, a.ROUTE]), "{{method}} {{route}}"),
            description="HTTP requests to the router per second, by method and route template; an empty route is one that nothing matched.",
            unit="reqps",
            stacked=True,
        ),
        graph(
            "HTTP duration by route (p95)",
            Line(HERE.quantile(0.95, requests.HTTP_REQUEST_DURATION, by=[a.ROUTE]), "{{route}}"),
            description=(
                "95 % of HTTP requests took at most this long, to the last byte. Buckets end at 30 s, so no value is ever above: "
                "for slow answers look at the inference panels."
            ),
            unit="s",
        ),
        graph(
            "Requests by outcome",
            Line(HERE.rate(requests.INFERENCE, by=[a.STATUS, a.CACHED]), "{{status}}, cached {{cached}}"),
            description="Routed requests per second by how they ended, and whether the answer came from the router's cache.",
            unit="reqps",
            stacked=True,
        ),
    ]


def _latency() -> Sequence[Panel]:
    first = requests.TIME_TO_FIRST_TOKEN
    return [
        graph(
            "Inference p50, p95 and p99",
            Line(m.response_time(HERE, 0.50), "p50"),
            Line(m.response_time(HERE, 0.95), "p95"),
            Line(m.response_time(HERE, 0.99), "p99"),
            description="Duration of routed requests, a stream to its last chunk. Dashed: the thresholds of the two response-time alerts.",
            unit="s",
            steps=[Step(m.RESPONSE_TIME_HIGH, "orange"), Step(m.RESPONSE_TIME_CRITICAL, "red")],
        ),
        graph(
            "Time to first token",
            Line(HERE.quantile(0.50, first), "p50"),
            Line(HERE.quantile(0.95, first), "p95"),
            description="From the start of a streamed request to its first chunk with content: how long a user looks at nothing.",
            unit="s",
            no_value="no streams",
        ),
        graph(
            "Router overhead",
            Line(HERE.quantile(0.50, requests.OVERHEAD), "p50"),
            Line(HERE.quantile(0.95, requests.OVERHEAD), "p95"),
            description="Request time during which no attempt was open: routing, queueing, back-off between retries, cache look-ups.",
            unit="s",
        ),
    ]


def _tokens() -> Sequence[Panel]:
    return [
        graph(
            "Token rate by model",
            Line(m.token_rate(HERE, by=[a.MODEL]), "{{model}}"),
            description="Output tokens given to clients per second, cached answers included, by the model that answered.",
            unit="si:tok/s",
            stacked=True,
        ),
        graph(
            "Cache hit rate by cache",
            Line(m.cache_hit_ratio(HERE, by=[a.CACHE_TYPE]), "{{cache_type}}"),
            description="Hits divided by look-ups, for each cache. Dashed: the threshold of LowCacheHitRate, which looks at all caches together.",
            unit="percentunit",
            steps=[Step(m.CACHE_HIT_RATIO_LOW, "orange")],
            maximum=1,
            no_value="no look-ups",
        ),
        graph(
            "Cost by provider",
            Line(HERE.rate(routing.COST, by=[a.PROVIDER]).scaled(3600), "{{provider}}"),
            description="US dollars per hour at the present rate, by provider, failed attempts included where they are charged.",
            unit="currencyUSD",
            stacked=True,
            no_value="no price known",
        ),
    ]


def _upstreams() -> Sequence[Panel]:
    return [
        graph(
            "Attempts by provider and outcome",
            Line(HERE.rate(routing.ATTEMPTS, by=[a.PROVIDER, a.STATUS]), "{{provider}} {{status}}"),
            description="Calls to deployments per second. A request has none when it is answered from the cache, and several when it is retried or falls back.",
            unit="ops",
            stacked=True,
            width=12,
        ),
        graph(
            "Retries and fallbacks",
            Line(HERE.rate(routing.RETRIES), "retries"),
            Line(HERE.rate(routing.FALLBACKS, by=[a.STATUS]), "fallbacks, {{status}}"),
            description="Further attempts at the same model (group) per second, and moves to another one by how they ended.",
            unit="ops",
            no_value="none yet",
            width=12,
        ),
        graph(
            "Cool-downs",
            Line(HERE.rate(routing.COOLDOWNS, by=[a.PROVIDER, a.MODEL]), "{{provider}} {{model}}"),
            description="Times per second that a deployment was taken out of rotation.",
            unit="ops",
            no_value="none yet",
        ),
        graph(
            "Rate limits hit upstream",
            Line(HERE.rate(routing.RATE_LIMIT_HITS, by=[a.PROVIDER]), "{{provider}}"),
            description="Attempts per second that a provider turned away for its rate limit.",
            unit="ops",
            no_value="none yet",
        ),
        graph(
            "Streams broken off",
            Line(HERE.rate(requests.STREAM_ABORTS, by=[a.ABORT_SIDE, a.STREAM_PHASE]), "{{side}} {{phase}}"),
            description="Streams per second that did not reach their end, by who broke them off and whether anything had arrived.",
            unit="ops",
            no_value="none yet",
        ),
    ]
