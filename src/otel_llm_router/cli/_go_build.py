"""Build a Go program once, into the user's cache.

Room: `cli`. A directory with a module lock comes in; a binary goes out. A build is one ``go build`` of
locked modules, and changes no file of ours.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import click

from otel_llm_router.cli._dirs import cache_dir
from otel_llm_router.cli._file_lock import exclusive
from otel_llm_router.cli._go import Go, find_go
from otel_llm_router.cli._progress import Progress

_LAST_LINES = 10
_OFFLINE = re.compile(r"dial tcp|no such host|proxyconnect|module lookup disabled|i/o timeout", re.IGNORECASE)


class GoBuildError(click.ClickException):
    """The Go toolchain did not build a program."""


@dataclass(frozen=True)
class GoProgram:
    """A program that is built of locked modules.

    Args:
        name: Of its binary.
        title: What a user calls it, such as ``the Collector``.
        room: Its directory in the cache.
        directory: Holds go.mod, go.sum and what else decides what is built.
        package: What is built there.
        tags: Build tags.
        instead: What a user can do who has no Go, as a sentence.
    """

    name: str
    title: str
    room: str
    directory: Path
    package: str = "."
    tags: tuple[str, ...] = ()
    instead: str = ""

    def cached(self) -> Path:
        """Path of the binary in the cache, whether or not it has been built.

        The directory is named after all that decides what is built: an edited lock makes another.
        """
        digest = hashlib.sha256(f"{sys.platform} {platform.machine()}\n".encode())
        if self.package != "." or self.tags:
            digest.update(f"{self.package} {self.tags}\n".encode())
        for source in _sources(self.directory):
            digest.update(f"{source.name} {source.stat().st_size}\n".encode())
            digest.update(source.read_bytes())
        binary = f"{self.name}.exe" if sys.platform == "win32" else self.name
        return cache_dir() / self.room / digest.hexdigest()[:16] / binary

    def build(self, progress: Progress, *, rebuild: bool = False) -> Path:
        """Build the program if the cache has none, and return its path.

        Args:
            progress: Told about the phases.
            rebuild: Build even if the cache has one.

        Raises:
            GoNotFoundError: There is no Go to build it with.
            GoBuildError: The build failed.
        """
        binary = self.cached()
        if binary.is_file() and not rebuild:
            return binary
        lock = binary.parent.with_suffix(".lock")
        try:
            with exclusive(lock, on_wait=lambda: progress.note(f"another process builds {self.title}; waiting for it")):
                # Whoever held the lock may have built it meanwhile.
                if rebuild or not binary.is_file():
                    _build(self, binary, progress)
        except OSError as error:
            raise GoBuildError(
                f"building {self.title} failed: {error}. LLM_ROUTER_CACHE_DIR names another directory than {cache_dir()}."
            ) from error
        return binary


def _build(program: GoProgram, binary: Path, progress: Progress) -> None:
    go = find_go(_minimum_go(program.directory), title=program.title, instead=program.instead)
    binary.parent.mkdir(parents=True, exist_ok=True)
    log = binary.parent / "build.log"
    unfinished = binary.with_name(f".{uuid.uuid4().hex}-{binary.name}")
    progress.note(f"building {program.title} with {go.version} ({go.executable}), once; into {binary.parent}")
    tags = (f"-tags={','.join(program.tags)}",) if program.tags else ()
    try:
        with build_environment(go, binary.parent) as env, log.open("w", buffering=1, encoding="utf-8") as out:

            def run(doing: str, *arguments: str, detail: Callable[[str], None]) -> None:
                command = [str(go.executable), *arguments]
                if (status := _run(command, program.directory, env, out, detail)) != 0:
                    raise _failure(program.title, doing, status, log)

            with progress.phase("downloading modules") as detail:
                modules = _Counter(detail, "{} modules", starting="go: downloading ")
                # It downloads what the packages need, and no more, and prints the packages.
                run("downloading modules", "list", "-mod=readonly", *tags, "-deps", program.package, detail=modules)
            with progress.phase("compiling") as detail:
                packages = _Counter(detail, f"{{}} of {modules.others} packages")
                flags = ("-mod=readonly", *tags, "-trimpath", "-buildvcs=false", "-ldflags=-s -w")
                run("compiling", "build", "-v", *flags, "-o", str(unfinished), program.package, detail=packages)
        unfinished.replace(binary)
    finally:
        unfinished.unlink(missing_ok=True)


class _Counter:
    """Counts lines that the go command prints while it works."""

    def __init__(self, detail: Callable[[str], None], text: str, *, starting: str = "") -> None:
        self.others = 0
        self._detail = detail
        self._text = text
        self._starting = starting
        self._count = 0

    def __call__(self, line: str) -> None:
        if line.startswith(self._starting):
            self._count += 1
            self._detail(self._text.format(self._count))
        else:
            self.others += 1


@contextmanager
def build_environment(go: Go, directory: Path) -> Generator[dict[str, str]]:
    """Yield the build's environment; for the wheel, with caches that go when the build is done.

    Who develops in Go has caches, and wants the modules in them. Who has Go only as our extra would
    be left with 1.5 GB of files of a tool never called. A failed build keeps them, for the next try.
    """
    env = go.environment()
    if not go.wheel or "GOCACHE" in env or "GOMODCACHE" in env:
        yield env
        return
    caches = directory / "go"
    # Modules are read-only by default, directories too: they could not be removed.
    flags = f"{env.get('GOFLAGS', '')} -modcacherw".strip()
    yield env | {"GOCACHE": str(caches / "build"), "GOMODCACHE": str(caches / "mod"), "GOFLAGS": flags}
    shutil.rmtree(caches, ignore_errors=True)


def _run(command: list[str], cwd: Path, env: dict[str, str], log: IO[str], line_seen: Callable[[str], None]) -> int:
    log.write(f"$ {' '.join(command)}\n")
    # Its own group, because the compilers that `go build` starts must end with it.
    with subprocess.Popen(  # noqa: S603
        command,
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    ) as process:
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        try:
            for line in process.stdout:
                log.write(line)
                line_seen(line)
            return process.wait()
        except BaseException:
            _kill_group(process)
            raise


def _kill_group(process: subprocess.Popen[str]) -> None:
    if sys.platform == "win32":
        process.kill()
        return
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _failure(title: str, doing: str, status: int, log: Path) -> GoBuildError:
    # A line of one word is a package's name: progress, as the downloads are, and not the reason.
    lines = [
        line
        for line in log.read_text(encoding="utf-8").splitlines()
        if " " in line and not line.startswith(("$ ", "go: downloading "))
    ]
    last = "\n".join(f"  {line}" for line in lines[-_LAST_LINES:])
    offline = (
        "\nThe modules come from Go's proxy (`go env GOPROXY`), which was not reached." if _OFFLINE.search(last) else ""
    )
    return GoBuildError(
        f"building {title} failed while {doing} (go exited with {status}):\n{last}{offline}\nThe whole output is in {log}"
    )


def _sources(directory: Path) -> list[Path]:
    return sorted(path for path in directory.iterdir() if path.suffix in {".go", ".mod", ".sum", ".yaml"})


def _minimum_go(directory: Path) -> tuple[int, int]:
    match = re.search(r"^go (\d+)\.(\d+)", (directory / "go.mod").read_text(encoding="utf-8"), re.MULTILINE)
    assert match is not None  # noqa: S101 - every go.mod has the line
    return int(match[1]), int(match[2])
