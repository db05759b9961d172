"""Running a program of the matrix as one of the subjects: with our distribution, or with the SDK as it comes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[2]
BIN: Final = Path(sys.executable).parent
SUBJECTS: Final = ("ours", "stock")
PROTOCOLS: Final = {"http": "http/protobuf", "grpc": "grpc"}


def environment(subject: str, endpoint: str, protocol: str, variables: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a subject's process."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    return {
        **kept,
        "FAULTS_SUBJECT": subject,
        "PYTHONPATH": str(ROOT),
        "PYTHONWARNINGS": "ignore",
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "OTEL_EXPORTER_OTLP_PROTOCOL": PROTOCOLS[protocol],
        "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
        "OTEL_LLM_ROUTER_SCRAPE": "false",
        "OTEL_METRICS_EXPORTER": "otlp",
        **variables,
    }


@contextmanager
def running(
    subject: str, command: list[Any], endpoint: str, protocol: str = "http", **variables: str
) -> Generator[subprocess.Popen[str]]:
    """Run a command as a subject."""
    prefix = [BIN / "opentelemetry-instrument"] if subject == "ours" else []
    with subprocess.Popen(
        [*prefix, *command],
        env=environment(subject, endpoint, protocol, variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


@contextmanager
def program(
    subject: str, code: str, endpoint: str, protocol: str = "http", **variables: str
) -> Generator[subprocess.Popen[str]]:
    """Run Python code as a subject."""
    with running(subject, [sys.executable, "-c", code], endpoint, protocol, **variables) as process:
        yield process


def said(line: str) -> dict[str, float]:
    """Return what a program said with `emit.say`."""
    return {name: float(value) for name, _, value in (word.partition("=") for word in line.split())}
