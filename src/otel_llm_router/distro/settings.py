"""Options, read and checked.

Room: `distro`. Environment variables come in; a frozen `Settings` goes out. A value that cannot be
read is said with the option's name, the value and what is allowed, and the default is used: a typing
error in a telemetry option must not keep a router from starting.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from otel_llm_router.signals import Option, options

if TYPE_CHECKING:  # all of `telemetry` comes with it, which a process that is switched off does not need
    from otel_llm_router.telemetry import ForeignRule, GenAIMetrics, Inferences

DOCUMENTATION: Final = "docs/configuration.md"

_PATH: Final = re.compile(r"(/[A-Za-z0-9._~-]+)+/?")
_TRUE: Final = frozenset({"true", "1", "yes", "on"})
_FALSE: Final = frozenset({"false", "0", "no", "off"})


class OptionError(ValueError):
    """An option has a value that it cannot have; the message says which are allowed."""


@dataclass(frozen=True)
class Settings:
    """Every option's value; see `otel_llm_router.signals.options` for what each does."""

    disabled: bool
    scrape: bool
    scrape_host: str
    scrape_port: int
    scrape_path: str
    health_path: str
    profiler: bool
    scrape_listen: bool
    scrape_cache: float
    scrape_token: str = field(repr=False)
    scrape_token_file: str
    scrape_users_file: str
    scrape_tls_cert: str
    scrape_tls_key: str
    scrape_tls_client_ca: str
    workers: bool
    runtime_dir: str
    genai_metrics: GenAIMetrics
    foreign: ForeignRule
    providers: str
    label_limit: int
    label_idle: float
    attribution: str
    process_metrics: bool
    hooks: str
    hooks_file: str
    health: bool
    health_interval: float
    health_timeout: float
    health_cpu_limit: float
    health_memory_limit: float
    health_disk_limit: float
    health_targets: str
    health_inference_url: str
    health_inference_model: str
    health_inference_key: str = field(repr=False)
    redis_cache_keys: str
    redis_observe: str
    logs: bool
    logs_level: str
    logs_fields: bool
    log_file: str
    log_format: str
    log_level: str
    log_debug: bool
    log_streams: str
    log_max_bytes: int
    log_backups: int
    log_inferences: Inferences
    log_access_sample: str
    log_client_address: bool
    log_summary_interval: float
    exit_budget: float
    queue_bytes: int
    fast_path: bool
    alerts: bool
    alerts_webhook_url: str = field(repr=False)
    alerts_relay_url: str
    alerts_relay_token: str = field(repr=False)
    alerts_slack_url: str = field(repr=False)
    alerts_pagerduty_key: str = field(repr=False)
    alerts_pagerduty_url: str
    alerts_email: bool
    alerts_email_to: str
    alerts_email_from: str
    alerts_smtp_host: str
    alerts_smtp_port: int
    alerts_smtp_user: str
    alerts_smtp_password: str = field(repr=False)
    alerts_escalate: int
    strict: bool


def read(environ: Mapping[str, str] | None = None) -> tuple[Settings, list[str]]:
    """Read the options from ``environ`` (the process's own by default).

    Returns:
        The settings, and what is wrong with the environment in sentences for the log.
    """
    environ = os.environ if environ is None else environ
    problems: list[str] = []
    values: dict[str, bool | int | float | str] = {}
    for option in options.OPTIONS:
        values[option.name] = option.default
        # The weakest first, so that the option's own variable has the last word.
        for variable in (*option.inverted_aliases, *reversed(option.aliases), option.env):
            text = environ.get(variable, "").strip()
            if not text:
                continue
            try:
                value = parse(option, text, variable)
                values[option.name] = not value if variable in option.inverted_aliases else value
            except OptionError as error:
                if variable != option.env and option.common_aliases:
                    continue
                problems.append(f"{error}; {option.default!r} is used")
    problems.extend(_unknown(environ))
    return Settings(**values), problems  # pyright: ignore[reportArgumentType]  # each option parses to its own type


def parse(option: Option, text: str, variable: str) -> bool | int | float | str:
    """Read the text of one option.

    Raises:
        OptionError: the text is not an allowed value.
    """
    if option.type == "str":
        return text
    value = _number(option, text) if option.type in {"int", "float"} else _word(option, text)
    if value is None:
        raise OptionError(f"{variable}={text!r} is not allowed: it takes {option.allowed} (see {DOCUMENTATION})")
    return value


def _word(option: Option, text: str) -> bool | str | None:
    """Read one of a few words, several of them, or a path; None where it is none."""
    word = text.lower()
    if option.type == "bool":
        return word in _TRUE if word in _TRUE | _FALSE else None
    if option.type == "choice":
        return word if word in option.choices else None
    if option.type == "path":
        return (text.rstrip("/") or "/") if _PATH.fullmatch(text) else None
    parts = {part.strip() for part in word.split(",")} - {""}
    return ",".join(one for one in option.choices if one in parts) if parts <= set(option.choices) else None


def _number(option: Option, text: str) -> int | float | None:
    """Read a number; None where it is none, or not an allowed one."""
    try:
        number = int(text) if option.type == "int" else float(text)
    except ValueError:
        return None
    too_small = option.minimum is not None and number < option.minimum
    too_large = option.maximum is not None and number > option.maximum
    return None if too_small or too_large or not math.isfinite(number) else number


def _unknown(environ: Mapping[str, str]) -> list[str]:
    known = {option.env for option in options.OPTIONS}
    problems: list[str] = []
    for variable in sorted(environ):
        if variable.startswith(options.PREFIX) and variable not in known:
            import difflib  # noqa: PLC0415  # for a typing error only

            close = difflib.get_close_matches(variable, known, n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            problems.append(f"{variable} is no option of this version and is ignored{hint} (see {DOCUMENTATION})")
    return problems


def sdk_disabled(environ: Mapping[str, str] | None = None) -> bool:
    """Whether OpenTelemetry as a whole is switched off by its standard variable."""
    environ = os.environ if environ is None else environ
    return environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"


def with_prometheus(environ: Mapping[str, str] | None = None) -> bool:
    """Whether the standard variable for metric exporters asks for a scrape endpoint."""
    environ = os.environ if environ is None else environ
    names = environ.get("OTEL_METRICS_EXPORTER") or "prometheus"  # empty means unset
    return "prometheus" in {name.strip() for name in names.split(",")}
