"""R2: a server that is stopped by a signal."""

from __future__ import annotations

import signal
import socket
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Final

from benchmarks.faults.applications import SERVERS, address, application
from benchmarks.faults.collectors import HttpCollector
from benchmarks.faults.rows import Figures
from benchmarks.faults.subjects import BIN, running

ID: Final = "R2"
TITLE: Final = "A stop signal keeps the data"
HOW: Final = (
    "200 requests, then the signal, with a healthy collector: spans, log records and counts that arrived, the least of the "
    "three, of 200; with an exit budget of 20 s"
)
PASS: Final = "200 everywhere"
REQUESTS: Final = 200
BUDGET: Final = {"OTEL_LLM_ROUTER_EXIT_BUDGET": "20"}
"""What is lost is the matter here."""

STOPS: Final[dict[str, tuple[str, signal.Signals]]] = {
    "uvicorn, TERM": ("uvicorn", signal.SIGTERM),
    "uvicorn, INT": ("uvicorn", signal.SIGINT),
    "uvicorn --workers 4, TERM": ("uvicorn --workers 4", signal.SIGTERM),
    "gunicorn sync, TERM": ("gunicorn sync", signal.SIGTERM),
    "gunicorn sync --preload, TERM": ("gunicorn sync --preload", signal.SIGTERM),
    "gunicorn gthread, QUIT": ("gunicorn gthread", signal.SIGQUIT),
    "gunicorn UvicornWorker, TERM": ("gunicorn UvicornWorker", signal.SIGTERM),
    "hypercorn, TERM": ("hypercorn", signal.SIGTERM),
}


def run(subject: str, quick: bool) -> Figures:
    """Measure."""
    names = ("uvicorn, TERM", "gunicorn sync, TERM", "gunicorn UvicornWorker, TERM") if quick else tuple(STOPS)
    return {name: _stopped(subject, *STOPS[name]) for name in names if (BIN / SERVERS[STOPS[name][0]][0]).exists()}


def _stopped(subject: str, server: str, number: signal.Signals) -> int:
    command, *arguments = SERVERS[server]
    collector = HttpCollector()
    endpoint = collector.start()
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    with tempfile.TemporaryDirectory() as directory:
        (Path(directory) / "application.py").write_text(application())
        path = f"{Path(__file__).resolve().parents[3]}:{directory}"
        with running(
            subject, [BIN / command, *arguments, *address(server, port)], endpoint, PYTHONPATH=path, **BUDGET
        ) as process:
            answered, deadline = 0, time.monotonic() + 120
            while answered < REQUESTS and time.monotonic() < deadline:
                try:
                    with urllib.request.urlopen(f"http://127.0.0.1:{port}", timeout=20):
                        answered += 1
                except (urllib.error.URLError, OSError):  # noqa: PERF203  # it begins
                    time.sleep(0.05)
            process.send_signal(number)
            process.wait(60)
    collector.stop()
    taken = collector.taken
    return min(taken.span_names()["request"], taken.log_bodies()["request"], int(sum(taken.sums("work").values())))


def reached(figures: Figures) -> bool:
    """Whether it passes."""
    return all(value == REQUESTS for value in figures.values())
