"""A fast OpenTelemetry ``Meter`` and ``Tracer`` for our own scope, behind providers of the SDK.

Room: `aggregation`. `TracerProvider` and `MeterProvider` are the SDK's, but for one scope: what that
one records goes into one cumulative aggregation that every reader of the provider reads, and its spans
are put together off the request path. Every other scope is the SDK's as ever. At the doors both are
the SDK's public data model, so that exporters stay the standard ones; a reader that is a
`SnapshotTaker` takes our scope's snapshot instead. Snapshots of several processes merge into one.

What views, the cardinality limit and the span limits of the SDK say holds for the other scopes only:
our scope has its declared buckets and labels, and at most 2,000 series for each instrument. A span
processor's ``on_start`` is not called for our spans.
"""

from otel_llm_router.aggregation._cells import Exemplar, GaugePoint, HistogramPoint, Point, SumPoint, together
from otel_llm_router.aggregation._merge import Merger, merge
from otel_llm_router.aggregation._meter import Meter
from otel_llm_router.aggregation._pipeline import Pipeline
from otel_llm_router.aggregation._points import Labels, Numbers, numbers, tallies
from otel_llm_router.aggregation._providers import MeterProvider, OwnScope, OwnScopeTaker, SnapshotTaker, TracerProvider
from otel_llm_router.aggregation._store import IDLE, MAX_SERIES, Aggregation, Description, Shape, Snapshot, Whole
from otel_llm_router.aggregation._tracer import Tracer

__all__ = [
    "IDLE",
    "MAX_SERIES",
    "Aggregation",
    "Description",
    "Exemplar",
    "GaugePoint",
    "HistogramPoint",
    "Labels",
    "Merger",
    "Meter",
    "MeterProvider",
    "Numbers",
    "OwnScope",
    "OwnScopeTaker",
    "Pipeline",
    "Point",
    "Shape",
    "Snapshot",
    "SnapshotTaker",
    "SumPoint",
    "Tracer",
    "TracerProvider",
    "Whole",
    "merge",
    "numbers",
    "tallies",
    "together",
]
