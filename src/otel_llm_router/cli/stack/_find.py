"""Find the engines of a stack, or make them.

Room: `cli`. Names of engines come in; those that are at hand go out, and a sentence for each that is not.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import click

from otel_llm_router.cli._asking import ask
from otel_llm_router.cli._collector_build import build_collector, cached_collector
from otel_llm_router.cli._collector_locate import CollectorMissingError, ensure_collector
from otel_llm_router.cli._collector_settings import CollectorSettings
from otel_llm_router.cli._go import GoNotFoundError
from otel_llm_router.cli._go_build import GoBuildError
from otel_llm_router.cli._progress import Progress
from otel_llm_router.cli.stack._engine import COLLECTOR, OPENSEARCH, EngineMissingError, Installed
from otel_llm_router.cli.stack._go_engines import GO_ENGINES
from otel_llm_router.cli.stack._opensearch import find_opensearch

BUILDABLE: Final = (COLLECTOR, *GO_ENGINES, OPENSEARCH)
"""What can be built or resolved ahead of its use."""

_VERSION_SECONDS: Final = 30.0


def find_engine(name: str, progress: Progress, *, build: bool = True) -> Installed:
    """Find one engine: on PATH, in the cache, or made now. The Collector needs `find_collector`.

    Raises:
        EngineMissingError: It is not here, and cannot be made.
    """
    if name == OPENSEARCH:
        return find_opensearch(progress, build=build)
    return GO_ENGINES[name].find(progress, build=build)


def find_engines(
    names: Iterable[str], required: Sequence[str], progress: Progress, *, build: bool
) -> dict[str, Installed]:
    """Find engines, and say of each that is left out how to get it.

    Args:
        names: Those that are looked for.
        required: Those that may not be left out.
        progress: Told about those that are.
        build: Whether engines may be made.

    Raises:
        EngineMissingError: One that is required is not here, and cannot be made.
    """
    found = {name: _find_or_leave_out(name, progress, required=name in required, build=build) for name in names}
    return {name: one for name, one in found.items() if one is not None}


def _find_or_leave_out(name: str, progress: Progress, *, required: bool, build: bool) -> Installed | None:
    try:
        return find_engine(name, progress, build=build)
    except EngineMissingError as error:
        if required:
            raise
        progress.note(f"without {name}: {error.message}")
        return None


def find_collector(progress: Progress, settings: CollectorSettings, *, build: bool = True) -> Installed:
    """Find a Collector that accepts the configuration, or build ours.

    Raises:
        EngineMissingError: There is none, and ours cannot be built.
        ConfigRejectedError: The configuration is at fault.
    """
    try:
        binary = ensure_collector(progress, settings=settings, build=build)
    except (CollectorMissingError, GoNotFoundError, GoBuildError) as error:
        raise EngineMissingError(error.message) from error
    return Installed(binary, _collector_version(binary), built=binary == cached_collector())


def build_engines(names: Iterable[str], progress: Progress) -> dict[str, Path]:
    """Build or resolve engines ahead of their use, unless they are at hand.

    Raises:
        click.ClickException: One is not here and cannot be made.
    """
    return {
        name: build_collector(progress) if name == COLLECTOR else find_engine(name, progress).program for name in names
    }


def _collector_version(binary: Path) -> str:
    try:
        answer = ask([binary, "--version"], seconds=_VERSION_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise click.ClickException(f"{binary} does not run: {error}") from error
    match = re.search(r"version v?(\S+)", answer.stdout)
    return match[1] if match else "unknown"
