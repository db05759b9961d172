"""Prometheus, its promtool, and Alertmanager: on PATH, in the cache, or built of locked Go modules.

Room: `cli`. PATH and the locks of `collector-config/engines` come in; programs that run go out.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from otel_llm_router._resources import resource_dir
from otel_llm_router.cli._asking import ask
from otel_llm_router.cli._go import GoNotFoundError
from otel_llm_router.cli._go_build import GoBuildError, GoProgram
from otel_llm_router.cli._progress import Progress
from otel_llm_router.cli.stack._engine import ALERTMANAGER, PROMETHEUS, EngineMissingError, Installed

PROMTOOL: Final = "promtool"
_VERSION: Final = re.compile(r"version v?(\d+)\.(\d+)\.(\d+)")
_VERSION_SECONDS: Final = 30.0


@dataclass(frozen=True)
class GoEngine:
    """An engine written in Go.

    Args:
        name: Of the program.
        title: What a user calls it.
        module: Its lock, a directory of `collector-config/engines`.
        package: What is built.
        oldest: The first release that can do what we ask of it.
        tags: Build tags.
    """

    name: str
    title: str
    module: str
    package: str
    oldest: tuple[int, int]
    tags: tuple[str, ...] = ()

    @property
    def program(self) -> GoProgram:
        """How it is built."""
        return GoProgram(
            name=self.name,
            title=self.title,
            room="engines",
            directory=resource_dir("collector-config") / "engines" / self.module,
            package=self.package,
            tags=self.tags,
            instead=f"Or put {self.name} {self.oldest[0]}.{self.oldest[1]} or newer on PATH.",
        )

    def find(self, progress: Progress, *, use_path: bool = True, build: bool = True) -> Installed:
        """Find the engine: on PATH, in the cache, or built now.

        Args:
            progress: Told what is found and built.
            use_path: Whether one on PATH counts.
            build: Whether it may be built.

        Raises:
            EngineMissingError: It is not here, and cannot be built.
        """
        found = shutil.which(self.name) if use_path else None
        if found is not None:
            version = _version(Path(found))
            if version is not None and version >= (*self.oldest, 0):
                return Installed(Path(found), ".".join(map(str, version)), built=False)
            stated = "does not say its version" if version is None else f"is {'.'.join(map(str, version))}"
            progress.note(f"{found} {stated}; {self.oldest[0]}.{self.oldest[1]} or newer is needed")
        program = self.program
        if not build and not program.cached().is_file():
            raise EngineMissingError(
                f"{self.title} is neither on PATH nor in the cache: `otel-llm-router stack build {self.name}` makes it. "
                f"{program.instead}"
            )
        try:
            binary = program.build(progress)
        except (GoNotFoundError, GoBuildError) as error:
            raise EngineMissingError(error.message) from error
        version = _version(binary)
        # A build of the module has no version stamped in; its lock has.
        return Installed(binary, ".".join(map(str, version or self._locked())), built=True)

    def _locked(self) -> tuple[int, int, int]:
        repository = "/".join(self.package.split("/")[:3])
        text = (self.program.directory / "go.mod").read_text(encoding="utf-8")
        match = re.search(rf"^(?:require)?\s*{re.escape(repository)} v(\d+)\.(\d+)\.(\d+)", text, re.MULTILINE)
        assert match is not None  # noqa: S101 - the lock is for this module
        major, minor, patch = (int(one) for one in match.groups())
        # Prometheus 3.10.0 is the module v0.310.0.
        return (minor // 100, minor % 100, patch) if minor >= 100 else (major, minor, patch)  # noqa: PLR2004


def _version(program: Path) -> tuple[int, int, int] | None:
    try:
        answer = ask([program, "--version"], seconds=_VERSION_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = _VERSION.search(answer.stdout + answer.stderr)
    return (int(match[1]), int(match[2]), int(match[3])) if match else None


# The first with the OTLP receiver and the names that we use; discovery of clouds is left out of the build, which halves it.
_PROMETHEUS_TAGS: Final = ("remove_all_sd",)
_REPOSITORY: Final = "github.com/prometheus"

GO_ENGINES: Final = {
    PROMETHEUS: GoEngine(
        PROMETHEUS, "Prometheus", PROMETHEUS, f"{_REPOSITORY}/prometheus/cmd/prometheus", (3, 0), _PROMETHEUS_TAGS
    ),
    PROMTOOL: GoEngine(
        PROMTOOL, "promtool", PROMETHEUS, f"{_REPOSITORY}/prometheus/cmd/promtool", (3, 0), _PROMETHEUS_TAGS
    ),
    ALERTMANAGER: GoEngine(
        ALERTMANAGER, "Alertmanager", ALERTMANAGER, f"{_REPOSITORY}/alertmanager/cmd/alertmanager", (0, 27)
    ),
}
