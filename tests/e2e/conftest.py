"""Applications as processes under ``opentelemetry-instrument``, and an OTLP receiver on a real socket."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from otel_llm_router.cli.demo._receiver import Receiver
from running import BIN, HERE, Application, environment, free_port


@pytest.fixture
def receiver() -> Generator[tuple[Receiver, str]]:
    """An OTLP receiver and its endpoint."""
    found = Receiver()
    endpoint = found.start()
    yield found, endpoint
    found.stop()


@contextmanager
def applications(logs: Path) -> Generator[Callable[..., Application]]:
    """Start ``uvicorn MODULE:app`` under ``opentelemetry-instrument``; all are ended at the end of the block."""
    started: list[Application] = []

    def start(
        module: str, *, variables: Mapping[str, str], arguments: tuple[str, ...] = (), directory: Path = HERE
    ) -> Application:
        port, scrape_port, log = free_port(), free_port(), logs / f"{module}-{len(started)}.log"
        own = {"OTEL_LLM_ROUTER_SCRAPE_PORT": str(scrape_port), "OTEL_METRIC_EXPORT_INTERVAL": "500", **variables}
        command = [BIN / "opentelemetry-instrument", *arguments, BIN / "uvicorn", f"{module}:app", "--port", str(port)]
        with log.open("wb") as out:
            process = subprocess.Popen(command, cwd=directory, env=environment(**own), stdout=out, stderr=out)
        found = Application(process, f"http://127.0.0.1:{port}", f"http://127.0.0.1:{scrape_port}/metrics", log)
        started.append(found)
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline and process.poll() is None:
            with suppress(httpx.HTTPError):
                httpx.get(f"{found.base}/docs")
                return found
            time.sleep(0.05)
        pytest.fail(f"it did not start (exit code {process.poll()}):\n{found.said()}")

    yield start
    for one in started:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()


@pytest.fixture
def application(tmp_path: Path) -> Generator[Callable[..., Application]]:
    """Start applications that end with the test."""
    with applications(tmp_path) as start:
        yield start


@pytest.fixture(scope="module")
def lasting_application(tmp_path_factory: pytest.TempPathFactory) -> Generator[Callable[..., Application]]:
    """Start applications that end with the module."""
    with applications(tmp_path_factory.mktemp("applications")) as start:
        yield start


@pytest.fixture
def python(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run Python code under ``opentelemetry-instrument``, without a scrape port unless asked for."""

    def run(code: str, *arguments: str, path: Path | None = None, **variables: str) -> Any:
        own = {"OTEL_LLM_ROUTER_SCRAPE": "false", "OTEL_TRACES_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}
        own |= {"OTEL_METRICS_EXPORTER": "none", **variables}
        if path is not None:
            own["PYTHONPATH"] = str(path)
        return subprocess.run(
            [BIN / "opentelemetry-instrument", *arguments, sys.executable, "-c", code],
            cwd=tmp_path,
            env=environment(**own),
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )

    return run
