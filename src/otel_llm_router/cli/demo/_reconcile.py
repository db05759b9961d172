"""What really happened, beside what the scrape says and what OTLP delivered.

Room: `cli`. Records of clients and upstreams, and two sets of samples, come in; rows go out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from otel_llm_router.cli.demo._samples import Samples
from otel_llm_router.signals.instruments import requests, resources, routing

MODELS: Final[Mapping[str, tuple[str, ...]]] = {
    "alpha": ("gpt-4o-mini",),
    "beta": ("gpt-4o",),
    "gamma": ("gpt-4.1-mini", "text-embedding-3-small"),
}
"""The models that each upstream serves in the gateway's configuration."""


@dataclass(frozen=True)
class Row:
    """One number, as three sides have it.

    Args:
        what: What is counted.
        upstream: As upstreams and clients wrote it down.
        scrape: As ``/metrics`` says.
        otlp: As OTLP delivered.
    """

    what: str
    upstream: float
    scrape: float
    otlp: float

    @property
    def equal(self) -> bool:
        """Whether all three agree."""
        return self.upstream == self.scrape == self.otlp

    def as_dict(self) -> dict[str, Any]:
        """Return the row for JSON, whole numbers as such."""
        values = {key: int(value) if value == int(value) else value for key, value in self._numbers().items()}
        return {"what": self.what, **values, "equal": self.equal}

    def _numbers(self) -> dict[str, float]:
        return {"upstream": self.upstream, "scrape": self.scrape, "otlp": self.otlp}


def rows(
    clients: Counter[str],
    upstreams: Mapping[str, Counter[str]],
    scrape: Samples,
    otlp: Samples,
    spans: Mapping[str, int],
    *,
    all_sampled: bool = True,
) -> list[Row]:
    """Return every row.

    Args:
        clients: What the clients saw.
        upstreams: What each upstream served.
        scrape: The last scrape.
        otlp: The last metrics over OTLP.
        spans: Spans over OTLP by kind.
        all_sampled: Whether every request has spans; if not, each that has one at its door has one for its route.
    """
    total = sum(upstreams.values(), Counter[str]())
    table: list[Row] = []

    def row(what: str, truth: float, ask: Callable[[Samples], float]) -> None:
        table.append(Row(what, truth, ask(scrape), ask(otlp)))

    inference, attempts = requests.INFERENCE.prometheus_name, routing.ATTEMPTS.prometheus_name
    tokens, hits = routing.TOKENS.prometheus_name, resources.CACHE_HITS.prometheus_name
    http = requests.HTTP_REQUESTS.prometheus_name
    row("requests", clients["requests"], lambda s: s.sum(inference))
    row("requests over HTTP", clients["requests"], lambda s: s.sum(http))
    row("requests that succeeded", clients["successes"], lambda s: s.sum(inference, status="success"))
    row("requests that failed", clients["errors"], lambda s: s.sum(inference, status="error"))
    row("streams that clients abandoned", clients["abandoned"], lambda s: s.sum(inference, status="aborted"))
    row("answers from the cache", clients["cached"], lambda s: s.sum(inference, cached="true"))
    row("cache hits", clients["cached"], lambda s: s.sum(hits))
    for name, models in MODELS.items():
        row(f"attempts at {name}", upstreams[name]["attempts"], lambda s, models=models: s.sum(attempts, model=models))
    row("attempts that succeeded", total["successes"], lambda s: s.sum(attempts, status="success"))
    row("attempts that failed", total["errors"], lambda s: s.sum(attempts, status="error"))
    row("attempts abandoned", total["aborts"], lambda s: s.sum(attempts, status="aborted"))
    row("attempts refused with 429", total["errors.429"], lambda s: s.sum(attempts, error_type="rate_limit"))
    row("streams cut by an upstream", total["errors.cut"], lambda s: s.sum(attempts, error_type="stream_interrupted"))
    for kind in ("input", "output", "cache_read", "reasoning"):
        row(
            f"{kind} tokens reported",
            total[f"tokens.{kind}"],
            lambda s, kind=kind: s.sum(tokens, type=kind, source="reported"),
        )
    missing = routing.USAGE_MISSING.prometheus_name
    # An answer that broke off half-way has no usage either.
    without = total["usage_missing"] + total["aborts"] + total["errors.cut"]
    row("answers without usage", without, lambda s: s.sum(missing))
    if not all_sampled:
        sampled = spans.get("server", 0)
        table.append(Row("spans of sampled requests", sampled, sampled, spans.get("internal", 0)))
        return table
    table.append(Row("spans of requests", clients["requests"], scrape.sum(inference), spans.get("internal", 0)))
    table.append(Row("spans of attempts", total["attempts"], scrape.sum(attempts), spans.get("client", 0)))
    table.append(Row("spans of HTTP requests", clients["requests"], scrape.sum(http), spans.get("server", 0)))
    return table
