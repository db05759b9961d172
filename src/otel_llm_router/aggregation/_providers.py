"""Providers of the SDK that hand out our meter and tracer for one scope.

Room: `aggregation`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from opentelemetry import metrics, trace
from opentelemetry.sdk import metrics as sdk_metrics
from opentelemetry.sdk import trace as sdk_trace
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    MetricReader,
    MetricsData,
    ResourceMetrics,
    ScopeMetrics,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.util.types import Attributes

from otel_llm_router import _otel_compat as _compat
from otel_llm_router.aggregation._data import View
from otel_llm_router.aggregation._handles import measured_in
from otel_llm_router.aggregation._meter import Meter
from otel_llm_router.aggregation._pipeline import Pipeline
from otel_llm_router.aggregation._store import IDLE, Aggregation, Shape, Snapshot, Whole
from otel_llm_router.aggregation._tracer import Tracer

_SHAPES: dict[Shape, type] = {
    "counter": sdk_metrics.Counter,
    "up_down_counter": sdk_metrics.UpDownCounter,
    "histogram": sdk_metrics.Histogram,
}


@runtime_checkable
class SnapshotTaker(Protocol):
    """A metric reader that takes our scope as snapshots, beside what it collects of the others."""

    def take_snapshots(self, snapshot: Callable[[], Snapshot], resource: Resource) -> None:
        """Take what ``snapshot`` returns, whenever it is called, as ``resource``'s."""
        ...


class OwnScope:
    """Our scope, for a reader that wants more of it than snapshots.

    Args:
        aggregation: Its numbers.
        settle: Does what must be done before they are read.
    """

    def __init__(self, aggregation: Aggregation, settle: Callable[[], None]) -> None:
        self._aggregation = aggregation
        self._settle = settle

    def whole(self, *, observe: bool) -> Whole:
        """Return all there is; what callbacks know only if ``observe``."""
        return self._aggregation.whole(self._settle, observe=observe)

    def keep_ended(self) -> None:
        """See `Aggregation.keep_ended`."""
        self._aggregation.keep_ended()

    def pulse(self) -> Sequence[float]:
        """See `Aggregation.pulse`."""
        return self._aggregation.pulse()


@runtime_checkable
class OwnScopeTaker(Protocol):
    """A metric reader that wants more of our scope than snapshots."""

    def take_own_scope(self, own: OwnScope) -> None:
        """Take it."""
        ...


class MeterProvider(sdk_metrics.MeterProvider):
    """The SDK's meter provider, with one scope of its own.

    Args:
        scope: Name of the scope that is aggregated here.
        pipeline: Work that must be done before anything is read.
        resource: Who is sending.
        metric_readers: Doors; each sees both.
        label_idle: See option ``label_idle``.
        kwargs: What the SDK's provider takes.
    """

    def __init__(
        self,
        scope: str,
        pipeline: Pipeline,
        *,
        resource: Resource,
        metric_readers: Any = (),
        label_idle: float = IDLE,
        **kwargs: Any,
    ) -> None:
        self._own_scope = scope
        self._own_resource = resource
        self._own_version: str | None = None
        self._pipeline = pipeline
        self.aggregation = Aggregation(idle=label_idle)
        readers = list(metric_readers)
        super().__init__(resource=resource, metric_readers=readers, **kwargs)
        for reader in readers:
            self._join(reader)

    def get_meter(
        self,
        name: str,
        version: str | None = None,
        schema_url: str | None = None,
        attributes: Attributes = None,
    ) -> metrics.Meter:
        """Return a meter; ours for our scope."""
        meter = super().get_meter(name, version, schema_url, attributes)
        if name != self._own_scope or isinstance(meter, metrics.NoOpMeter):
            return meter
        self._own_version = version
        return PipelinedMeter(self.aggregation, meter, name, version, self._pipeline)

    def add_metric_reader(self, metric_reader: MetricReader) -> None:
        """Add a door."""
        super().add_metric_reader(metric_reader)
        self._join(metric_reader)

    def _join(self, reader: MetricReader) -> None:
        if isinstance(reader, SnapshotTaker):
            reader.take_snapshots(self._snapshot, self._own_resource)
            if isinstance(reader, OwnScopeTaker):
                reader.take_own_scope(OwnScope(self.aggregation, self._pipeline.drain))
            return
        temporalities: Mapping[type, AggregationTemporality] = _compat.temporalities(reader)
        view = View(
            {
                shape: temporality
                for shape, kind in _SHAPES.items()
                for known, temporality in temporalities.items()
                if issubclass(known, kind)
            }
        )

        def join(data: MetricsData | None) -> MetricsData | None:
            own = view.metrics(self._snapshot())
            if not own:
                return data
            scope = ScopeMetrics(InstrumentationScope(self._own_scope, self._own_version), own, "")
            others = data.resource_metrics if data is not None else ()
            if not others:
                return MetricsData([ResourceMetrics(self._own_resource, [scope], self._own_resource.schema_url)])
            first, *rest = others
            joined = ResourceMetrics(first.resource, [*first.scope_metrics, scope], first.schema_url)
            return MetricsData([joined, *rest])

        _compat.join_collect(reader, join)

    def _snapshot(self) -> Snapshot:
        return self.aggregation.snapshot(self._pipeline.drain)


class PipelinedMeter(Meter):
    """Our meter, which also takes work that need not be done on the request path."""

    def __init__(
        self, aggregation: Aggregation, fallback: metrics.Meter, name: str, version: str | None, pipeline: Pipeline
    ) -> None:
        super().__init__(aggregation, fallback, name, version)
        self._pipeline = pipeline

    def later(self, span: trace.Span, record: Callable[..., object], *arguments: Any) -> None:
        """Call ``record`` soon, with ``span`` as the exemplar of what it measures."""
        self._pipeline.later(_measured, span, record, arguments)


def _measured(span: trace.Span, record: Callable[..., object], arguments: tuple[Any, ...]) -> None:
    context = span.get_span_context()
    token = measured_in.set((context.trace_id, context.span_id) if context.trace_flags.sampled else None)
    try:
        record(*arguments)
    finally:
        measured_in.reset(token)


class TracerProvider(sdk_trace.TracerProvider):
    """The SDK's tracer provider, with one scope of its own.

    Args:
        scope: Name of the scope whose spans are put together off the request path.
        pipeline: Where that is done.
        kwargs: What the SDK's provider takes.
    """

    def __init__(self, scope: str, pipeline: Pipeline, **kwargs: Any) -> None:
        self._own_scope = scope
        self._pipeline = pipeline
        super().__init__(**kwargs)

    def get_tracer(
        self,
        instrumenting_module_name: str,
        instrumenting_library_version: str | None = None,
        schema_url: str | None = None,
        attributes: Attributes = None,
    ) -> trace.Tracer:
        """Return a tracer; ours for our scope."""
        tracer = super().get_tracer(instrumenting_module_name, instrumenting_library_version, schema_url, attributes)
        if instrumenting_module_name != self._own_scope or isinstance(tracer, trace.NoOpTracer):
            return tracer
        return Tracer(
            sampler=self.sampler,
            ids=self.id_generator,
            resource=self.resource,
            processor=_compat.span_processor(self),
            scope=InstrumentationScope(self._own_scope, instrumenting_library_version, schema_url),
            later=self._pipeline.later,
        )

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Export everything that has ended."""
        self._pipeline.drain()
        return super().force_flush(timeout_millis)

    def shutdown(self) -> None:
        """Export everything that has ended, and stop."""
        self._pipeline.drain()
        super().shutdown()
