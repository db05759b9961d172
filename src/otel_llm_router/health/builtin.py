"""The built-in checks, by the names of requirements A2 and B.

Room: `health`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from otel_llm_router.health import _machine, _router
from otel_llm_router.health._result import Probe


@dataclass(frozen=True, kw_only=True)
class Limits:
    """From which percentage on a check of the machine has failed."""

    cpu: float = _machine.CPU_LIMIT
    memory: float = _machine.MEMORY_LIMIT
    disk: float = _machine.DISK_LIMIT


def machine_checks(limits: Limits) -> Mapping[str, Probe]:
    """Return the checks of the machine by name."""
    return {
        "cpu_usage": _machine.cpu_usage(limits.cpu),
        "memory_usage": _machine.memory_usage(limits.memory),
        "disk_space": _machine.disk_space(limits.disk),
        "network": _machine.network(),
    }


def router_checks(numbers: _router.Numbers, ready: Callable[[], bool | None]) -> Mapping[str, Probe]:
    """Return the checks of the router by name.

    Args:
        numbers: Reads what the router has recorded.
        ready: What the application says of itself; see `otel_llm_router.health.ready`.
    """
    return {
        "router_initialized": _router.router_initialized(numbers, ready),
        "models_available": _router.models_available(numbers),
        "inference_capability": _router.inference_capability(numbers),
        "providers": _router.providers(numbers),
    }
