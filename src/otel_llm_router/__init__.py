"""OpenTelemetry instrumentation for LLM routers and gateways.

Start a router under ``opentelemetry-instrument`` and nothing here needs to be imported; `configure` does the same from
the application's own code. For a router that should say more than hooks can see, use `otel_llm_router.telemetry`;
for tests of that code, `otel_llm_router.testing`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from otel_llm_router._version import __version__

if TYPE_CHECKING:
    from otel_llm_router.distro.configure import configure

__all__ = ["__version__", "configure"]


def __getattr__(name: str) -> Any:
    """Import `configure` when it is asked for.

    Raises:
        AttributeError: there is none of that name.
    """
    if name == "configure":
        from otel_llm_router.distro.configure import configure  # noqa: PLC0415

        return configure
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
