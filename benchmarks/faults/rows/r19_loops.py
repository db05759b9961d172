"""R19: logs about the export of logs."""

from __future__ import annotations

import threading
import time
from typing import Any, Final

from benchmarks.faults.collectors import GrpcCollector, HttpCollector
from benchmarks.faults.rows import Figures
from benchmarks.faults.subjects import program

ID: Final = "R19"
TITLE: Final = "Logs about logs"
HOW: Final = (
    "Root at level DEBUG with the handler that exports on it, a batch every 0.5 s, 12 s: the records that arrive after the application has logged "
    "once. The collector is there all the time, or answers with 503 (gRPC: UNAVAILABLE) or is not there for the first 6 s"
)
PASS: Final = "one record everywhere"
SECONDS: Final = 12.0
BODY: Final = "the application's one record"

CODE: Final = f"""
import logging, time
from benchmarks.faults import emit
logging.basicConfig(level=logging.DEBUG)
if emit.os.environ["FAULTS_SUBJECT"] == "stock":
    from opentelemetry.instrumentation.logging.handler import LoggingHandler
    logging.getLogger().addHandler(LoggingHandler())
logging.getLogger("app").info({BODY!r})
emit.say(ready=1)
time.sleep(float(emit.os.environ["FAULTS_SECONDS"]))
"""


def run(subject: str, quick: bool) -> Figures:
    """Measure."""
    figures: Figures = {}
    seconds = 6.0 if quick else SECONDS
    cases = [(protocol, fault) for protocol in ("http", "grpc") for fault in ("there", "503", "not there")]
    threads = [
        threading.Thread(target=_one, args=(subject, protocol, fault, seconds, figures))
        for protocol, fault in (cases[:1] if quick else cases)
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    return dict(sorted(figures.items()))


def _one(subject: str, protocol: str, fault: str, seconds: float, figures: Figures) -> None:
    collector: Any = HttpCollector() if protocol == "http" else GrpcCollector()
    endpoint = collector.start()
    if fault == "503":
        collector.mode = "503" if protocol == "http" else "UNAVAILABLE"
    elif fault == "not there":
        collector.stop()
    variables = {
        "FAULTS_SECONDS": str(seconds),
        "OTEL_LLM_ROUTER_LOGS": "true",
        "OTEL_BLRP_SCHEDULE_DELAY": "500",
        "OTEL_LLM_ROUTER_EXIT_BUDGET": "10",
    }
    with program(subject, CODE, endpoint, protocol, **variables) as process:
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(seconds / 2)
        if fault == "not there":
            collector.start()
        collector.mode = "ok"
        process.wait(60)
    collector.stop()
    bodies = collector.taken.log_bodies()
    figures[f"{protocol}, collector {fault}: the application's record"] = bodies[BODY]
    figures[f"{protocol}, collector {fault}: others"] = sum(bodies.values()) - bodies[BODY]


def reached(figures: Figures) -> bool:
    """Whether it passes."""
    return all(value == name.endswith("record") for name, value in figures.items())
