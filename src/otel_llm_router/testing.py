"""For tests of code that uses `otel_llm_router.telemetry`: capture what it records and ask for it.

    from otel_llm_router import telemetry, testing

    def test_my_router():
        with testing.capture() as captured:
            my_router.handle(...)
        assert captured.value("llm_router.inference", status="success") == 1
        assert [span.name for span in captured.spans()] == ["chat gpt-4o", "route smart"]

While it captures, errors in the telemetry itself are raised instead of swallowed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from otel_llm_router import aggregation
from otel_llm_router import telemetry as _telemetry
from otel_llm_router.aggregation import Pipeline
from otel_llm_router.signals.content import LIMIT, OFF
from otel_llm_router.signals.content import Mode as ContentMode
from otel_llm_router.telemetry import Telemetry, _guard
from otel_llm_router.telemetry._deferred import drain
from otel_llm_router.telemetry._genai import Names
from otel_llm_router.telemetry._recorder import SCOPE, Recorder


@dataclass(frozen=True)
class Point:
    """One series of a metric.

    Args:
        labels: Its labels.
        value: Value of a counter or gauge; sum of a histogram.
        count: Number of records of a histogram; 0 for other kinds.
    """

    labels: dict[str, Any]
    value: float
    count: int = 0


class Captured:
    """What was recorded, by the names of `otel_llm_router.signals`.

    Args:
        fast_path: Record as an application under ``opentelemetry-instrument`` does; see option ``fast_path``.
    """

    def __init__(self, *, fast_path: bool = False) -> None:
        self._reader = InMemoryMetricReader()
        self._span_exporter = InMemorySpanExporter()
        self._log_exporter = InMemoryLogRecordExporter()
        self._pipeline = Pipeline()
        if fast_path:
            self.meter_provider: MeterProvider = aggregation.MeterProvider(
                SCOPE,
                self._pipeline,
                resource=Resource.get_empty(),
                metric_readers=[self._reader],
                shutdown_on_exit=False,
            )
            self.tracer_provider: TracerProvider = aggregation.TracerProvider(
                SCOPE, self._pipeline, shutdown_on_exit=False
            )
        else:
            self.meter_provider = MeterProvider(metric_readers=[self._reader], shutdown_on_exit=False)
            self.tracer_provider = TracerProvider(shutdown_on_exit=False)
        self.tracer_provider.add_span_processor(SimpleSpanProcessor(self._span_exporter))
        self.logger_provider = LoggerProvider(shutdown_on_exit=False)
        self.logger_provider.add_log_record_processor(SimpleLogRecordProcessor(self._log_exporter))

    def close(self) -> None:
        """Take in what is under way; what comes later is taken in at once."""
        self._pipeline.close()

    def _settle(self) -> None:
        drain()
        self._pipeline.drain()

    def points(self, name: str, **labels: Any) -> list[Point]:
        """Return the series of metric ``name`` whose labels include ``labels``.

        Dots in a label's name are written as underscores.
        """
        self._settle()
        found: list[Point] = []
        data = self._reader.get_metrics_data()
        for resource in data.resource_metrics if data is not None else ():
            for metric in (m for scope in resource.scope_metrics for m in scope.metrics if m.name == name):
                for point in metric.data.data_points:
                    attributes = dict(point.attributes or {})
                    plain = {key.replace(".", "_"): value for key, value in attributes.items()}
                    if all(plain.get(key) == value for key, value in labels.items()):
                        value = getattr(point, "value", None)
                        total = value if value is not None else getattr(point, "sum", 0.0)
                        found.append(Point(attributes, total, getattr(point, "count", 0)))
        return found

    def value(self, name: str, **labels: Any) -> float:
        """Return the sum over the series of metric ``name`` whose labels include ``labels``."""
        return sum(point.value for point in self.points(name, **labels))

    def count(self, name: str, **labels: Any) -> int:
        """Return the number of records of histogram ``name`` whose labels include ``labels``."""
        return sum(point.count for point in self.points(name, **labels))

    def metric_names(self) -> set[str]:
        """Return the names of every metric that has a series."""
        self._settle()
        data = self._reader.get_metrics_data()
        resources = data.resource_metrics if data is not None else ()
        return {m.name for resource in resources for scope in resource.scope_metrics for m in scope.metrics}

    def spans(self, name: str | None = None) -> list[ReadableSpan]:
        """Return ended spans in the order in which they ended, all or those called ``name``."""
        self._settle()
        return [span for span in self._span_exporter.get_finished_spans() if name is None or span.name == name]

    def events(self, name: str | None = None) -> list[Any]:
        """Return log events (OpenTelemetry log records), all or those called ``name``."""
        self._settle()
        records = [data.log_record for data in self._log_exporter.get_finished_logs()]
        return [record for record in records if name is None or record.event_name == name]


@contextlib.contextmanager
def capture(
    *,
    genai_metrics: Names = "old",
    telemetry: Telemetry | None = None,
    fast_path: bool = False,
    content: ContentMode = OFF,
    content_limit: int = LIMIT,
) -> Generator[Captured]:
    """Capture what ``telemetry`` (the default one unless given) records inside the block.

    Args:
        genai_metrics: See option ``genai_metrics``.
        telemetry: What to capture from.
        fast_path: See option ``fast_path``.
        content: Where prompts and completions are recorded, by the values of the standard variable.
        content_limit: See option ``content_limit``.
    """
    target = telemetry if telemetry is not None else _telemetry.default
    captured = Captured(fast_path=fast_path)
    strict, before, names = _guard.state.strict, dict(vars(target)), target.genai_metrics
    drain()
    target.use(
        Recorder(
            meter_provider=captured.meter_provider,
            tracer_provider=captured.tracer_provider,
            logger_provider=captured.logger_provider,
        )
    )
    target.genai_metrics = genai_metrics
    target.capture_content(content, limit=content_limit)
    _guard.state.strict = True
    try:
        yield captured
    finally:
        drain()
        captured.close()
        _guard.state.strict = strict
        vars(target).update(before)
        target.genai_metrics = names
