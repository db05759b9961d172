"""Which options hold, and where each comes from.

Room: `cli`.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from otel_llm_router.cli.doctor import _masking
from otel_llm_router.cli.doctor._findings import Finding
from otel_llm_router.cli.doctor._situation import CONFIG_FILE, Situation
from otel_llm_router.distro import settings
from otel_llm_router.instrumentation._protocols.providers import read as providers
from otel_llm_router.signals import Option, options

CHECK: Final = "options"

_BATCH: Final = "write batch in place of simple in the file, and unset OTEL_EXPORTER_OTLP_*_CREDENTIAL_PROVIDER"
_FROM_FILE: Final = frozenset(
    {
        "OTEL_TRACES_EXPORTER",
        "OTEL_METRICS_EXPORTER",
        "OTEL_LOGS_EXPORTER",
        "OTEL_EXPORTER_OTLP_PROTOCOL",
    }
)
"""Standard variables that are not read where there is a file."""


def check(situation: Situation) -> Iterator[Finding]:
    """Say what is wrong with the options, then what each of them is."""
    if situation.off:
        yield Finding(
            CHECK,
            "warn",
            "a kill switch is on (OTEL_LLM_ROUTER_DISABLED or OTEL_SDK_DISABLED): nothing is instrumented or exported",
            "unset it to have telemetry",
        )
    for problem in situation.problems:
        yield Finding(CHECK, "warn", _masking.text(problem), "correct or unset the variable")
    for problem in providers(situation.settings.providers)[1]:
        yield Finding(CHECK, "fail", _masking.text(problem), f"correct it in {options.PROVIDERS.env}")
    yield from _config_file(situation)
    for option in options.OPTIONS:
        value = getattr(situation.settings, option.name)
        shown = str(value).lower() if option.type == "bool" else str(value)
        yield Finding(
            CHECK, "ok", f"{option.env}={_masking.of_variable(option.env, shown)} ({_source(option, situation)})"
        )
    standard = {name for name in situation.environ if name.startswith("OTEL_") and not name.startswith(options.PREFIX)}
    for name in sorted(standard | set(options.STANDARD_DEFAULTS)):
        source = "environment" if situation.environ.get(name) else "default"
        if situation.config_file and name in _FROM_FILE:
            source = f"{source}, not read: the file of {CONFIG_FILE} says it"
        elif situation.config_file and name.startswith("OTEL_EXPORTER_OTLP_"):
            source = f"{source}, for what the file of {CONFIG_FILE} leaves out"
        value = _masking.of_variable(name, situation.effective(name))
        yield Finding(CHECK, "ok", f"{name}={value} ({source})")


def _source(option: Option, situation: Situation) -> str:
    """Return where an option's value is from; the strongest variable whose value can be read."""
    for variable in (option.env, *option.aliases, *option.inverted_aliases):
        if situation.environ.get(variable, "").strip():
            if any(problem.startswith(f"{variable}=") for problem in situation.problems):
                continue
            if option.common_aliases and not _readable(option, situation.environ[variable], variable):
                continue
            return "environment" if variable == option.env else f"environment: {variable}"
    return "default"


def _readable(option: Option, text: str, variable: str) -> bool:
    try:
        settings.parse(option, text.strip(), variable)
    except settings.OptionError:
        return False
    return True


def _config_file(situation: Situation) -> Iterator[Finding]:
    path = situation.config_file
    if not path:
        return
    shown = f"{CONFIG_FILE}={_masking.text(path)}"
    if importlib.util.find_spec("opentelemetry.configuration") is None:
        yield Finding(
            "file",
            "fail",
            f"{shown} is set, but the package that reads it is not installed: nothing is exported",
            "pip install 'otel-llm-router[config-file]'",
        )
        return
    from opentelemetry.configuration import load_config_file  # noqa: PLC0415  # pyright: ignore[reportMissingTypeStubs]

    try:
        config = load_config_file(path)
    except Exception as error:  # noqa: BLE001  # the file can hold anything, and what is said of it may repeat a secret
        there = "" if Path(path).is_file() else ": there is no such file"
        yield Finding(
            "file",
            "fail",
            f"{shown} cannot be used ({type(error).__name__}){there}, and nothing is exported",
            "correct the path or the file; see docs/configuration.md",
        )
        return
    yield Finding("file", "ok", f"{shown} can be read; exporters, sampler and resource are what it says")
    yield from _ways(config, spool=bool(situation.settings.spool_dir))


def _ways(config: Any, *, spool: bool) -> Iterator[Finding]:
    """Say of each way out of a file whose delivery it has."""
    from otel_llm_router.distro import _file_ways  # noqa: PLC0415  # loads what exports

    for way in _file_ways.ways(config):
        why = way.why_not_ours
        if not why:
            waits = "on disk" if spool and way.spooled else "in memory"
            yield Finding("file", "ok", f"{way}: ours delivers it; what cannot be delivered waits {waits}")
        elif way.over_otlp:
            yield Finding("file", "warn", f"{way}: the SDK delivers it, and what it cannot is lost: {why}", _BATCH)
        else:
            yield Finding("file", "ok", f"{way}: the SDK's, and without secrets: {why}")
