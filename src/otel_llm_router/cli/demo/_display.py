"""Live figures while traffic runs, and the table at the end.

Room: `cli`. Samples of the gateway's scrape come in; a table goes to a terminal, a line every few
seconds elsewhere.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType
from typing import Final

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text
from typing_extensions import Self

from otel_llm_router.cli.demo._reconcile import MODELS, Row
from otel_llm_router.cli.demo._samples import Samples
from otel_llm_router.signals.instruments import requests, resources, routing

_LINE_SECONDS: Final = 2.0


def _figures(samples: Samples, seconds: float) -> list[tuple[str, str]]:
    inference = requests.INFERENCE.prometheus_name
    count = samples.sum(inference)
    p50 = samples.quantile(requests.INFERENCE_DURATION.prometheus_name, 0.5)
    p95 = samples.quantile(requests.INFERENCE_DURATION.prometheus_name, 0.95)
    first = samples.quantile(requests.TIME_TO_FIRST_TOKEN.prometheus_name, 0.5)
    tokens = samples.sum(requests.TOKENS_GENERATED.prometheus_name)
    hits = samples.sum(resources.CACHE_HITS.prometheus_name)
    lookups = hits + samples.sum(resources.CACHE_MISSES.prometheus_name)
    return [
        ("requests", f"{count:.0f} ({count / max(seconds, 0.1):.1f}/s)"),
        ("  succeeded", f"{samples.sum(inference, status='success'):.0f}"),
        ("  failed", f"{samples.sum(inference, status='error'):.0f}"),
        ("  abandoned", f"{samples.sum(inference, status='aborted'):.0f}"),
        ("in flight", f"{samples.sum(requests.REQUESTS_IN_FLIGHT.prometheus_name):.0f}"),
        ("duration p50 / p95", f"{_ms(p50)} / {_ms(p95)}"),
        ("time to first token p50", _ms(first)),
        ("output tokens", f"{tokens:.0f} ({tokens / max(seconds, 0.1):.0f}/s)"),
        ("cost", f"${samples.sum(routing.COST.prometheus_name):.4f}"),
        ("cache hits", f"{hits:.0f} of {lookups:.0f}"),
        ("retries", f"{samples.sum(routing.RETRIES.prometheus_name):.0f}"),
        ("fallbacks", f"{samples.sum(routing.FALLBACKS.prometheus_name):.0f}"),
        ("cool-downs", f"{samples.sum(routing.COOLDOWNS.prometheus_name):.0f}"),
    ]


def _ms(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds * 1000:.0f} ms"


def _attempts(samples: Samples) -> Table:
    table = Table("upstream", "attempts", "failed", "tokens in / out", box=None, pad_edge=False, header_style="bold")
    attempts, tokens = routing.ATTEMPTS.prometheus_name, routing.TOKENS.prometheus_name
    for name, models in MODELS.items():
        table.add_row(
            name,
            f"{samples.sum(attempts, model=models):.0f}",
            f"{samples.sum(attempts, model=models, status='error'):.0f}",
            f"{samples.sum(tokens, model=models, type='input'):.0f} / {samples.sum(tokens, model=models, type='output'):.0f}",
        )
    return table


class Display:
    """Shows figures as they change.

    Args:
        console: Where.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None
        self._began = time.monotonic()
        self._last_line = 0.0

    def __enter__(self) -> Self:
        self._began = time.monotonic()
        if self._console.is_terminal:
            self._live = Live(console=self._console, refresh_per_second=4, transient=True)
            self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.__exit__(kind, error, trace)

    def show(self, samples: Samples, *, last: bool = False) -> None:
        """Show the figures of one scrape; the ``last`` one in any case."""
        seconds = time.monotonic() - self._began
        figures = _figures(samples, seconds)
        if self._live is not None:
            table = Table(box=None, show_header=False, pad_edge=False)
            for name, value in figures:
                table.add_row(name, value)
            title = Text(f"{seconds:.0f} s of traffic, as the gateway's /metrics tells it", style="bold")
            self._live.update(Group(title, table, Text(), _attempts(samples)))
        elif last or seconds - self._last_line >= _LINE_SECONDS or self._last_line == 0.0:
            self._last_line = seconds
            line = ", ".join(f"{name.strip()} {value}" for name, value in figures[:9])
            self._console.print(f"{seconds:4.0f} s: {line}", soft_wrap=True, highlight=False)


def reconciliation(rows: Sequence[Row], delivery: str) -> Table:
    """Return the table of the comparison."""
    table = Table(title="What happened, and what the telemetry says", title_justify="left", caption_justify="left")
    table.caption = f"OTLP was delivered to {delivery}."
    for column in ("what", "upstreams and clients", "scrape", "OTLP", ""):
        table.add_column(column, justify="left" if column in {"what", ""} else "right")
    for row in rows:
        verdict = Text("equal", style="green") if row.equal else Text("DIFFERENT", style="bold red")
        table.add_row(row.what, f"{row.upstream:g}", f"{row.scrape:g}", f"{row.otlp:g}", verdict)
    return table
