"""Find a Collector that can run a configuration, or build ours.

Room: `cli`. PATH and the cache come in; the path of a Collector that accepts the configuration goes out.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import click

from otel_llm_router.cli._asking import ask
from otel_llm_router.cli._collector_build import build_collector, cached_collector
from otel_llm_router.cli._collector_settings import CollectorSettings, default_configs
from otel_llm_router.cli._progress import Progress, StderrProgress

_NAMES_ON_PATH = ("otelcol-llm-router", "otelcol-contrib", "otelcol")
_VALIDATE_SECONDS = 60.0
_UNKNOWN_TYPE = re.compile(r"'(\w+?)s' unknown type: \"([^\"]+)\"")


class ConfigRejectedError(click.ClickException):
    """No Collector at hand can run the configuration."""


class CollectorMissingError(click.ClickException):
    """No Collector is at hand, and none was to be built."""


@dataclass(frozen=True)
class Verdict:
    """What a Collector says of a configuration.

    Args:
        accepted: Whether it would start with it.
        output: What it printed.
    """

    accepted: bool
    output: str

    @property
    def missing(self) -> tuple[str, ...]:
        """Components that the configuration names and the Collector lacks, such as ``exporter file``."""
        return tuple(f"{kind} {name}" for kind, name in _UNKNOWN_TYPE.findall(self.output))

    @property
    def reason(self) -> str:
        """Why it is not accepted."""
        return f"it lacks {', '.join(self.missing)}" if self.missing else self.output


def validate(binary: Path, settings: CollectorSettings) -> Verdict:
    """Ask a Collector whether it can run the configuration; it starts nothing and opens no port."""
    try:
        answer = ask(
            [binary, "validate", *settings.config_arguments()],
            env=settings.environment(),
            seconds=_VALIDATE_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Verdict(accepted=False, output=f"it does not run: {error}")
    return Verdict(accepted=answer.returncode == 0, output=(answer.stderr + answer.stdout).strip())


def ensure_collector(
    progress: Progress | None = None,
    *,
    settings: CollectorSettings | None = None,
    use_path: bool = True,
    rebuild: bool = False,
    build: bool = True,
) -> Path:
    """Find a Collector that accepts the configuration: on PATH, in the cache, or built now.

    Args:
        progress: Told what is found and built; by default stderr.
        settings: Whose configuration counts; by default ours.
        use_path: Whether Collectors on PATH count.
        rebuild: Build ours again and take that.
        build: Whether ours may be built.

    Raises:
        ConfigRejectedError: The configuration is at fault, or our build lacks what it needs.
        CollectorMissingError: None is at hand, and ours may not be built.
        GoNotFoundError: None is at hand, and there is no Go to build one.
        CollectorBuildError: The build failed.
    """
    progress = progress or StderrProgress()
    settings = settings or CollectorSettings()
    for name in _NAMES_ON_PATH if use_path and not rebuild else ():
        if (found := shutil.which(name)) is None:
            continue
        verdict = validate(Path(found), settings)
        if verdict.accepted:
            return Path(found)
        if not verdict.missing and settings.configs != default_configs() and not cached_collector().is_file():
            # A slip in a user's file is no reason to build for a minute and then say the same.
            raise ConfigRejectedError(f"{found} rejects the configuration:\n{verdict.output}")
        progress.note(f"{found} cannot run the configuration: {verdict.reason}")
    if not build and not cached_collector().is_file():
        raise CollectorMissingError(
            "no Collector on PATH can be used, and ours is not in the cache: `otel-llm-router collector run --build-only` "
            "builds it."
        )
    binary = build_collector(progress, rebuild=rebuild)
    verdict = validate(binary, settings)
    if verdict.missing:
        raise ConfigRejectedError(
            f"our Collector ({binary}) cannot run the configuration: {verdict.reason}. "
            f"Put a collector that has it on PATH as {' or '.join(_NAMES_ON_PATH[1:])}."
        )
    if not verdict.accepted:
        raise ConfigRejectedError(f"{binary} rejects the configuration:\n{verdict.output}")
    return binary
