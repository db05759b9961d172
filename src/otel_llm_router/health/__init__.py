"""Health: named checks, each with a time-out, and the overall state they add up to.

Room: `health`. Functions that check something come in; a report, a metric and log events go out.

    from otel_llm_router import health

    health.add("vector_store", lambda: store.ping(), timeout=2, critical=True)
    health.add("redis", health.target("redis://cache:6379"))

A check is sync or async and returns a `Result`, a bool or None; one that raises has failed. Checks can be added before
the router is started under ``opentelemetry-instrument`` as well as after.
"""

from __future__ import annotations

from typing import Any

from otel_llm_router._version import __version__
from otel_llm_router.health._checker import CRITICAL, INTERVAL, RETRIES, STATES, TIMEOUT, Checker, OnChange
from otel_llm_router.health._result import Check, Probe, Result
from otel_llm_router.health._router import Numbers
from otel_llm_router.health._targets import inference, round_trip, target

default = Checker(version=__version__)
"""The checks that the server's health endpoints answer from."""

_ready: list[bool | None] = [None]


def add(
    name: str,
    check: Check,
    *,
    timeout: float | None = None,
    interval: float | None = None,
    retries: int = RETRIES,
    critical: bool | None = None,
) -> None:
    """Add a check to `default`, or replace the one of that name; see `Checker.add`.

    Raises:
        ValueError: a number is not positive, or there are too many checks.
    """
    default.add(name, check, timeout=timeout, interval=interval, retries=retries, critical=critical)


def remove(name: str) -> None:
    """Remove a check from `default`; one that is not there is ignored."""
    default.remove(name)


def ready(is_ready: bool | None = True) -> None:
    """Say whether the router is ready for requests, which the check ``router_initialized`` then repeats.

    Args:
        is_ready: False while it starts or drains (readiness is 503), True when it serves, None to say nothing.
    """
    _ready[0] = is_ready


def is_ready() -> bool | None:
    """Return what was said with `ready`."""
    return _ready[0]


def report() -> dict[str, Any]:
    """Return the report of `default`; see `Checker.report`."""
    return default.report()


__all__ = [
    "CRITICAL",
    "INTERVAL",
    "RETRIES",
    "STATES",
    "TIMEOUT",
    "Check",
    "Checker",
    "Numbers",
    "OnChange",
    "Probe",
    "Result",
    "add",
    "default",
    "inference",
    "is_ready",
    "ready",
    "remove",
    "report",
    "round_trip",
    "target",
]
