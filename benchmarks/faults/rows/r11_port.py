"""R11: the scrape port is not to be had."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from benchmarks.faults.collectors import HttpCollector
from benchmarks.faults.rows import Figures
from benchmarks.faults.services import FAILURES, free_port, get, instrumented, waited
from benchmarks.faults.subjects import BIN

ID: Final = "R11"
TITLE: Final = "The scrape port is taken"
HOW: Final = (
    "uvicorn with a FastAPI application under `opentelemetry-instrument`, the stock SDK with its Prometheus exporter, while a stranger listens on "
    "the scrape's port (alone: with OTEL_LLM_ROUTER_WORKERS=false), on the same port of all addresses by IPv6, or the port is a "
    "privileged one; ten requests. The stranger then goes away"
)
PASS: Final = "ten answers, spans, log records and the instrumentation's spans; one line in the log; metrics served within 5 s after the port is free"
APPLICATION: Final = """
import fastapi
from benchmarks.faults import emit
app = fastapi.FastAPI()
@app.get("/")
async def root():
    emit.one("request")
    return 1
"""
CALLS: Final = 10
SERVER: Final = 2
"""The kind of a span that a server's instrumentation makes."""
_UNPRIVILEGED: Final = (
    "import ctypes, os, sys; ctypes.CDLL(None).prctl(24, 10, 0, 0, 0); os.execv(sys.argv[1], sys.argv[1:])"
)
"""Runs a command without the right to privileged ports, which root has."""


def _stranger(family: socket.AddressFamily, address: str, port: int) -> socket.socket:
    listening = socket.socket(family)
    if family == socket.AF_INET6:
        listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    listening.bind((address, port))
    listening.listen()
    return listening


def run(subject: str, quick: bool) -> Figures:
    """Measure."""
    figures: Figures = {}
    cases: dict[str, tuple[socket.AddressFamily, str] | None] = {
        "a stranger": (socket.AF_INET, "127.0.0.1"),
        "a stranger, alone": (socket.AF_INET, "127.0.0.1"),
        "a stranger by IPv6": (socket.AF_INET6, "::"),
        "a privileged port": None,
    }
    first = int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())
    for name in list(cases)[:1] if quick else cases:
        where = cases[name]
        if where is None and first < 2:  # noqa: PLR2004  # no port is privileged here
            continue
        port = free_port() if where is not None else first - 1
        try:
            stranger = _stranger(*where, port) if where is not None else None
        except OSError:  # no IPv6 here
            continue
        alone = {"OTEL_LLM_ROUTER_WORKERS": "false"} if name.endswith("alone") else {}
        figures |= {f"{name}: {what}": value for what, value in _one(subject, port, stranger, alone).items()}
    return figures


def _one(subject: str, port: int, stranger: socket.socket | None, more: dict[str, str]) -> Figures:
    collector = HttpCollector()
    endpoint = collector.start()
    with tempfile.TemporaryDirectory(prefix="faults-", dir="/tmp") as name:
        directory = Path(name)
        soon = {"OTEL_BSP_SCHEDULE_DELAY": "500", "OTEL_BLRP_SCHEDULE_DELAY": "500", **more}
        variables = instrumented(subject, directory, endpoint, port, **soon)
        (directory / "application.py").write_text(APPLICATION)
        served = free_port()
        command = [
            sys.executable,
            "-c",
            _UNPRIVILEGED,
            BIN / "opentelemetry-instrument",
            BIN / "uvicorn",
            "application:app",
        ]
        log = directory / "log"
        with (
            log.open("wb") as out,
            subprocess.Popen(
                [*command, "--port", str(served)], env=variables, cwd=directory, stdout=out, stderr=out
            ) as process,
        ):
            try:
                answered = _calls(served)
                figures: Figures = {f"answers of {CALLS}": answered}
                if stranger is not None:
                    stranger.close()
                    taken = waited(lambda: _shows(port), 8)
                    figures["served after the port is free (s)"] = round(taken, 1) if taken is not None else "never"
                process.send_signal(signal.SIGINT)
                with suppress(subprocess.TimeoutExpired):
                    process.wait(10)
            finally:
                if process.poll() is None:
                    process.kill()
        lines = [line for line in log.read_text().splitlines() if line.strip() and not line.startswith("INFO:")]
    collector.stop()
    spans = collector.taken.span_names()["request"]
    server = sum(
        any(span.kind == SERVER for span in scope.spans) and sum(span.kind == SERVER for span in scope.spans)
        for message in collector.taken.messages("traces")
        for of in message.resource_spans
        for scope in of.scope_spans
        if "instrumentation" in scope.scope.name
    )
    figures[f"spans and log records, the less of the two, of {CALLS}"] = min(
        spans, collector.taken.log_bodies()["request"]
    )
    figures[f"spans of the instrumentation, of {CALLS}"] = server
    figures["lines in the log"] = len(lines)
    return figures


def _calls(port: int) -> int:
    answered, deadline = 0, time.monotonic() + 40
    while answered < CALLS and time.monotonic() < deadline:
        try:
            get(port)
            answered += 1
        except FAILURES:  # noqa: PERF203  # it begins
            time.sleep(0.05)
    return answered


def _shows(port: int) -> bool:
    try:
        return "work_total" in get(port, "/metrics")
    except FAILURES:
        return False


def reached(figures: Figures) -> bool:
    """Whether it passes."""
    taken = [value for name, value in figures.items() if name.endswith("(s)")]
    return (
        all(value == CALLS for name, value in figures.items() if name.endswith(f"of {CALLS}"))
        and all(value == 1 for name, value in figures.items() if name.endswith("lines in the log"))
        and all(isinstance(value, float) and value <= 5 for value in taken)  # noqa: PLR2004  # of PASS
    )
