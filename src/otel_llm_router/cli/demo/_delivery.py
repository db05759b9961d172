"""Where the gateway's OTLP goes: the receiver inside the demonstration, or a real Collector.

Room: `cli`. Both answer the same questions: what metrics have arrived, and how many spans of each kind.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from otel_llm_router.cli._progress import Progress
from otel_llm_router.cli.demo._samples import Samples

_KINDS: Final = {1: "internal", 2: "server", 3: "client"}


@dataclass(frozen=True)
class Delivery:
    """A place that OTLP is delivered to.

    Args:
        endpoint: Value for ``OTEL_EXPORTER_OTLP_ENDPOINT``.
        name: What it is, in words.
        samples: Returns the metrics that have arrived.
        spans: Returns the number of spans of each kind that have arrived.
    """

    endpoint: str
    name: str
    samples: Callable[[], Samples]
    spans: Callable[[], Mapping[str, int]]


@contextmanager
def in_process() -> Generator[Delivery]:
    """Receive inside this process."""
    from otel_llm_router.cli.demo._receiver import Receiver  # noqa: PLC0415  # not needed with a Collector

    receiver = Receiver()
    endpoint = receiver.start()
    try:
        yield Delivery(endpoint, "the receiver inside the demo", receiver.samples, lambda: receiver.spans)
    finally:
        receiver.stop()


@contextmanager
def through_collector(directory: Path, progress: Progress) -> Generator[Delivery]:
    """Receive in a real Collector: its scrape endpoint says which metrics arrived, its file which spans.

    Raises:
        ClickException: there is no Collector and none can be built, or it does not start.
    """
    from otel_llm_router.cli._collector_locate import ensure_collector  # noqa: PLC0415
    from otel_llm_router.cli._collector_process import CollectorProcess  # noqa: PLC0415
    from otel_llm_router.cli._collector_settings import CollectorSettings  # noqa: PLC0415

    binary = ensure_collector(progress)
    settings = CollectorSettings.on_free_ports(directory)
    with CollectorProcess(binary, settings, log=directory / "collector.log") as collector:
        url = collector.prometheus_url
        yield Delivery(
            collector.otlp_http_url,
            f"the Collector {binary}",
            lambda: Samples.of_text(httpx.get(url, timeout=10).text),
            lambda: _spans_in(settings.traces_file),
        )


def _spans_in(file: Path) -> Mapping[str, int]:
    counts: Counter[str] = Counter()
    if file.exists():
        for line in file.read_text().splitlines():
            for resource in json.loads(line).get("resourceSpans", ()):
                for scope in resource.get("scopeSpans", ()):
                    counts.update(_KINDS.get(span.get("kind"), "other") for span in scope.get("spans", ()))
    return counts
