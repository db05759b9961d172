"""Puts the health checks together: built-in ones, those of the options, their metric and their events.

Room: `distro`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from otel_llm_router import health
from otel_llm_router.export._numbers import Numbers
from otel_llm_router.health import builtin
from otel_llm_router.signals import attributes, events, options
from otel_llm_router.signals.instruments import self_telemetry
from otel_llm_router.telemetry.instrumenting import guard, recorder

if TYPE_CHECKING:
    from otel_llm_router.distro.settings import Settings
    from otel_llm_router.export.scrape import ScrapeReader

_logger = logging.getLogger("otel_llm_router")

PROBE_INTERVAL: Final = 300.0
"""Seconds between two probes of inference, each of which costs money."""
PROBE_TIMEOUT: Final = 30.0


def start(settings: Settings, reader: ScrapeReader | None) -> health.Checker:
    """Add the checks to those of the application, begin to run them, and return the checker.

    Args:
        settings: The options.
        reader: Reads what the router has recorded; without it there are no checks of the router.
    """
    checker = health.default
    checker.defaults(timeout=settings.health_timeout, interval=settings.health_interval)
    limits = builtin.Limits(
        cpu=settings.health_cpu_limit, memory=settings.health_memory_limit, disk=settings.health_disk_limit
    )
    checks = dict(builtin.machine_checks(limits))
    if reader is not None:
        checks.update(builtin.router_checks(Numbers(reader.points), health.is_ready))
    checks.update(_targets(settings.health_targets))
    for name, check in checks.items():
        if name not in checker:  # the application's own comes first
            checker.add(name, check)
    with guard("health probe"):
        _add_probe(checker, settings)
    recorder().observe(
        self_telemetry.HEALTH_CHECK_STATE,
        "checker",
        lambda: [(0.0 if healthy else 1.0, (name,)) for name, healthy in checker.states().items()],
    )
    recorder().observe(
        self_telemetry.HEALTH_STATE,
        "checker",
        lambda: [(float(health.STATES.index(status)), ())] if (status := checker.status()) is not None else [],
    )
    checker.listen(_changed)
    checker.start()
    return checker


def _targets(text: str) -> Iterator[tuple[str, health.Probe]]:
    for entry in filter(None, (part.strip() for part in text.split(","))):
        name, equals, url = entry.partition("=")
        # What may be a URL may hold credentials: only a name is repeated.
        known, why = name.strip() if equals else "", "an entry is name=url"
        try:
            check = health.target(url.strip()) if known else None
        except ValueError as error:
            check, why = None, str(error)
        if check is not None:
            yield known, check
        else:
            _logger.warning(
                "otel-llm-router: %s: the entry of %r is left out: %s", options.HEALTH_TARGETS.env, known[:40], why
            )


def _add_probe(checker: health.Checker, settings: Settings) -> None:
    if not settings.health_inference_url:
        return
    key = settings.health_inference_key
    try:
        probe = health.inference(
            settings.health_inference_url,
            settings.health_inference_model,
            headers={"authorization": f"Bearer {key}"} if key else None,
        )
    except ValueError as error:
        _logger.warning("otel-llm-router: %s: no probe: %s", options.HEALTH_INFERENCE_URL.env, error)
        return
    checker.add("inference_probe", probe, interval=PROBE_INTERVAL, timeout=PROBE_TIMEOUT, retries=1)


def _changed(name: str, healthy: bool, message: str) -> None:
    with guard("health event"):
        event = events.HEALTH_CHECK_RECOVERED if healthy else events.HEALTH_CHECK_FAILED
        recorder().emit(event, {attributes.CHECK_SPAN: name, attributes.CHECK_MESSAGE: message})
        _logger.warning("otel-llm-router: health check %s %s: %s", name, "recovered" if healthy else "failed", message)
