"""The distribution: what ``opentelemetry-instrument`` loads when this package is installed.

Room: `distro`. The only place that assembles: options become an SDK with two doors, and each
instrumentor is loaded so that one that fails does not stop the others.

The two entry points are imported when they are asked for, so that `settings` and `resource` can be had alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from otel_llm_router.distro._configurator import Configurator
    from otel_llm_router.distro._distro import Distro

__all__ = ["Configurator", "Distro"]


def __getattr__(name: str) -> Any:
    """Import an entry point.

    Raises:
        AttributeError: there is none of that name.
    """
    if name == "Configurator":
        from otel_llm_router.distro._configurator import Configurator  # noqa: PLC0415

        return Configurator
    if name == "Distro":
        from otel_llm_router.distro._distro import Distro  # noqa: PLC0415

        return Distro
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
