"""The metric reader behind ``/metrics``.

Room: `export`. Reads the same cumulative aggregation that OTLP pushes, when a scrape asks.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
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
from opentelemetry.sdk.resources import Resource

from otel_llm_router.aggregation import numbers
from otel_llm_router.export._late import importing
from otel_llm_router.export._pause import forks_wait
from otel_llm_router.export._texts import text_of

if TYPE_CHECKING:
    from prometheus_client.core import Metric as Family

    from otel_llm_router.aggregation import OwnScope, Snapshot
    from otel_llm_router.export._families import Families
    from otel_llm_router.export._numbers import Points
    from otel_llm_router.export._own_text import OwnText
    from otel_llm_router.export.workers import Gathered

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
        self._own_scope_read: OwnScope | None = None
        self._observed: Snapshot = {}
        self._resource: Mapping[str, Any] = {}
        self._gather: Callable[[], Gathered] | None = None
        self._lock = threading.Lock()

    def restart(self) -> None:
        """Begin again in a forked child, where a thread of its parent's may have been at work here."""
        self._lock = threading.Lock()
        self._data, self._own_text, self._observed = None, None, {}

    def show(self, gather: Callable[[], Gathered] | None) -> None:
        """Render what ``gather`` returns, all processes of the service, in place of this one's metrics alone."""
        self._gather = gather

    def take_own_scope(self, own: OwnScope) -> None:
        """Say all of our scope to other processes, as ``own`` has it."""
        self._own_scope_read = own

    def keep_ended(self) -> None:
        """See `Aggregation.keep_ended`."""
        if self._own_scope_read is not None:
            self._own_scope_read.keep_ended()

    def pulse(self) -> Sequence[float] | None:
        """Return numbers that change when our scope counts something; None when that cannot be known."""
        return self._own_scope_read.pulse() if self._own_scope_read is not None else None

    def resource(self) -> Mapping[str, str]:
        """Return who is sending, as far as it is known."""
        attributes = self._own[1].attributes if self._own is not None else self._resource
        return {key: text_of(value) for key, value in attributes.items()}

    def local(self, *, observe: bool) -> tuple[Snapshot, Snapshot]:
        """Return all that this process has, of every scope, and the counts of series that have made room.

        Args:
            observe: Whether our scope's callbacks are asked; else what they said last is taken.
        """
        with importing():
            from otel_llm_router.export._foreign import snapshot_of  # noqa: PLC0415  # one process needs none of it
        with forks_wait():
            data = self._collected()
            own = self._own_scope_read.whole(observe=observe) if self._own_scope_read is not None else None
            if own is not None and observe:
                self._observed = own.observed
            observed = self._observed
        live = dict(snapshot_of(data, self._own_scope)) if data is not None else {}
        if data is not None and data.resource_metrics:
            self._resource = data.resource_metrics[0].resource.attributes
        if own is None:
            return live, {}
        return {**live, **observed, **own.recorded}, own.ended

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
            self._add_all(families, OwnText(), _REWRITING[0])
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
            if self._own_text is None:
                self._own_text = OwnText()
            own = self._add_all(families, self._own_text, content_type)
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
            data = self._collected()
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

    def _collected(self) -> MetricsData | None:
        with forks_wait():
            self.collect()
            data, self._data = self._data, None
        if data is None:
            return None
        with importing():
            from otel_llm_router.export import _redacting  # noqa: PLC0415  # with the first scrape
        return _redacting.metrics(data)

    def _add_all(self, families: Families, text: OwnText, content_type: str) -> bytes:
        """Return the text of our own scope, or of all processes, but for what must go through ``families``."""
        if self._gather is not None:
            gathered = self._gather()
            return _add(gathered.snapshot, Resource(gathered.resource), families, text, content_type)
        data = self._collected()
        if data is not None:
            families.add(data)
        if self._own is None:
            return b""
        read, resource = self._own
        return _add(read(), resource, families, text, content_type)

    def _receive_metrics(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any) -> None:  # noqa: ARG002
        self._data = metrics_data

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        """Stop; a scrape after it sees nothing new."""


def _add(snapshot: Snapshot, resource: Resource, families: Families, text: OwnText, content_type: str) -> bytes:
    """Return the text of a snapshot, but for what must go through ``families``."""
    if not snapshot:
        return b""
    families.target_info(resource)
    if any(scheme in content_type for scheme in _REWRITING):
        families.add_own(snapshot)
        return b""
    own, shared = text.apart(snapshot, families.names())
    families.add_own(shared)
    return text.text(own, open_metrics=content_type.startswith("application/openmetrics-text"))
