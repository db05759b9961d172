"""Our Collector as a process, with files of the shipped configuration."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psutil

from otel_llm_router.cli import _collector_layers as layers
from otel_llm_router.cli._collector_build import build_collector
from otel_llm_router.cli._collector_process import CollectorProcess
from otel_llm_router.cli._collector_settings import CollectorSettings
from otel_llm_router.cli._progress import QuietProgress

_POLL: Final = 0.05


def settings(directory: Path, names: tuple[str, ...], variables: Mapping[str, str]) -> CollectorSettings:
    """Settings on free ports with files of the shipped configuration."""
    chosen = CollectorSettings.on_free_ports(directory, configs=layers.files(names))
    return CollectorSettings(**{**vars(chosen), "variables": dict(variables)})


@contextmanager
def running(chosen: CollectorSettings, log: Path, *, before: Sequence[str] = ()) -> Generator[psutil.Process]:
    """Run it, ready inside the block; ``before`` is a command that `otel-llm-router collector run` is started by."""
    if not before:
        with CollectorProcess(build_collector(QuietProgress()), chosen, log=log) as process:
            yield psutil.Process(process.pid)
        return
    configs = [f"--config={path}" for path in chosen.configs]
    ports = ["--otlp-http", chosen.otlp_http, "--otlp-grpc", chosen.otlp_grpc, "--health", chosen.health]
    command = [str(Path(sys.executable).with_name("otel-llm-router")), "collector", "run", *configs, *ports, "--telemetry", "none"]
    data = ["--data-dir", str(chosen.data_dir)]
    with log.open("w") as out, subprocess.Popen([*before, *command, *data], env=chosen.environment(), stderr=out) as own:
        if not eventually(lambda: "the Collector is ready" in log.read_text() or own.poll() is not None, 60):
            own.terminate()
        if own.poll() is not None:
            raise RuntimeError(log.read_text()[-2_000:])
        (collector,) = psutil.Process(own.pid).children()
        yield collector
        own.terminate()
        own.wait()


def kill(collector: psutil.Process) -> None:
    """End it with SIGKILL, and wait until it is gone."""
    collector.kill()
    collector.wait()


def eventually(condition: Callable[[], bool], seconds: float) -> bool:
    """Wait until a condition holds; return whether it did within the time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL)
    return True
