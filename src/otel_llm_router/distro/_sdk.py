"""Builds the SDK: three providers, one resource, two doors for the same metrics.

Room: `distro`. The standard variables choose exporters, sampler and id generator; our views and our
scrape reader are added. Unless the fast path is off, our own scope's metrics and spans bypass the SDK's
hot path: see `aggregation`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import DropAggregation, ExplicitBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.id_generator import IdGenerator

from otel_llm_router import _otel_compat as _compat
from otel_llm_router import aggregation
from otel_llm_router.distro._forked import Forked
from otel_llm_router.export._accounts import Accounts
from otel_llm_router.export._ending import Ending
from otel_llm_router.export._queue import DEFAULT_BYTES
from otel_llm_router.export._reporter import Reporter
from otel_llm_router.export.otlp import ReportingLogExporter, ReportingMetricExporter, batching
from otel_llm_router.signals.instruments import requests
from otel_llm_router.telemetry.instrumenting import SCOPE, guard

if TYPE_CHECKING:
    from otel_llm_router.export._pushing import Pushing

T = TypeVar("T")

_logger = logging.getLogger("otel_llm_router")

SERVER_DURATION_BUCKETS: Final = (0.005, *requests.HTTP_DURATION_BUCKETS, 60.0, 120.0)
"""The convention's bounds end at 10 s; a stream of an LLM does not."""


@dataclass
class Providers:
    """What was built.

    Args:
        tracer: Tracer provider.
        meter: Meter provider.
        logger: Logger provider.
        problems: What could not be built, in sentences for the log.
        settle: Records what has ended and has not been recorded yet.
    """

    tracer: TracerProvider
    meter: MeterProvider
    logger: LoggerProvider
    problems: list[str] = field(default_factory=list[str])
    settle: Callable[[], object] = field(default=lambda: None)

    def all(self) -> tuple[TracerProvider, MeterProvider, LoggerProvider]:
        """Return the three providers."""
        return self.tracer, self.meter, self.logger


def views() -> list[View]:
    """Return views for what other instrumentations record about HTTP."""
    return [
        View(
            instrument_name="http.server.request.duration",
            aggregation=ExplicitBucketHistogramAggregation(SERVER_DURATION_BUCKETS),
        ),
        # The ASGI instrumentation keeps it on an object that requests share: a stream reports another's size.
        View(instrument_name="http.server.response.body.size", aggregation=DropAggregation()),
    ]


def build(
    resource: Resource,
    readers: Iterable[MetricReader],
    accounts: Accounts,
    *,
    fast: bool = True,
    label_idle: float = aggregation.IDLE,
    ending: Ending | None = None,
    queue_bytes: int = DEFAULT_BYTES,
) -> Providers:
    """Build the providers from the standard variables.

    A signal whose exporter cannot be made goes without one; the others are built all the same.

    Args:
        resource: Who is sending.
        readers: Metric readers beside the exporters.
        accounts: Told what becomes of each record.
        fast: Whether our own scope is aggregated and traced by `aggregation`.
        label_idle: See option ``label_idle``.
        ending: Says when the process ends.
        queue_bytes: See option ``queue_bytes``.
    """
    problems: list[str] = []
    forked = Forked(resource)
    reporter = Reporter(accounts)
    exporters = {signal: _exporters(signal, problems) for signal in ("traces", "metrics", "logs")}
    pushing: Pushing | None = None
    if any(exporters.values()):
        from otel_llm_router.export._pushing import Pushing  # noqa: PLC0415  # loads protobuf

        pushing = Pushing(reporter, guard, ending, queue_bytes)
    ids = _made("id generator (OTEL_PYTHON_ID_GENERATOR)", problems, _id_generator)
    pipeline = aggregation.Pipeline() if fast else None
    tracer_class, meter_class = _classes(pipeline, label_idle=label_idle)
    tracer = tracer_class(
        resource=resource,
        sampler=_compat.import_sampler(_compat.sampler_name()),
        id_generator=ids,
        shutdown_on_exit=False,
    )
    for exporter in exporters["traces"]:
        processor = _made(
            "batching of traces (OTEL_BSP_*)",
            problems,
            lambda exporter=exporter: (
                (pushing and pushing.spans(exporter, problems, SCOPE if fast else None))
                or (
                    batching(exporter, reporter, SCOPE, partial(guard, "span encoder"))
                    if fast
                    else batching(exporter, reporter)
                )
            ),
        )
        if processor is not None:
            tracer.add_span_processor(processor)
    metric_readers: list[MetricReader] = []
    for exporter in exporters["metrics"]:
        reader = _made(
            "export of metrics (OTEL_METRIC_EXPORT_*)",
            problems,
            lambda exporter=exporter: (
                exporter
                if isinstance(exporter, MetricReader)
                else (pushing and pushing.metrics(exporter, problems))
                or PeriodicExportingMetricReader(ReportingMetricExporter(exporter, reporter))
            ),
        )
        if reader is not None:
            metric_readers.append(reader)
    meter = meter_class(
        resource=resource, metric_readers=[*metric_readers, *readers], views=views(), shutdown_on_exit=False
    )
    logger = LoggerProvider(resource=resource, shutdown_on_exit=False)
    for exporter in exporters["logs"]:
        records = _made(
            "batching of logs (OTEL_BLRP_*)",
            problems,
            lambda exporter=exporter: (
                (pushing and pushing.logs(exporter, problems))
                or BatchLogRecordProcessor(ReportingLogExporter(exporter, reporter))
            ),
        )
        if records is not None:
            logger.add_log_record_processor(records)
    providers = Providers(tracer, meter, logger, problems)
    if pipeline is not None:
        providers.settle = pipeline.drain
    forked.add(providers.all())
    return providers


def _classes(
    pipeline: aggregation.Pipeline | None, *, label_idle: float
) -> tuple[Callable[..., TracerProvider], Callable[..., MeterProvider]]:
    if pipeline is None:
        return TracerProvider, MeterProvider
    return (
        partial(aggregation.TracerProvider, SCOPE, pipeline),
        partial(aggregation.MeterProvider, SCOPE, pipeline, label_idle=label_idle),
    )


def _made(what: str, problems: list[str], make: Callable[[], T]) -> T | None:
    """Make one part; what the SDK cannot make of its variables is a problem and nothing more."""
    try:
        return make()
    except Exception as error:  # noqa: BLE001  # the SDK raises what it likes
        problems.append(f"{what} cannot be set up as asked, and the signal goes without: {error}")
        return None


def _id_generator() -> IdGenerator:
    return _compat.import_id_generator(_compat.id_generator_name())


def _exporters(signal: Any, problems: list[str]) -> list[Any]:
    """Make the exporters that ``OTEL_{signal}_EXPORTER`` names, but for ``prometheus``, which is our door."""
    made: list[Any] = []
    try:
        names = [name for name in _compat.exporter_names(signal) if name != "prometheus"]
    except Exception as error:  # noqa: BLE001  # an unknown protocol
        problems.append(f"no exporter for {signal}: {error}")
        return made
    for name in names:
        try:
            classes = _compat.import_exporters(
                [name] if signal == "traces" else [],
                [name] if signal == "metrics" else [],
                [name] if signal == "logs" else [],
            )
            made.extend(cls() for group in classes for cls in group.values())
        except Exception as error:  # noqa: BLE001, PERF203  # a name nobody registered, a missing package, a bad variable
            problems.append(
                f"exporter {name!r} for {signal} (OTEL_{signal.upper()}_EXPORTER) cannot be used and is left out: {error}"
            )
    return made
