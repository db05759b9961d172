"""``otel_llm_router.configure``: what ``opentelemetry-instrument`` does, from the application's own code.

Room: `distro`. The same options with the same names and the same checks; what is said here is stronger than the
environment. An application that calls this says so itself: what is wrong in the call is raised.
"""

from __future__ import annotations

import importlib.metadata
import logging
import os
from collections.abc import Mapping
from typing import Final

from otel_llm_router.distro import settings
from otel_llm_router.signals import Option, options

_logger = logging.getLogger("otel_llm_router")

_NONE: Final = "none"
_NAME: Final = "otel_llm_router"

COMPONENTS: Final[Mapping[str, Mapping[bool, Mapping[str, str]]]] = {
    "prometheus": {True: {"OTEL_LLM_ROUTER_SCRAPE": "true"}, False: {"OTEL_LLM_ROUTER_SCRAPE": "false"}},
    "health": {True: {"OTEL_LLM_ROUTER_HEALTH": "true"}, False: {"OTEL_LLM_ROUTER_HEALTH": "false"}},
    "profiler": {True: {"OTEL_LLM_ROUTER_PROFILER": "true"}, False: {"OTEL_LLM_ROUTER_PROFILER": "false"}},
    "traces": {True: {}, False: {"OTEL_TRACES_EXPORTER": _NONE}},
    "logs": {True: {}, False: {"OTEL_LOGS_EXPORTER": _NONE}},
    "otlp_metrics": {True: {}, False: {"OTEL_METRICS_EXPORTER": "prometheus"}},
}
"""What can be switched on or off as a whole, and the variables that it stands for."""

_done: list[bool] = []


def configure(
    *,
    enabled: bool = True,
    service_name: str | None = None,
    otlp_endpoint: str | None = None,
    components: Mapping[str, bool] | None = None,
    integrations: Mapping[str, bool] | None = None,
    **given: object,
) -> bool:
    """Set OpenTelemetry up in this process and instrument what is installed.

    Call it once, before the application imports what it uses. Under ``opentelemetry-instrument``, and at a second
    call, it does nothing and says so.

    Args:
        enabled: False does nothing at all.
        service_name: ``service.name`` of the resource; ``OTEL_SERVICE_NAME`` by default.
        otlp_endpoint: Where a collector listens; ``OTEL_EXPORTER_OTLP_ENDPOINT`` by default.
        components: Parts to switch on or off, by the names in `COMPONENTS`.
        integrations: Instrumentations to switch on or off, by the names of their entry points
            (``opentelemetry_instrumentor``), as in ``{"llm_router_wire": False}``.
        given: Options by their names in docs/configuration.md without the prefix, as in ``scrape_port=9091``.

    Returns:
        Whether it was set up here.

    Raises:
        TypeError: an option, a component or an integration is not known.
        ValueError: an option has a value that it cannot have.
    """
    variables = variables_of(service_name, otlp_endpoint, components or {}, integrations or {}, given)
    if not enabled:
        return False
    if _done or _is_set_up():
        _logger.warning("otel-llm-router: OpenTelemetry is set up in this process already; configure() does nothing")
        return False
    _done.append(True)
    os.environ.update(variables)
    from opentelemetry.instrumentation import auto_instrumentation  # noqa: PLC0415  # brings the SDK along

    auto_instrumentation.initialize()
    return True


def variables_of(
    service_name: str | None,
    otlp_endpoint: str | None,
    components: Mapping[str, bool],
    integrations: Mapping[str, bool],
    given: Mapping[str, object],
) -> dict[str, str]:
    """Return the environment variables that a call of `configure` stands for.

    Raises:
        TypeError: an option, a component or an integration is not known.
        ValueError: an option has a value that it cannot have.
    """
    found = {"OTEL_PYTHON_DISTRO": _NAME, "OTEL_PYTHON_CONFIGURATOR": _NAME}
    standard = {"OTEL_SERVICE_NAME": service_name, "OTEL_EXPORTER_OTLP_ENDPOINT": otlp_endpoint}
    found.update({name: value for name, value in standard.items() if value is not None})
    for name, on in components.items():
        if name not in COMPONENTS:
            raise TypeError(f"components={{{name!r}: ...}} is not known: there are {', '.join(COMPONENTS)}")
        found.update(COMPONENTS[name][bool(on)])
    found.update(_disabled(integrations))
    known: dict[str, Option] = {option.name: option for option in options.OPTIONS}
    for name, value in given.items():
        if name not in known:
            raise TypeError(f"{name} is no option: there are {', '.join(sorted(known))}")
        text = _text(value)
        try:
            settings.parse(known[name], text, name)
        except settings.OptionError:
            if known[name].secret:
                raise ValueError(f"{name} has a value that it cannot have") from None
            raise
        found[known[name].env] = text
    return found


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _disabled(integrations: Mapping[str, bool]) -> dict[str, str]:
    if not integrations:
        return {}
    known = sorted({entry.name for entry in importlib.metadata.entry_points(group="opentelemetry_instrumentor")})
    for name in integrations:
        if name not in known:
            raise TypeError(f"integrations={{{name!r}: ...}} is not installed: there are {', '.join(known)}")
    variable = "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"
    off = {part.strip() for part in os.environ.get(variable, "").split(",") if part.strip()}
    off = (off | {name for name, on in integrations.items() if not on}) - {
        name for name, on in integrations.items() if on
    }
    return {variable: ",".join(sorted(off))}


def _is_set_up() -> bool:
    from opentelemetry import metrics, trace  # noqa: PLC0415  # with the first call only

    return any(
        type(provider).__module__.startswith(("opentelemetry.sdk", "otel_llm_router"))
        for provider in (trace.get_tracer_provider(), metrics.get_meter_provider())
    )


__all__ = ["COMPONENTS", "configure"]
