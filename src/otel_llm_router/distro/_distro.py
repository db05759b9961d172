"""The entry point ``opentelemetry_distro``: defaults for the standard variables, careful loading.

Room: `distro`.
"""

from __future__ import annotations

import logging
import os
from typing import Any, Final

from opentelemetry.instrumentation.dependencies import DependencyConflictError
from opentelemetry.instrumentation.distro import BaseDistro

from otel_llm_router.distro import _console, settings
from otel_llm_router.signals import options

_logger = logging.getLogger("otel_llm_router")

ARGUMENTS: Final[dict[str, dict[str, Any]]] = {
    # One span for each ASGI message would be most of all spans, and there is no variable against it.
    "fastapi": {"exclude_spans": ["receive", "send"]},
}
"""Arguments that other packages' instrumentors are loaded with, by entry point name."""


def _chosen(name: str) -> dict[str, Any]:
    """Return the options that an instrumentor is loaded with, by entry point name."""
    if name in {"llm_router_logging", "logging"}:
        chosen = settings.read()[0]
        if name != "logging":
            from otel_llm_router.distro import _logs  # noqa: PLC0415  # comes with the SDK

            arguments = {"export": chosen.logs, "level": chosen.logs_level, "fields": chosen.logs_fields}
            files = None if chosen.logs else _logs.application_provider()
            # To the files alone: the application's messages leave only where that is asked for.
            return arguments if files is None else {**arguments, "export": True, "logger_provider": files}
        # OpenTelemetry's own, where someone has installed it: its handler exports what we export.
        return {"enable_log_auto_instrumentation": False} if chosen.logs else {}
    return ARGUMENTS.get(name, {})


def disabled() -> bool:
    """Whether the kill switch is on."""
    return settings.sdk_disabled() or settings.read()[0].disabled


class Distro(BaseDistro):
    """Prepares the environment and loads each instrumentor on its own."""

    def _configure(self, **kwargs: Any) -> None:  # noqa: ARG002  # upstream's signature
        if disabled():
            return
        _console.attach()
        for variable, value in options.STANDARD_DEFAULTS.items():
            if not os.environ.get(variable):  # by the specification, empty means unset
                os.environ[variable] = value

    def load_instrumentor(self, entry_point: Any, **kwargs: Any) -> None:
        """Load one instrumentor; its failure is said once and stops nothing else.

        Raises:
            DependencyConflictError: the library is missing or of another version; upstream logs it.
            ImportError: the library is missing; upstream passes over it.
        """
        if disabled():
            return
        try:
            arguments = {**_chosen(entry_point.name), **kwargs}
            super().load_instrumentor(entry_point, **arguments)  # pyright: ignore[reportUnknownMemberType]
        except (DependencyConflictError, ImportError):
            raise
        except Exception as error:  # any instrumentor of any package
            _logger.warning(
                "otel-llm-router: instrumentor %s failed with %s and is left out; everything else goes on. "
                "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS=%s switches it off.",
                entry_point.name,
                type(error).__name__,
                entry_point.name,
            )
            _logger.debug("instrumentor %s failed", entry_point.name, exc_info=error)
