"""The metric reader behind ``/metrics``.

Room: `export`. Reads the same cumulative aggregation that OTLP pushes, when a scrape asks.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final, Protocol

from opentelemetry.sdk.metrics import (
    Counter,
    Histogram,
    ObservableCounter,
    ObservableGauge,
    ObservableUpDownCounter,
    UpDownCounter,
)
from opentelemetry.sdk.metrics.export import AggregationTemporality, MetricReader, MetricsData, NumberDataPoint

from otel_llm_router.aggregation import numbers
from otel_llm_router.export._late import importing

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource
    from prometheus_client.core import Metric as Family

    from otel_llm_router.aggregation import Snapshot
    from otel_llm_router.export._families import Families
    from otel_llm_router.export._numbers import Points
    from otel_llm_router.export._own_text import OwnText

_INSTRUMENTS: tuple[type, ...] = (
    Counter,
    Histogram,
    ObservableCounter,
    ObservableGauge,
    ObservableUpDownCounter,
    UpDownCounter,
)

_END: Final = b"# EOF\n"
"""The last line of OpenMetrics."""

_REWRITING: Final = ("escaping=dots", "escaping=values")
"""Schemes by which `prometheus_client` changes names that need no escaping."""


class ScrapeTimer(Protocol):
    """Told how long each scrape took."""

    def __call__(self, seconds: float, /) -> None:
        """Take the seconds of one scrape."""
        ...


def _encoder_for(accept: str) -> tuple[Callable[[Any], bytes], str]:
    with importing():  # a process that is never scraped does without
        from prometheus_client.exposition import choose_encoder  # noqa: PLC0415
    try:
        return choose_encoder(accept)
    except Exception:  # noqa: BLE001  # an Accept header can be any text
        return choose_encoder("")


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
        self._own: tuple[Callable[[], Snapshot], Resource] | None = None
        self._own_text: OwnText | None = None
        self._lock = threading.Lock()

    def take_snapshots(self, snapshot: Callable[[], Snapshot], resource: Resource) -> None:
        """Render our own scope from ``snapshot``; what is collected is the other scopes' then."""
        self._own = snapshot, resource

    @staticmethod
    def format_of(accept: str) -> str:
        """Return what stands for the format that ``accept`` prefers: two of the same are rendered alike."""
        return _encoder_for(accept)[1]

    def render_json(self) -> bytes:
        """Collect, and return every metric as JSON; see `_json`."""
        with importing():
            from otel_llm_router.export import _json  # noqa: PLC0415
            from otel_llm_router.export._families import Families  # noqa: PLC0415
            from otel_llm_router.export._own_text import OwnText  # noqa: PLC0415
        families = Families(self._own_scope)
        with self._lock:
            self.collect()
            data, self._data = self._data, None
            if data is not None:
                families.add(data)
            self._add_own(families, OwnText(), _REWRITING[0])
        return _json.text(families.families())

    def render(self, accept: str = "") -> tuple[bytes, str]:
        """Collect, and return (body, content type) in the format that ``accept`` prefers."""
        began = time.perf_counter()
        with importing():  # a process that is never scraped does without
            from otel_llm_router.export._families import Families  # noqa: PLC0415
            from otel_llm_router.export._own_text import OwnText  # noqa: PLC0415
        encoder, content_type = _encoder_for(accept)
        families = Families(self._own_scope)
        with self._lock:
            self.collect()
            data, self._data = self._data, None
            if data is not None:
                families.add(data)
            if self._own_text is None:
                self._own_text = OwnText()
            own = self._add_own(families, self._own_text, content_type)
        body: bytes = encoder(_Snapshot(families.families()))  # pyright: ignore[reportArgumentType]
        if own:
            body = body.removesuffix(_END) + own + (_END if body.endswith(_END) else b"")
        if self._timer is not None:
            self._timer(time.perf_counter() - began)
        return body, content_type

    def points(self) -> Points:
        """Collect, and return the points of our own sums and gauges."""
        with self._lock:
            if self._own is not None:
                read, _ = self._own
                return {
                    description.name: [
                        (dict(labels), value) for labels, value in zip(points, numbers(points), strict=True)
                    ]
                    for description, points in read().items()
                    if description.shape != "histogram"
                }
            self.collect()
            data, self._data = self._data, None
        found: dict[str, list[tuple[dict[str, str], float]]] = {}
        for resource in data.resource_metrics if data is not None else ():
            for scope in resource.scope_metrics:
                if scope.scope.name != self._own_scope:
                    continue
                for metric in scope.metrics:
                    found[metric.name] = [
                        ({key: str(value) for key, value in (point.attributes or {}).items()}, point.value)
                        for point in metric.data.data_points
                        if isinstance(point, NumberDataPoint)
                    ]
        return found

    def _add_own(self, families: Families, text: OwnText, content_type: str) -> bytes:
        """Return the text of our own scope, but for what must go through ``families``."""
        if self._own is None:
            return b""
        read, resource = self._own
        snapshot = read()
        if not snapshot:
            return b""
        families.target_info(resource)
        if any(scheme in content_type for scheme in _REWRITING):
            families.add_own(snapshot)
            return b""
        own, shared = text.apart(snapshot, families.names())
        families.add_own(shared)
        return text.text(own, open_metrics=content_type.startswith("application/openmetrics-text"))

    def _receive_metrics(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any) -> None:  # noqa: ARG002
        self._data = metrics_data

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        """Stop; a scrape after it sees nothing new."""
