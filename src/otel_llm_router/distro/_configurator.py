"""The entry point ``opentelemetry_configurator``: builds the SDK and opens the doors.

Room: `distro`.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from opentelemetry._logs import set_logger_provider
from opentelemetry.metrics import set_meter_provider
from opentelemetry.trace import set_tracer_provider

from otel_llm_router import telemetry
from otel_llm_router._otel_compat import BaseConfigurator
from otel_llm_router.distro import _audit, _logs, _processes, _redaction, _sdk, _server, _spool, resource, settings
from otel_llm_router.distro._lifecycle import Lifecycle
from otel_llm_router.distro.settings import Settings
from otel_llm_router.export.otlp import silence_exporters
from otel_llm_router.export.scrape import ScrapeReader
from otel_llm_router.signals import Instrument
from otel_llm_router.signals.instruments import self_telemetry
from otel_llm_router.telemetry import process
from otel_llm_router.telemetry.instrumenting import SCOPE, Recorder, guard, recorder, set_strict

if TYPE_CHECKING:
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider

_logger = logging.getLogger("otel_llm_router")

CONFIG_FILE = "OTEL_CONFIG_FILE"


class Configurator(BaseConfigurator):
    """Builds the SDK from the options and the standard variables."""

    def _configure(self, **kwargs: Any) -> None:
        if settings.sdk_disabled():
            return
        options, problems = settings.read()
        for problem in problems:
            _logger.warning("otel-llm-router: %s", problem)
        if options.disabled:
            return
        mode, problem = settings.content_mode()
        if problem:
            _logger.warning("otel-llm-router: %s", problem)
        set_strict(strict=options.strict)
        _redaction.configure(options)
        telemetry.default.capture_content(mode, limit=options.content_limit)
        telemetry.default.genai_metrics = options.genai_metrics
        telemetry.default.foreign = options.foreign
        telemetry.default.attribution = frozenset(options.attribution.split(",")) - {""}
        lifecycle = Lifecycle(options.exit_budget)
        try:
            if os.environ.get(CONFIG_FILE):
                recorder().bounds.limit(options.label_limit)
                self._from_file(options, lifecycle)
            else:
                self._from_environment(options, lifecycle, kwargs.get("auto_instrumentation_version"))
        except Exception as error:  # a standard variable that the SDK takes as it is and stumbles over
            _logger.warning(
                "otel-llm-router: the OpenTelemetry SDK cannot be set up, and nothing is exported; the application runs "
                "on. %s: %s (one of the standard OTEL_ variables has a value that cannot be used)",
                type(error).__name__,
                error,
            )
            _logger.debug("the SDK cannot be set up", exc_info=error)
            return
        if options.process_metrics:
            process.observe(recorder())
        lifecycle.arm()

    def _from_environment(self, options: Settings, lifecycle: Lifecycle, version: str | None) -> None:
        reader = _scrape_reader() if options.scrape and settings.with_prometheus() else None
        own, accounts = resource.build(version), _Accounts()
        spool = _spool.make(options, own, accounts)
        providers = _sdk.build(
            own,
            [reader] if reader else [],
            accounts,
            fast=options.fast_path,
            label_idle=options.label_idle,
            ending=lifecycle.ending,
            queue_bytes=options.queue_bytes,
            spool=spool,
        )
        silence_exporters()  # not before: what they say of their variables, nobody else says
        for problem in providers.problems:
            _logger.warning("otel-llm-router: %s", problem)
        set_tracer_provider(providers.tracer)
        set_meter_provider(providers.meter)
        set_logger_provider(providers.logger)
        # The providers themselves: what the API hands out before there are any does not show what ours can.
        telemetry.default.use(
            Recorder(
                meter_provider=providers.meter,
                tracer_provider=providers.tracer,
                logger_provider=providers.logger,
                label_limit=options.label_limit,
                label_idle=options.label_idle,
            )
        )
        if spool is not None:
            _spool.observe(spool)
        self._live(options, lifecycle, *providers.all(), own, providers.settle)
        _logs.start(options, providers.logger, lifecycle, reader, providers.settle)
        if options.scrape:
            _serve(options, reader, lifecycle, providers.meter)

    def _from_file(self, options: Settings, lifecycle: Lifecycle) -> None:
        """Let the SDK make its providers of the file, and add our ways out and our scrape door."""
        try:
            from opentelemetry.configuration import configure_sdk, load_config_file  # noqa: PLC0415  # pyright: ignore[reportMissingTypeStubs]
        except ImportError:
            _logger.warning(
                "otel-llm-router: %s is set, but the package that reads it is not installed. Without it nothing is "
                "exported; the application runs on. Install it: pip install 'otel-llm-router[config-file]'",
                CONFIG_FILE,
            )
            return
        from otel_llm_router.distro import _file  # noqa: PLC0415  # with a file only

        try:
            config = load_config_file(os.environ[CONFIG_FILE])
            built = _file.build(config, configure_sdk, options, _Accounts(), lifecycle.ending)
        except Exception as error:  # noqa: BLE001  # the file can hold anything
            _logger.warning(
                "otel-llm-router: %s=%s cannot be used, and nothing is exported; the application runs on. %s: %s",
                CONFIG_FILE,
                os.environ[CONFIG_FILE],
                type(error).__name__,
                error,
            )
            return
        for problem in built.problems:
            _logger.warning("otel-llm-router: %s: %s", CONFIG_FILE, problem)
        reader = None
        if options.scrape and built.meter is not None:
            reader = _scrape_reader()
            built.meter.add_metric_reader(reader)
        self._live(options, lifecycle, built.tracer, built.meter, built.logger, built.resource, lambda: None)
        _logs.start(options, built.logger, lifecycle, reader)
        if options.scrape:
            _serve(options, reader, lifecycle, built.meter)

    @staticmethod
    def _live(
        options: Settings,
        lifecycle: Lifecycle,
        tracer: TracerProvider | None,
        meter: MeterProvider | None,
        logger: LoggerProvider | None,
        who: Resource,
        settle: Callable[[], object],
    ) -> None:
        """Begin the audit trail, and let providers be flushed and ended with everything else."""
        trail = _audit.begin(options, who.attributes)
        end_logs: Callable[[], object] = logger.shutdown if logger is not None else lambda: None
        if trail is not None:
            end_logs = partial(_audit.end, trail, settle, options.exit_budget / 2, end_logs)
            lifecycle.add_flush([trail.flush])
        lifecycle.add([end_logs])
        if tracer is not None:
            lifecycle.add([tracer.shutdown])
        if meter is not None:
            lifecycle.add([meter.shutdown], last=True)
        lifecycle.add_flush([one.force_flush for one in (tracer, logger) if one is not None])
        if meter is not None:
            lifecycle.add_flush([meter.force_flush], last=True)


def _scrape_reader() -> ScrapeReader:
    return ScrapeReader(SCOPE, timer=lambda seconds: recorder().record(self_telemetry.SCRAPE_DURATION, seconds))


def _serve(options: Settings, reader: ScrapeReader | None, lifecycle: Lifecycle, provider: Any) -> None:
    if _processes.is_helper():
        return
    with guard("scrape server"):
        checker = None
        if options.health:
            from otel_llm_router.distro import _health  # noqa: PLC0415  # a switch turns all of it off

            checker = _health.start(options, reader)
        answers, server = _server.build(options, reader, checker)
        workers = _processes.join(options, reader, server, provider)
        if workers is not None:
            recorder().observe(
                self_telemetry.WORKERS,
                "workers",
                lambda: [(float(number), (state,)) for state, number in workers.states().items()],
            )
            if checker is not None and answers is not None:
                workers.question("health", checker.brief)
                answers.gather_health(partial(workers.ask, "health"))
            lifecycle.add([workers.close], local=True)
            url = workers.url
        elif server is not None:
            url = server.insist()
            lifecycle.add([server.stop], inherited=False)
        else:
            url = None
        if url is not None:
            _logger.info("otel-llm-router: metrics at %s/metrics, health at %s/health", url, url)
            if options.scrape_port == 0:
                _logger.warning("otel-llm-router: metrics at %s/metrics", url)


class _Accounts:
    """Counts what becomes of exports on our own instruments."""

    def emitted(self, signal: str, records: int) -> None:
        _count(self_telemetry.EMITTED, records, signal)

    def delivered(self, signal: str, records: int) -> None:
        _count(self_telemetry.DELIVERED, records, signal)

    def dropped(self, signal: str, reason: str, records: int) -> None:
        _count(self_telemetry.DROPPED, records, signal, reason)

    def resent(self, signal: str, records: int) -> None:
        _count(self_telemetry.RESENT, records, signal)

    def failed(self, signal: str, reason: str) -> None:
        _count(self_telemetry.EXPORT_FAILURES, 1, signal, reason)

    def recovered(self, signal: str, records: int) -> None:
        _count(self_telemetry.RECOVERED, records, signal)


def _count(instrument: Instrument, records: int, *labels: str) -> None:
    with guard("counts of exports"):
        recorder().record(instrument, records, *labels)
