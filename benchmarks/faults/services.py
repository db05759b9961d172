"""Services under `opentelemetry-instrument`, with our distribution or as the SDK's own would set itself up.

OpenTelemetry's distribution cannot be installed beside ours, whose entry points come first: what it does is a few lines,
which are given to the stock subject as a distribution of its own.
"""

from __future__ import annotations

import http.client
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import psutil

from benchmarks.faults.applications import application
from benchmarks.faults.subjects import BIN, ROOT, environment

FAILURES: Final = (OSError, http.client.HTTPException)
_STOCK: Final = """
from opentelemetry.instrumentation.distro import BaseDistro
from opentelemetry.sdk._configuration import _OTelSDKConfigurator

class Configurator(_OTelSDKConfigurator):
    pass

class Distro(BaseDistro):
    def _configure(self, **kwargs):
        pass
"""
_ENTRY_POINTS: Final = """
[opentelemetry_distro]
stock = faults_stock:Distro
[opentelemetry_configurator]
stock = faults_stock:Configurator
"""
_OURS_OFF: Final = "llm_router_asgi,llm_router_hooks,llm_router_litellm,llm_router_llama_cpp,llm_router_logging,llm_router_redis,llm_router_transformers,llm_router_wire"


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody has."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def instrumented(subject: str, directory: Path, endpoint: str, scrape_port: int, **variables: str) -> dict[str, str]:
    """Return the environment of a process under `opentelemetry-instrument`, and write what it needs."""
    (directory / "application.py").write_text(application())
    own = {
        "PYTHONPATH": f"{ROOT}:{directory}",
        "FAULTS_SUBJECT": "instrumented",
        "OTEL_SERVICE_NAME": f"faults-{scrape_port}",
        "OTEL_METRICS_EXPORTER": "prometheus",
        "XDG_RUNTIME_DIR": str(directory),
    }
    if subject == "ours":
        own |= {"OTEL_LLM_ROUTER_SCRAPE": "true", "OTEL_LLM_ROUTER_SCRAPE_PORT": str(scrape_port)}
        own |= {"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "llm_router_litellm,llm_router_hooks"}
    else:
        (directory / "faults_stock.py").write_text(_STOCK)
        metadata = directory / "faults_stock-1.dist-info"
        metadata.mkdir(exist_ok=True)
        (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: faults-stock\nVersion: 1\n")
        (metadata / "entry_points.txt").write_text(_ENTRY_POINTS)
        own |= {"OTEL_PYTHON_DISTRO": "stock", "OTEL_PYTHON_CONFIGURATOR": "stock"}
        own |= {"OTEL_EXPORTER_PROMETHEUS_PORT": str(scrape_port), "OTEL_EXPORTER_PROMETHEUS_HOST": "127.0.0.1"}
        own |= {"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": _OURS_OFF}
        own |= {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_LOGS_EXPORTER": "otlp"}
    return environment(subject, endpoint, "http", {**own, **variables})


def get(port: int, path: str = "/", seconds: float = 10.0) -> str:
    """Return what is served on a port.

    Raises:
        OSError: nobody answers.
        HTTPException: what answers is no 200.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=seconds)
    try:
        connection.request("GET", path, headers={"connection": "close"})
        answer = connection.getresponse()
        text = answer.read().decode()
        if answer.status != 200:  # noqa: PLR2004
            raise http.client.HTTPException(str(answer.status))
        return text
    finally:
        connection.close()


class Service:
    """A running service.

    Args:
        subject: ``ours`` or ``stock``.
        command: What starts it, without its address.
        directory: For its files.
        variables: Of its environment.

    Attributes:
        answered: Calls that were answered.
        failed: Calls that were not: they may have been counted.
        fell: How often the scrape showed less than before.
        scrapes: Seconds that each scrape took.
    """

    def __init__(self, subject: str, command: list[str], directory: Path, **variables: str) -> None:
        self.port, self.scrape_port = free_port(), free_port()
        self.answered = self.failed = self.fell = 0
        self.scrapes: list[float] = []
        self._highest = 0.0
        self._lock = threading.Lock()
        address = ["--port", str(self.port)] if command[0] == "uvicorn" else ["--bind", f"127.0.0.1:{self.port}"]
        off = {"OTEL_TRACES_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none", "OTEL_LLM_ROUTER_SCRAPE_CACHE": "0"}
        self.process = subprocess.Popen(
            [BIN / "opentelemetry-instrument", BIN / command[0], *command[1:], *address],
            env=instrumented(subject, directory, "http://127.0.0.1:1", self.scrape_port, **{**off, **variables}),
            cwd=directory,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def call(self) -> int:
        """Call it once; return the process that answered, 0 for none."""
        try:
            body = int(get(self.port))
        except FAILURES:
            with self._lock:
                self.failed += 1
            return 0
        with self._lock:
            self.answered += 1
        return body

    def traffic(self, calls: int, clients: int = 4) -> set[int]:
        """Call it, several clients at once; return the processes that answered."""
        found: set[int] = set()

        def client() -> None:
            found.update(self.call() for _ in range(calls // clients))

        threads = [threading.Thread(target=client) for _ in range(clients)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        return found - {0}

    def counted(self) -> int | None:
        """Return how many requests the scrape shows; None while nobody serves it."""
        began = time.monotonic()
        try:
            text = get(self.scrape_port, "/metrics")
        except FAILURES:
            return None
        value = sum(float(one) for one in re.findall(r"^work_total(?:{.*})? (\S+)$", text, re.MULTILINE))
        self.scrapes.append(time.monotonic() - began)
        self.fell += value < self._highest
        self._highest = max(value, self._highest)
        return int(value)

    def settled(self, seconds: float = 3.0) -> int:
        """Return what the scrape shows when it shows all that was answered, or after some seconds."""
        shown, deadline = self.counted(), time.monotonic() + seconds
        while (shown is None or shown < self.answered) and time.monotonic() < deadline:
            time.sleep(0.05)
            shown = self.counted()
        return shown or 0

    def holder(self) -> int | None:
        """Return the process that has the scrape port."""
        with suppress(psutil.Error):
            root = psutil.Process(self.process.pid)
            for one in (root, *root.children(recursive=True)):
                with suppress(psutil.Error):
                    if any(
                        found.status == psutil.CONN_LISTEN and found.laddr.port == self.scrape_port
                        for found in one.net_connections("tcp")
                    ):
                        return int(one.pid)
        return None

    def end(self) -> None:
        """End all of it."""
        left: list[psutil.Process] = []
        with suppress(psutil.Error):
            root = psutil.Process(self.process.pid)
            left = [root, *root.children(recursive=True)]
        self.process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(3)
        for one in left:
            with suppress(psutil.Error):
                one.kill()
        self.process.wait(20)


def waited(condition: Callable[[], Any], seconds: float, step: float = 0.02) -> float | None:
    """Return after how many seconds a condition held; None if it did not."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > seconds:
            return None
        time.sleep(step)
    return time.monotonic() - began


@contextmanager
def serving(subject: str, command: list[str], **variables: str) -> Generator[Service]:
    """Run a service, from when it answers to the end of the block."""
    with tempfile.TemporaryDirectory(prefix="faults-", dir="/tmp" if sys.platform != "win32" else None) as directory:
        service = Service(subject, command, Path(directory), **variables)
        try:
            if waited(service.call, 40) is None:
                raise RuntimeError(f"no answer from {command}")
            service.failed = 0
            yield service
        finally:
            service.end()
