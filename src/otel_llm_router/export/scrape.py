"""The metric reader behind ``/metrics``.

Room: `export`. Reads the same cumulative aggregation that OTLP pushes, when a scrape asks.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Protocol

from opentelemetry.sdk.metrics import (
    Counter,
    Histogram,
    ObservableCounter,
    ObservableGauge,
    ObservableUpDownCounter,
    UpDownCounter,
)
from opentelemetry.sdk.metrics.export import AggregationTemporality, MetricReader, MetricsData

from otel_llm_router.export._late import importing

if TYPE_CHECKING:
    from prometheus_client.core import Metric as Family

_INSTRUMENTS: tuple[type, ...] = (
    Counter,
    Histogram,
    ObservableCounter,
    ObservableGauge,
    ObservableUpDownCounter,
    UpDownCounter,
)


class ScrapeTimer(Protocol):
    """Told how long each scrape took."""

    def __call__(self, seconds: float, /) -> None:
        """Take the seconds of one scrape."""
        ...


class _Snapshot:
    """What `prometheus_client`'s encoders take: anything with ``collect``."""

    def __init__(self, families: Iterable[Family]) -> None:
        self._families = families

    def collect(self) -> Iterable[Family]:
        return self._families


class ScrapeReader(MetricReader):
    """Renders every metric of a provider as Prometheus or OpenMetrics text.

    Args:
        own_scope: Name of our instrumentation scope; other scopes' series carry theirs as a label.
        timer: Told how long each scrape took.
    """

    def __init__(self, own_scope: str, *, timer: ScrapeTimer | None = None) -> None:
        super().__init__(preferred_temporality=dict.fromkeys(_INSTRUMENTS, AggregationTemporality.CUMULATIVE))
        self._own_scope = own_scope
        self._timer = timer
        self._data: MetricsData | None = None
        self._lock = threading.Lock()

    def render(self, accept: str = "") -> tuple[bytes, str]:
        """Collect, and return (body, content type) in the format that ``accept`` prefers."""
        began = time.perf_counter()
        with importing():  # a process that is never scraped does without
            from prometheus_client.exposition import choose_encoder  # noqa: PLC0415

            from otel_llm_router.export._families import Families  # noqa: PLC0415
        families = Families(self._own_scope)
        with self._lock:
            self.collect()
            data, self._data = self._data, None
        if data is not None:
            families.add(data)
        try:
            encoder, content_type = choose_encoder(accept)
        except Exception:  # noqa: BLE001  # an Accept header can be any text
            encoder, content_type = choose_encoder("")
        body: bytes = encoder(_Snapshot(families.families()))  # pyright: ignore[reportArgumentType]
        if self._timer is not None:
            self._timer(time.perf_counter() - began)
        return body, content_type

    def _receive_metrics(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any) -> None:  # noqa: ARG002
        self._data = metrics_data

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        """Stop; a scrape after it sees nothing new."""
