from __future__ import annotations

import os
import sys
from collections.abc import Generator
from pathlib import Path
from subprocess import PIPE, Popen

import pytest

from collector_command import MAIN, WITHOUT_GO_WHEEL, Command
from otel_llm_router.cli._collector_build import build_collector
from otel_llm_router.cli._collector_process import CollectorProcess
from otel_llm_router.cli._collector_settings import CollectorSettings
from otel_llm_router.cli._progress import StderrProgress


@pytest.fixture(scope="session")
def collector_binary() -> Path:
    """Our own Collector, from the cache (LLM_ROUTER_CACHE_DIR) or built into it."""
    return build_collector(StderrProgress())


@pytest.fixture
def running(collector_binary: Path, tmp_path: Path) -> Generator[CollectorProcess]:
    """Our Collector with our configuration."""
    settings = CollectorSettings.on_free_ports(tmp_path / "data")
    with CollectorProcess(collector_binary, settings, log=tmp_path / "collector.log") as collector:
        yield collector


@pytest.fixture
def command(tmp_path: Path) -> Generator[Command]:
    started: list[Popen[str]] = []

    def start(*arguments: str, path: str = "", cache: Path | None = None) -> Popen[str]:
        env = {key: value for key, value in os.environ.items() if not key.startswith("LLM_ROUTER_COLLECTOR_")}
        env |= {"PATH": path or str(tmp_path / "nothing"), "XDG_STATE_HOME": str(tmp_path / "state")}
        if cache is not None:
            env["LLM_ROUTER_CACHE_DIR"] = str(cache)
        line = [sys.executable, "-c", WITHOUT_GO_WHEEL + MAIN, *arguments]
        process = Popen(line, env=env, cwd=tmp_path, stdout=PIPE, stderr=PIPE, text=True)
        started.append(process)
        return process

    yield start
    for process in started:
        # Not killed: it would leave its Collector behind.
        process.terminate()
        process.communicate(timeout=20)
