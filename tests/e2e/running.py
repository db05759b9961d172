"""Processes under test: their environment, and a running application."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import httpx

from otel_llm_router.cli.demo._samples import Samples

HERE = Path(__file__).parent
BIN = Path(sys.executable).parent


def free_port() -> int:
    with socket.socket() as candidate:
        candidate.bind(("127.0.0.1", 0))
        return candidate.getsockname()[1]


def environment(**variables: str) -> dict[str, str]:
    """The environment of a test's process: ours without anything of OpenTelemetry."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "PYTHONPATH"))}
    own = {
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "PYTHONUNBUFFERED": "1",
        # Tests read the numbers of now, not those of a second ago.
        "OTEL_LLM_ROUTER_SCRAPE_CACHE": "0",
        # The stock instrumentation of logging is installed here for tests of our own beside it.
        "OTEL_PYTHON_LOG_AUTO_INSTRUMENTATION": "false",
    }
    return {**kept, **own, **variables}


@dataclass
class Application:
    """A running application."""

    process: subprocess.Popen[bytes]
    base: str
    metrics: str
    log: Path

    def scrape(self) -> Samples:
        return Samples.of_text(httpx.get(self.metrics).text)

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(30)

    def said(self) -> str:
        return self.log.read_text()
