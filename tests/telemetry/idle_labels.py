"""A router whose label values make room, with doors for totals and for changes."""

# White-box: the clock that the slots are measured with.
# pyright: reportPrivateUsage=false

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from opentelemetry.sdk.metrics import Counter, Histogram, UpDownCounter
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader
from opentelemetry.sdk.resources import Resource

from otel_llm_router.aggregation import MeterProvider, Pipeline
from otel_llm_router.signals.instruments import routing
from otel_llm_router.telemetry import Telemetry, _bounds
from otel_llm_router.telemetry._recorder import SCOPE

LIMIT = 6
IDLE = 1000.0
LONG = IDLE + _bounds.REMEMBERED + _bounds.NOTED + 1

SAVED = routing.COST_SAVED.name
IN_FLIGHT = routing.ATTEMPTS_IN_FLIGHT.name

DELTA = dict.fromkeys((Counter, Histogram, UpDownCounter), AggregationTemporality.DELTA)


@dataclass
class Router:
    """A router whose time passes when it is told to, a door that wants totals and one that wants changes."""

    idle: float = IDLE
    now: float = 0.0
    changed: dict[str, float] = field(default_factory=dict[str, float])

    def __post_init__(self) -> None:
        self.totals, self.changes = InMemoryMetricReader(), InMemoryMetricReader(preferred_temporality=DELTA)
        provider = MeterProvider(
            SCOPE,
            Pipeline(),
            resource=Resource.get_empty(),
            metric_readers=[self.totals, self.changes],
            shutdown_on_exit=False,
        )
        self.store = provider.aggregation
        self.telemetry = Telemetry(meter_provider=provider, label_limit=LIMIT, label_idle=self.idle)
        self.telemetry.recorder.bounds._clock = lambda: self.now
        self.waits = self.telemetry.histogram("app.wait", labels=["tenant", "model"], buckets=[1, 10])

    def passes(self, seconds: float) -> None:
        """Let time pass, for the handles that are remembered too."""
        self.now += seconds
        self.telemetry.recorder.forget_series()

    def series(self, name: str) -> dict[tuple[str, ...], float]:
        return {labels: value for labels, _, value in points_of(self.totals).get(name, [])}

    def take_changes(self) -> None:
        for name, points in points_of(self.changes).items():
            for _, _, value in points:
                assert value >= 0 or name == IN_FLIGHT
                self.changed[name] = self.changed.get(name, 0) + value


def points_of(reader: InMemoryMetricReader) -> dict[str, list[tuple[tuple[Any, ...], int, float]]]:
    """Return labels, start and value or count of each series, by the name of the instrument."""
    data = reader.get_metrics_data()
    return {
        metric.name: [
            (
                tuple((point.attributes or {}).values()),
                point.start_time_unix_nano or 0,
                point.value if hasattr(point, "value") else point.count,  # type: ignore[union-attr]
            )
            for point in metric.data.data_points
        ]
        for resource in (data.resource_metrics if data is not None else ())
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }
