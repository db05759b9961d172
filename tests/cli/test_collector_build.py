"""Building the Collector, with a Go that does as it is told, and the real one where the lock is the point."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import signal
import time
from pathlib import Path

import pytest

from collector_command import Command
from otel_llm_router._resources import resource_dir
from otel_llm_router.cli import _collector_build, _go
from otel_llm_router.cli._collector_build import (
    CollectorBuildError,
    build_collector,
    build_environment,
    cached_collector,
)
from otel_llm_router.cli._go import Go, GoNotFoundError, find_go
from otel_llm_router.cli._progress import QuietProgress

SYSTEM_PATH = "/usr/bin:/bin"
FAKE_GO = """#!/bin/sh
here={here}
case "$1" in
env) echo {version}; echo "$here/goroot" ;;
list) echo 'go: downloading example.com/a v1.0.0' >&2; echo example.com/a; echo fmt ;;
build)
    echo built >> "$here/builds"
    {build}
    while [ $# -gt 0 ]; do
        if [ "$1" = -o ]; then printf '#!/bin/sh\\nexit 0\\n' > "$2"; chmod +x "$2"; fi
        shift
    done
    echo 'example.com/a' >&2 ;;
esac
"""


@pytest.fixture
def fake_go(tmp_path: Path) -> Path:
    directory = tmp_path / "fake-go"
    directory.mkdir()
    write_go(directory)
    return directory


def write_go(directory: Path, *, build: str = ":", version: str = "go1.99.1") -> None:
    go = directory / "go"
    go.write_text(FAKE_GO.format(here=directory, build=build, version=version))
    go.chmod(0o755)


def gate(directory: Path) -> None:
    """Make the fake `go build` say that it was reached, then wait to be let through."""
    os.mkfifo(directory / "reached")
    os.mkfifo(directory / "open")
    write_go(directory, build='echo $$ > "$here/reached"; read line < "$here/open"')


def wait_until_blocked(directory: Path) -> int:
    """Return the process id of the fake `go build` when it is at its gate."""
    return int((directory / "reached").read_text())


class TestProgress:
    def test_phases_are_lines_when_stderr_is_no_terminal(self, command: Command, fake_go: Path, tmp_path: Path) -> None:
        process = command("run", "--print-path", path=f"{fake_go}:{SYSTEM_PATH}", cache=tmp_path / "cache")
        output, error = process.communicate(timeout=20)
        assert process.returncode == 0
        binary = Path(output.strip())
        assert binary.parent.parent == tmp_path / "cache" / "collector"
        assert re.sub(r"\d+ s\n", "N s\n", error).splitlines() == [
            f"building the Collector with go1.99.1 ({fake_go / 'go'}), once; into {binary.parent}",
            "downloading modules ...",
            "downloading modules: 1 modules, N s",
            "compiling ...",
            "compiling: 1 of 2 packages, N s",
        ]

    def test_the_second_run_builds_nothing(self, command: Command, fake_go: Path, tmp_path: Path) -> None:
        for arguments in (["--build-only"], ["--build-only"], ["--rebuild", "--build-only"]):
            process = command("run", *arguments, path=f"{fake_go}:{SYSTEM_PATH}", cache=tmp_path / "cache")
            process.communicate(timeout=20)
            assert process.returncode == 0
        assert (fake_go / "builds").read_text() == "built\nbuilt\n"


class TestTrouble:
    def test_a_failed_build_shows_the_end_of_its_log(self, command: Command, fake_go: Path, tmp_path: Path) -> None:
        write_go(fake_go, build="echo 'main.go:1: no space left on device' >&2; exit 3")
        process = command("run", path=f"{fake_go}:{SYSTEM_PATH}", cache=tmp_path / "cache")
        _, error = process.communicate(timeout=20)
        (log,) = (tmp_path / "cache").rglob("build.log")
        assert process.returncode == 1
        assert error.splitlines()[-3:] == [
            "Error: building the Collector failed while compiling (go exited with 3):",
            "  main.go:1: no space left on device",
            f"The whole output is in {log}",
        ]
        assert "go: downloading example.com/a v1.0.0" in log.read_text()
        assert [path.name for path in log.parent.iterdir()] == ["build.log"]

    def test_two_at_once_build_once(self, command: Command, fake_go: Path, tmp_path: Path) -> None:
        gate(fake_go)
        path, cache = f"{fake_go}:{SYSTEM_PATH}", tmp_path / "cache"
        first = command("run", "--build-only", path=path, cache=cache)
        wait_until_blocked(fake_go)
        second = command("run", "--build-only", path=path, cache=cache)
        assert second.stderr is not None
        assert second.stderr.readline() == "another process builds the Collector; waiting for it\n"
        (fake_go / "open").write_text("go on")
        assert first.communicate(timeout=20)[0] == second.communicate(timeout=20)[0] != ""
        assert (fake_go / "builds").read_text() == "built\n"

    def test_a_build_that_is_ended_leaves_nothing_running(
        self, command: Command, fake_go: Path, tmp_path: Path
    ) -> None:
        gate(fake_go)
        path, cache = f"{fake_go}:{SYSTEM_PATH}", tmp_path / "cache"
        process = command("run", path=path, cache=cache)
        go = wait_until_blocked(fake_go)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
        assert process.returncode == 128 + signal.SIGTERM
        (log,) = cache.rglob("build.log")
        assert [path.name for path in log.parent.iterdir()] == ["build.log"]
        with contextlib.suppress(ProcessLookupError):
            for _ in range(2000):  # whoever inherited it takes note of its end when there is time
                os.kill(go, 0)
                time.sleep(0.01)
            pytest.fail("it still runs")
        # The lock is free again.
        write_go(fake_go)
        again = command("run", "--build-only", path=path, cache=cache)
        again.communicate(timeout=20)
        assert again.returncode == 0

    def test_a_cache_that_cannot_be_written(self, command: Command, fake_go: Path, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        process = command("run", path=f"{fake_go}:{SYSTEM_PATH}", cache=tmp_path / "file" / "cache")
        _, error = process.communicate(timeout=20)
        assert process.returncode == 1
        assert error.startswith("Error: building the Collector failed: ")
        assert "LLM_ROUTER_CACHE_DIR names another directory" in error


class TestGo:
    def test_too_old_is_no_go(self, fake_go: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        write_go(fake_go, version="go1.20.3")
        monkeypatch.setenv("PATH", f"{fake_go}:{SYSTEM_PATH}")
        monkeypatch.setattr(_go, "_wheel_root", lambda: None)
        with pytest.raises(GoNotFoundError, match=r"go is go1\.20\.3; Go 1\.24 or newer is needed"):
            find_go((1, 24))

    def test_the_wheel_is_used_when_path_has_none(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        pytest.importorskip("go")
        monkeypatch.setenv("PATH", str(tmp_path))
        go = find_go((1, 24))
        assert go.wheel
        assert go.executable.parent.parent == go.root

    def test_the_script_that_the_wheel_puts_on_path_is_the_wheel(
        self, fake_go: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (fake_go / "goroot").mkdir()
        monkeypatch.setenv("PATH", f"{fake_go}:{SYSTEM_PATH}")
        monkeypatch.setattr(_go, "_wheel_root", lambda: fake_go / "goroot")
        assert find_go((1, 24)).wheel

    def test_the_users_target_platform_does_not_count(self, fake_go: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", f"{fake_go}:{SYSTEM_PATH}")
        monkeypatch.setenv("GOOS", "plan9")
        monkeypatch.setenv("GOPROXY", "off")
        env = find_go((1, 24)).environment()
        assert ("GOOS" in env, env["GOPROXY"], env["CGO_ENABLED"]) == (False, "off", "0")


class TestCachesOfTheWheel:
    """A Go that came as our extra leaves nothing but the Collector."""

    @pytest.fixture(autouse=True)
    def no_caches_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for variable in ("GOCACHE", "GOMODCACHE"):
            monkeypatch.delenv(variable, raising=False)

    def go(self, *, wheel: bool = True) -> Go:
        return Go(Path("/go/bin/go"), "go1.99", Path("/go"), wheel=wheel)

    def test_they_go_when_the_build_is_done(self, tmp_path: Path) -> None:
        with build_environment(self.go(), tmp_path) as env:
            Path(env["GOCACHE"]).mkdir(parents=True)
            assert env["GOMODCACHE"].startswith(str(tmp_path))
        assert list(tmp_path.iterdir()) == []

    def test_a_failed_build_keeps_them_for_the_next_try(self, tmp_path: Path) -> None:
        with pytest.raises(CollectorBuildError):
            self.fail_in(tmp_path)
        assert (tmp_path / "go" / "build").is_dir()

    def fail_in(self, directory: Path) -> None:
        with build_environment(self.go(), directory) as env:
            Path(env["GOCACHE"]).mkdir(parents=True)
            raise CollectorBuildError("offline")

    def test_whoever_named_or_has_caches_keeps_them(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        with build_environment(self.go(wheel=False), tmp_path) as env:
            assert "GOCACHE" not in env
        monkeypatch.setenv("GOCACHE", "/mine")
        with build_environment(self.go(), tmp_path) as env:
            assert (env["GOCACHE"], "GOMODCACHE" in env) == ("/mine", False)


class TestLock:
    def test_a_lock_that_lacks_a_module_is_an_error_and_stays_as_it_is(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sources = tmp_path / "builder"
        shutil.copytree(resource_dir("collector-config") / "builder", sources)
        lock = sources / "go.mod"
        lines = lock.read_text().splitlines(keepends=True)
        lock.write_text("".join(line for line in lines if "/exporter/fileexporter " not in line))
        before = contents(sources)
        monkeypatch.setenv("LLM_ROUTER_CACHE_DIR", str(tmp_path / "cache"))
        monkeypatch.setattr(_collector_build, "_source_dir", lambda: sources)
        with pytest.raises(CollectorBuildError, match="fileexporter"):
            build_collector(QuietProgress())
        assert contents(sources) == before

    def test_a_build_leaves_our_sources_alone(self, collector_binary: Path) -> None:
        # The cache is named after the sources as they were before the build.
        assert collector_binary == cached_collector()

    def test_another_manifest_is_another_build(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        sources = tmp_path / "builder"
        shutil.copytree(resource_dir("collector-config") / "builder", sources)
        monkeypatch.setattr(_collector_build, "_source_dir", lambda: sources)
        before = cached_collector()
        with (sources / "go.sum").open("a") as lock:
            lock.write("\n")
        assert cached_collector() != before


def contents(directory: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in directory.iterdir()}
