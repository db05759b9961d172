"""Builds the SDK from a configuration file, with our delivery and redaction on every way out that it names.

Room: `distro`. The SDK makes the providers of the file: resource, samplers, views, limits. The processors and readers are
added here: ours for OTLP, and the SDK's around exporters that hide secrets and count for the rest.
"""

from __future__ import annotations

import atexit
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from opentelemetry import metrics, trace
from opentelemetry._logs import get_logger_provider, set_logger_provider
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricsData, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor

from otel_llm_router import _otel_compat as _compat
from otel_llm_router.distro import _file_ways, _spool
from otel_llm_router.distro._file_ways import Way
from otel_llm_router.distro._forked import INSTANCE, Forked
from otel_llm_router.distro.resource import without_secrets
from otel_llm_router.export import _redacting
from otel_llm_router.export._pushing import Pushing
from otel_llm_router.export._reporter import Reporter
from otel_llm_router.export.otlp import (
    ReportingLogExporter,
    ReportingMetricExporter,
    ReportingSpanExporter,
    silence_exporters,
)
from otel_llm_router.telemetry.instrumenting import guard

if TYPE_CHECKING:
    from otel_llm_router.distro.settings import Settings
    from otel_llm_router.export._accounts import Accounts
    from otel_llm_router.export._ending import Ending

_GO_WITHOUT: Final = "The file of OTEL_CONFIG_FILE says where it is sent. (Said once until it answers.)"
_DELAYS: Final = {"traces": 5_000, "logs": 1_000}
"""Milliseconds; of the specification, for the SDK's own processors."""


@dataclass
class Providers:
    """What was built; None for what the file does not ask for.

    Args:
        tracer: Tracer provider.
        meter: Meter provider.
        logger: Logger provider.
        resource: Who is sending.
        problems: What the file asks for and is not done as elsewhere, in sentences for the log.
    """

    tracer: TracerProvider | None = None
    meter: MeterProvider | None = None
    logger: LoggerProvider | None = None
    resource: Resource = field(default_factory=Resource.get_empty)
    problems: list[str] = field(default_factory=list[str])


def build(
    config: Any, configure_sdk: Callable[[Any], None], options: Settings, accounts: Accounts, ending: Ending
) -> Providers:
    """Build and set the providers that a file asks for.

    Args:
        config: The model of the file.
        configure_sdk: Makes the providers of a model.
        options: Ours.
        accounts: Told what becomes of each record.
        ending: Says when the process ends.

    Raises:
        Exception: what the SDK raises of a file that it cannot use; nothing is exported then.
    """
    built = Providers()
    if config.disabled:
        configure_sdk(config)
        return built
    forked = Forked()
    asked = list(_file_ways.ways(config))
    made: list[tuple[Way, Any]] = []
    try:
        for way in asked:
            made.append((way, _made(way)))  # noqa: PERF401  # what is made is ended if the next one cannot be
        _file_ways.take(config)
        configure_sdk(config)
    except Exception:
        for _way, one in made:
            with contextlib.suppress(Exception):
                one.shutdown()
        raise
    _look(built)
    if built.logger is None and options.log_file:
        built.logger = LoggerProvider(resource=built.resource, shutdown_on_exit=False)
        set_logger_provider(built.logger)
    forked.resource, forked.named = built.resource, _names_instance(config.resource)
    forked.add([one for one in (built.tracer, built.meter, built.logger) if one is not None])
    _add(built, made, options, accounts, ending)
    silence_exporters()
    return built


def _made(way: Way) -> Any:
    return (
        _compat.file_reader(way.model) if way.kind == "pull" else _compat.file_exporter(way.signal, way.model.exporter)
    )


def _look(built: Providers) -> None:
    """Find what has been set; it ends with everything else, and not by itself."""
    found: tuple[Any, ...] = (trace.get_tracer_provider(), metrics.get_meter_provider(), get_logger_provider())
    tracer, meter, logger = found
    resources: list[Resource] = []
    if isinstance(tracer, TracerProvider):
        built.tracer = tracer
        resources.append(tracer.resource)
    if isinstance(meter, MeterProvider):
        built.meter = meter
        resources.append(_compat.resource_of(meter))
    if isinstance(logger, LoggerProvider):
        built.logger = logger
        resources.append(logger.resource)
    for provider in (built.tracer, built.meter, built.logger):
        if provider is not None:
            atexit.unregister(provider.shutdown)
    for one in resources:  # one and the same, unless that changes
        hidden = without_secrets(one)
        if hidden is not one:
            _compat.change_resource(one, hidden.attributes)
    if resources:
        built.resource = resources[0]


