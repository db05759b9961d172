"""The entry point ``opentelemetry_configurator``: builds the SDK and opens the doors.

Room: `distro`.
"""

from __future__ import annotations

import logging
import os
from functools import partial
from typing import Any

from opentelemetry import metrics
from opentelemetry._logs import get_logger_provider, set_logger_provider
from opentelemetry.metrics import set_meter_provider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.trace import set_tracer_provider

from otel_llm_router import telemetry
from otel_llm_router._otel_compat import BaseConfigurator
from otel_llm_router.distro import _logs, _processes, _sdk, _server, resource, settings
from otel_llm_router.distro._lifecycle import Lifecycle
from otel_llm_router.distro.settings import Settings
from otel_llm_router.export.otlp import silence_exporters
from otel_llm_router.export.scrape import ScrapeReader
from otel_llm_router.signals import Instrument
from otel_llm_router.signals.instruments import self_telemetry
from otel_llm_router.telemetry import process
from otel_llm_router.telemetry.instrumenting import SCOPE, Recorder, guard, recorder, set_strict

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
        set_strict(strict=options.strict)
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
        providers = _sdk.build(
            resource.build(version),
            [reader] if reader else [],
            _Accounts(),
            fast=options.fast_path,
            label_idle=options.label_idle,
            ending=lifecycle.ending,
            queue_bytes=options.queue_bytes,
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
        tracer, meter, logger = providers.all()
        lifecycle.add([tracer.shutdown, logger.shutdown])
        lifecycle.add([meter.shutdown], last=True)
        lifecycle.add_flush([tracer.force_flush, logger.force_flush])
        lifecycle.add_flush([meter.force_flush], last=True)
        _logs.start(options, providers.logger, lifecycle, providers.settle)
        _logs.summarise(options, reader, lifecycle)
        if options.scrape:
            _serve(options, reader, lifecycle, providers.meter)

    def _from_file(self, options: Settings, lifecycle: Lifecycle) -> None:
        """Let the SDK configure itself from the file, as far as it can, and add our scrape door."""
        try:
            from opentelemetry.configuration import configure_sdk, load_config_file  # noqa: PLC0415  # pyright: ignore[reportMissingTypeStubs]
        except ImportError:
            _logger.warning(
                "otel-llm-router: %s is set, but the package that reads it is not installed. Without it nothing is "
                "exported; the application runs on. Install it: pip install 'otel-llm-router[config-file]'",
                CONFIG_FILE,
            )
            return
        try:
            configure_sdk(load_config_file(os.environ[CONFIG_FILE]))
        except Exception as error:  # noqa: BLE001  # the file can hold anything
            _logger.warning(
                "otel-llm-router: %s=%s cannot be used, and nothing is exported; the application runs on. %s: %s",
                CONFIG_FILE,
                os.environ[CONFIG_FILE],
                type(error).__name__,
                error,
            )
            return
        _logs.start(options, get_logger_provider(), lifecycle, lambda: None)
        provider = metrics.get_meter_provider()
        reader = None
        if options.scrape and isinstance(provider, MeterProvider):
            reader = _scrape_reader()
            provider.add_metric_reader(reader)
        _logs.summarise(options, reader, lifecycle)
        if options.scrape:
            _serve(options, reader, lifecycle, provider)


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
            lifecycle.add([workers.close])
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


def _count(instrument: Instrument, records: int, *labels: str) -> None:
    with guard("counts of exports"):
        recorder().record(instrument, records, *labels)
