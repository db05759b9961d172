"""The model performance dashboard: which models serve, how fast each is, what it holds and what it costs.

Measures and instruments come in, the JSON text of the dashboard goes out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from grafana_foundation_sdk.models.dashboard import Panel

from dashboards.source import measures as m
from dashboards.source.layout import Row, render
from dashboards.source.measures import DASHBOARD as HERE
from dashboards.source.panels import Line, graph, heat_map, shares
from otel_llm_router.signals import attributes as a
from otel_llm_router.signals.instruments import requests, resources, routing


def text() -> str:
    """Render the dashboard."""
    return render(
        "llm-router-model-performance",
        description="Use, speed, memory, load times, routing and cost of each model behind the router.",
        rows=[
            Row("Use", _use()),
            Row("Speed", _speed()),
            Row("Memory and loading", _loading()),
            Row("Routing and cost", _routing()),
        ],
    )


def _use() -> Sequence[Panel]:
    whole_range = replace(HERE, window="$__range")
    return [
        shares(
            "Usage share",
            Line(whole_range.increase(requests.INFERENCE, by=[a.MODEL]), "{{model}}"),
            description="Routed requests in the time range of the dashboard, by the model that answered; the requested one where none did.",
            unit="short",
            no_value="no requests",
        ),
        graph(
            "Requests by model",
            Line(m.request_rate(HERE, by=[a.MODEL]), "{{model}}"),
            description="Routed requests per second, by the model that answered; the requested one where none did.",
            unit="reqps",
            stacked=True,
        ),
        graph(
            "Success rate by model",
            Line(m.success_ratio(HERE, by=[a.MODEL]), "{{model}}"),
            description="Successes divided by successes and errors; aborted requests are in neither.",
            unit="percentunit",
            maximum=1,
        ),
    ]


def _speed() -> Sequence[Panel]:
    return [
        graph(
            "Tokens/s by model (p95)",
            Line(HERE.quantile(0.95, requests.TOKENS_PER_SECOND, by=[a.MODEL]), "{{model}}"),
            description=(
                "Output tokens of a request divided by its duration: the speed that the fastest 5 % of requests exceed. "
                "Buckets end at 500 tokens/s. Time per output token shows the slow end."
            ),
            unit="si:tok/s",
            width=12,
        ),
        graph(
            "Time per output token by model (p95)",
            Line(HERE.quantile(0.95, requests.TIME_PER_OUTPUT_TOKEN, by=[a.MODEL]), "{{model}}"),
            description="Mean time between output tokens of a streamed request after the first, at the slow end: 5 % of streams are slower.",
            unit="s",
            no_value="no streams",
            width=12,
        ),
        graph(
            "Inference duration by model (p95)",
            Line(m.response_time(HERE, 0.95, by=[a.MODEL]), "{{model}}"),
            description="95 % of the routed requests that the model answered took at most this long, a stream to its last chunk.",
            unit="s",
            width=12,
        ),
        graph(
            "Time to first token by model (p95)",
            Line(HERE.quantile(0.95, requests.TIME_TO_FIRST_TOKEN, by=[a.MODEL]), "{{model}}"),
            description="From the start of a streamed request to its first chunk with content, at the slow end.",
            unit="s",
            no_value="no streams",
            width=12,
        ),
    ]


def _loading() -> Sequence[Panel]:
    return [
        graph(
            "Memory by model",
            Line(HERE.level(resources.MODEL_MEMORY, by=[a.MODEL]), "{{model}}"),
            description="Memory that loaded models take, over all selected instances. A model's series ends when it is unloaded. Not reported by gateways that load none.",
            unit="bytes",
            stacked=True,
            no_value="not reported",
            width=12,
        ),
        heat_map(
            "Model load time",
            HERE.heat(resources.MODEL_LOAD_DURATION),
            description=(
                "How many models took how long to load, and when. A model's first load counts although its series is born with it; "
                "after Prometheus itself was away for minutes, loads from before may show once more in one column."
            ),
            unit="s",
            no_value="no loads",
        ),
    ]


def _routing() -> Sequence[Panel]:
    return [
        graph(
            "Decisions by strategy and model",
            Line(HERE.rate(routing.DECISIONS, by=[a.STRATEGY, a.MODEL]), "{{strategy}}: {{model}}"),
            description="Routing decisions per second, by the strategy that made them and the model that they chose.",
            unit="ops",
            stacked=True,
            width=12,
        ),
        graph(
            "Fallbacks by model",
            Line(
                HERE.rate(routing.FALLBACKS, by=[a.FROM_MODEL, a.TO_MODEL, a.STATUS]),
                "{{from_model}} to {{to_model}}, {{status}}",
            ),
            description="Moves to another model (group) after a failure per second, by how they ended.",
            unit="ops",
            no_value="none yet",
            width=12,
        ),
        graph(
            "Tokens by type",
            Line(HERE.rate(routing.TOKENS, by=[a.TOKEN_TYPE, a.USAGE_SOURCE]), "{{type}}, {{source}}"),
            description="Tokens of attempts per second, and who counted them. cache_read and cache_write are parts of input, reasoning is a part of output: not to be added.",
            unit="si:tok/s",
            width=12,
        ),
        graph(
            "Cost by model",
            Line(HERE.rate(routing.COST, by=[a.MODEL]).scaled(3600), "{{model}}"),
            description="US dollars per hour at the present rate, by model, failed attempts included where they are charged.",
            unit="currencyUSD",
            stacked=True,
            no_value="no price known",
            width=12,
        ),
    ]