def _names_instance(asked: Any) -> bool:
    if asked is None:
        return False
    return INSTANCE in (asked.attributes_list or "") or any(one.name == INSTANCE for one in asked.attributes or ())


def _add(built: Providers, made: list[tuple[Way, Any]], options: Settings, accounts: Accounts, ending: Ending) -> None:
    reporter = Reporter(accounts, _GO_WITHOUT)
    spool = None
    if any(not way.why_not_ours for way, _ in made):
        spool = _spool.make(options, built.resource, accounts)
        if spool is not None:
            _spool.observe(spool)
    pushing = Pushing(reporter, guard, ending, options.queue_bytes, spool)
    for way, one in made:
        added = None if way.why_not_ours else _ours(way, one, pushing)
        if added is None and way.over_otlp:
            built.problems.append(
                f"{way}: our queue does not take them, and what cannot be delivered is lost: "
                f"{way.why_not_ours or 'its endpoint is none that we know'}"
            )
        elif spool is not None and added is not None and not way.spooled:
            built.problems.append(
                f"{way}: there is another of OTEL_LLM_ROUTER_SPOOL_DIR before it, and it waits in memory alone"
            )
        added = added or _stock(way, one, reporter)
        if way.signal == "traces" and built.tracer is not None:
            built.tracer.add_span_processor(added)
        elif way.signal == "logs" and built.logger is not None:
            built.logger.add_log_record_processor(added)
        elif built.meter is not None:
            _compat.add_reader(built.meter, added)
            if way.kind == "pull":
                _compat.join_collect(added, _hidden)


def _ours(way: Way, exporter: Any, pushing: Pushing) -> Any:
    """Return ours in an exporter's place, or None for one that has to do its own work."""
    asked, problems = way.asked(), list[str]()  # none: no variable is read
    if way.signal == "traces":
        return pushing.spans(exporter, problems, asked=asked)
    if way.signal == "logs":
        return pushing.logs(exporter, problems, asked=asked)
    limits = _compat.file_limits(way.model.cardinality_limits)
    return pushing.metrics(exporter, problems, asked=replace(asked, limits=limits))


def _stock(way: Way, one: Any, reporter: Reporter) -> Any:
    """Return the SDK's own around an exporter that is given no secrets."""
    if way.kind == "pull":
        return one
    if way.kind == "periodic":
        interval, timeout = _file_ways.milliseconds(way.model)
        limits = _compat.file_limits(way.model.cardinality_limits)
        of_sdk: dict[str, Any] = {"cardinality_limits": limits} if limits else {}
        return PeriodicExportingMetricReader(ReportingMetricExporter(one, reporter), interval, timeout, **of_sdk)
    of_traces = way.signal == "traces"
    exporter: Any = ReportingSpanExporter(one, reporter) if of_traces else ReportingLogExporter(one, reporter)
    if way.kind == "simple":
        return SimpleSpanProcessor(exporter) if of_traces else SimpleLogRecordProcessor(exporter)
    usual = {
        "max_queue_size": 2048,
        "max_export_batch_size": 512,
        "schedule_delay": _DELAYS[way.signal],
        "export_timeout": 30_000,
    }
    asked = {name: usual[name] if (value := getattr(way.model, name)) is None else value for name in usual}
    return (BatchSpanProcessor if of_traces else BatchLogRecordProcessor)(
        exporter,
        schedule_delay_millis=asked["schedule_delay"],
        max_export_batch_size=asked["max_export_batch_size"],
        export_timeout_millis=asked["export_timeout"],
        max_queue_size=asked["max_queue_size"],
    )


def _hidden(data: MetricsData | None) -> MetricsData | None:
    return None if data is None else _redacting.metrics(data)
