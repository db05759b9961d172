"""Checks of the router, from the numbers it has recorded itself.

Room: `health`. Nothing is called and nothing is sent: what passes anyway says how it goes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from otel_llm_router.health._result import Probe, Result
from otel_llm_router.signals import Instrument, attributes
from otel_llm_router.signals.instruments import requests, resources, routing

Numbers = Callable[[Instrument], Iterable[tuple[Mapping[str, str], float]]]
"""Reads the current points of an instrument: labels by their names in OpenTelemetry, and the value."""

FEW: Final = 5
"""Requests or attempts since the check ran before, below which nothing is concluded from failures."""
FAILURE_LIMIT: Final = 50.0
"""Percent of a provider's attempts that may fail."""


def router_initialized(numbers: Numbers, ready: Callable[[], bool | None]) -> Probe:
    """Return the check that there is a router.

    Args:
        numbers: What the router has recorded.
        ready: What the application itself says; None while it says nothing.
    """

    def check() -> Result:
        said = ready()
        if said is not None:
            return Result(said, "the application says that it is ready" if said else "the application is not ready yet")
        deployments = len(list(numbers(routing.DEPLOYMENT_STATE)))
        served = sum(value for _, value in numbers(requests.INFERENCE))
        details = {"deployments": deployments, "requests": int(served)}
        if deployments or served:
            return Result(healthy=True, message="the router is at work", details=details)
        # A router that has had no request is not a broken one; held back, it would never have one.
        return Result(healthy=True, message="no router was seen yet", details=details)

    return check


def models_available(numbers: Numbers) -> Probe:
    """Return the check that some model can answer: a deployment in rotation, or a loaded model."""

    def check() -> Result:
        states = [value for _, value in numbers(routing.DEPLOYMENT_STATE)]
        loaded = sum(value for _, value in numbers(resources.MODELS_LOADED))
        in_rotation = sum(1 for state in states if state == 0)
        failures = sum(
            value for labels, value in numbers(requests.ERRORS) if labels.get(attributes.COMPONENT.key) == "model"
        )
        details = {
            "deployments": len(states),
            "in_rotation": in_rotation,
            "models_loaded": int(loaded),
            "load_failures": int(failures),
        }
        if in_rotation or loaded > 0:
            return Result(healthy=True, message=f"{in_rotation + int(loaded)} available", details=details)
        if states:
            return Result(healthy=False, message="every deployment is cooling down", details=details)
        if failures:
            return Result(healthy=False, message="no model is loaded, and loading failed", details=details)
        if any(True for _ in numbers(resources.MODELS_LOADED)):
            return Result(healthy=False, message="every model was unloaded", details=details)
        return Result(healthy=True, message="no models are known yet", details=details)

    return check


def inference_capability(numbers: Numbers) -> Probe:
    """Return the check that of the requests since it ran before, not every one failed."""
    seen: list[Mapping[str, float]] = [{}]  # a process has counted nothing when its checks are made

    def check() -> Result:
        now = _by(numbers(requests.INFERENCE), attributes.STATUS.key)
        grown, seen[0] = _grown(now, seen[0]), now
        good, bad = grown.get(attributes.SUCCESS, 0.0), grown.get(attributes.ERROR, 0.0)
        return Result(
            healthy=good > 0 or bad < FEW,
            message=f"{good:g} requests succeeded and {bad:g} failed since the check before",
            details={"succeeded": int(good), "failed": int(bad)},
        )

    return check


def providers(numbers: Numbers) -> Probe:
    """Return the check that each provider answers most attempts."""

    def read() -> dict[str, dict[str, float]]:
        found: dict[str, list[tuple[Mapping[str, str], float]]] = {}
        for labels, value in numbers(routing.ATTEMPTS):
            found.setdefault(labels.get(attributes.PROVIDER.key, ""), []).append((labels, value))
        return {name: _by(points, attributes.STATUS.key) for name, points in found.items()}

    seen: list[Mapping[str, Mapping[str, float]]] = [{}]

    def check() -> Result:
        now = read()
        failing: list[str] = []
        details: dict[str, Any] = {}
        for name, counts in sorted(now.items()):
            grown = _grown(counts, seen[0].get(name, {}))
            bad, total = grown.get(attributes.ERROR, 0.0), sum(grown.values())
            share = 100 * bad / total if total else 0.0
            details[name] = {
                "attempts": int(total),
                "failed": int(bad),
                "value": round(share, 2),
                "threshold": FAILURE_LIMIT,
            }
            if total >= FEW and share >= FAILURE_LIMIT:
                failing.append(name)
        seen[0] = now
        if failing:
            return Result(healthy=False, message="most attempts fail: " + ", ".join(failing), details=details)
        return Result(healthy=True, message=f"{len(now)} seen", details=details)

    return check


def _by(points: Iterable[tuple[Mapping[str, str], float]], label: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for labels, value in points:
        key = labels.get(label, "")
        found[key] = found.get(key, 0.0) + value
    return found


def _grown(now: Mapping[str, float], before: Mapping[str, float]) -> dict[str, float]:
    """Return by how much counters grew; one that began anew counts from 0."""
    return {key: value - before.get(key, 0.0) if value >= before.get(key, 0.0) else value for key, value in now.items()}
