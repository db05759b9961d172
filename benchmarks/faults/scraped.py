"""Processes with a scrape endpoint: ours as the distribution has it, or `prometheus_client`'s with the SDK's exporter."""

# The stock exporter is there for the comparison only, and has types that are not complete.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from benchmarks.faults.subjects import running

HOST: Final = "127.0.0.1"
STARTED_WITHIN: Final = 60.0


def serve() -> None:
    """Serve metrics, in the process of a subject; ours does so by itself."""
    if os.environ["FAULTS_SUBJECT"] == "stock":
        from opentelemetry import metrics  # noqa: PLC0415
        from opentelemetry.exporter.prometheus import PrometheusMetricReader  # noqa: PLC0415
        from opentelemetry.sdk.metrics import MeterProvider  # noqa: PLC0415
        from prometheus_client import start_http_server  # noqa: PLC0415

        metrics.set_meter_provider(MeterProvider([PrometheusMetricReader()]))
        start_http_server(int(os.environ["FAULTS_PORT"]), addr=HOST)


def free_port() -> int:
    """Return a port that nobody has."""
    with socket.socket() as one:
        one.bind((HOST, 0))
        return int(one.getsockname()[1])


class Serving:
    """A process that serves.

    Attributes:
        port: Where its scrape endpoint is.
        process: The process.
    """

    def __init__(self, port: int, process: subprocess.Popen[str]) -> None:
        self.port = port
        self.process = process

    def scrape(
        self, path: str = "/metrics", *, timeout: float = 10.0, headers: Mapping[str, str] | None = None
    ) -> tuple[int, bytes]:
        """Return status and body; a whole answer that takes longer than ``timeout`` seconds raises TimeoutError."""
        deadline = time.monotonic() + timeout
        connection = http.client.HTTPConnection(HOST, self.port, timeout=timeout)
        try:
            connection.request("GET", path, headers=dict(headers or {}))
            answer = connection.getresponse()
            parts: list[bytes] = []
            while part := answer.read1(1 << 20):
                parts.append(part)
                if time.monotonic() > deadline:
                    raise TimeoutError
            return answer.status, b"".join(parts)
        finally:
            connection.close()

    def status(self, name: str) -> int:
        """Return a number of the process's status, such as ``Threads``, or ``VmRSS`` in kB."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1])
        raise KeyError(name)

    def files(self) -> int:
        """Return how many files the process has open."""
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))


def settled(condition: Callable[[], bool], within: float = 15.0) -> bool:
    """Wait until a condition holds; return whether it does."""
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


@contextmanager
def serving(subject: str, command: list[Any] | str, **variables: str) -> Generator[Serving]:
    """Run a command, or Python code, as a subject, until it can be connected to, and the code has said something."""
    port = free_port()
    environment = {
        "FAULTS_PORT": str(port),
        "OTEL_SERVICE_NAME": f"faults-{port}",
        "OTEL_TRACES_EXPORTER": "none",
        "OTEL_LOGS_EXPORTER": "none",
        "OTEL_METRICS_EXPORTER": "prometheus",
        "OTEL_LLM_ROUTER_SCRAPE": "true",
        "OTEL_LLM_ROUTER_SCRAPE_PORT": str(port),
        **variables,
    }
    whole = [sys.executable, "-c", command] if isinstance(command, str) else command
    with running(subject, whole, "http://127.0.0.1:1", **environment) as process:

        def there() -> bool:
            try:
                socket.create_connection((HOST, port), timeout=5).close()
            except OSError:
                return False
            return True

        if not settled(there, STARTED_WITHIN):
            raise RuntimeError(f"{subject} does not serve")
        if isinstance(command, str) and process.stdout is not None:
            process.stdout.readline()
        yield Serving(port, process)


def samples(text: str, name: str) -> dict[str, float]:
    """Return the values of a family in Prometheus' text, by their labels as they are written."""
    found: dict[str, float] = {}
    for line in text.splitlines():
        if line.startswith((f"{name}{{", f"{name} ")):
            labels, _, value = line[len(name) :].rpartition(" ")
            found[labels] = float(value)
    return found
