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

APPLICATION: Final = """
from benchmarks.faults import emit

def wsgi(environ, start_response):
    emit.one("request")
    start_response("200 OK", [("content-length", "2")])
    return [b"ok"]

async def asgi(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    emit.one("request")
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})
"""

_GUNICORN: Final = ["gunicorn", "--workers", "2", "--worker-class"]
SERVERS: Final[dict[str, tuple[list[str], signal.Signals]]] = {
    "uvicorn, TERM": (["uvicorn", "application:asgi"], signal.SIGTERM),
    "uvicorn, INT": (["uvicorn", "application:asgi"], signal.SIGINT),
    "uvicorn --workers 4, TERM": (["uvicorn", "application:asgi", "--workers", "4"], signal.SIGTERM),
    "gunicorn sync, TERM": ([*_GUNICORN, "sync", "application:wsgi"], signal.SIGTERM),
    "gunicorn sync --preload, TERM": ([*_GUNICORN, "sync", "--preload", "application:wsgi"], signal.SIGTERM),
    "gunicorn gthread, QUIT": ([*_GUNICORN, "gthread", "application:wsgi"], signal.SIGQUIT),
    "gunicorn UvicornWorker, TERM": ([*_GUNICORN, "uvicorn.workers.UvicornWorker", "application:asgi"], signal.SIGTERM),
    "hypercorn, TERM": (["hypercorn", "application:asgi"], signal.SIGTERM),
}


def run(subject: str, quick: bool) -> Figures:
    """Measure."""
    names = ("uvicorn, TERM", "gunicorn sync, TERM", "gunicorn UvicornWorker, TERM") if quick else tuple(SERVERS)
    return {name: _stopped(subject, *SERVERS[name]) for name in names if (BIN / SERVERS[name][0][0]).exists()}


def _stopped(subject: str, command: list[str], number: signal.Signals) -> int:
    collector = HttpCollector()
    endpoint = collector.start()
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    address = ["--port", str(port)] if command[0] == "uvicorn" else ["--bind", f"127.0.0.1:{port}"]
    with tempfile.TemporaryDirectory() as directory:
        (Path(directory) / "application.py").write_text(APPLICATION)
        path = f"{Path(__file__).resolve().parents[3]}:{directory}"
        with running(
            subject, [BIN / command[0], *command[1:], *address], endpoint, PYTHONPATH=path, **BUDGET
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
