"""R1: exit with a collector that takes nothing."""

from __future__ import annotations

import time
from typing import Any, Final

from benchmarks.faults.collectors import GrpcCollector, HttpCollector, SilentPort
from benchmarks.faults.rows import Figures
from benchmarks.faults.subjects import program

ID: Final = "R1"
TITLE: Final = "Bounded exit"
HOW: Final = (
    "2,000 spans, log records and counts each, then the end of the script: seconds from there to the process being gone, "
    "less those with OTEL_SDK_DISABLED, with a collector that refuses, accepts and never answers, answers no SYN, drips its answer, or answers 503"
)
PASS: Final = "at most 2.2 s each (a budget of 2.0 s)"
LIMIT: Final = 2.2

CODE: Final = """
from benchmarks.faults import emit
for index in range(2000):
    emit.one(str(index))
emit.say(ready=1)
"""


def _endpoint(fault: str, protocol: str) -> tuple[Any, str]:
    if fault == "refused":
        return None, "http://127.0.0.1:1"
    made: Any
    if fault == "no SYN":
        made = SilentPort()
    elif protocol == "grpc":
        made = GrpcCollector("UNAVAILABLE" if fault == "503" else fault)
    else:
        made = HttpCollector(fault)
    return made, made.start()


def run(subject: str, quick: bool) -> Figures:
    """Measure."""
    faults = ("refused", "hang") if quick else ("refused", "hang", "no SYN", "drip", "503")
    figures: Figures = {}
    for protocol in ("http", "grpc"):
        for fault in faults:
            if (fault, protocol) == ("drip", "grpc"):
                continue
            collector, endpoint = _endpoint(fault, protocol)
            seconds = _seconds(subject, endpoint, protocol)
            if collector is not None:
                collector.stop()
            without = _seconds(subject, endpoint, protocol, OTEL_SDK_DISABLED="true")
            figures[f"{fault}, {protocol} (s)"] = round(max(0.0, seconds - without), 2)
    return figures


def _seconds(subject: str, endpoint: str, protocol: str, **variables: str) -> float:
    """Return how long the script's process is there after its last line."""
    with program(subject, CODE, endpoint, protocol, **variables) as process:
        assert process.stdout is not None
        process.stdout.readline()
        began = time.monotonic()
        process.wait(120)
        return time.monotonic() - began


def reached(figures: Figures) -> bool:
    """Whether it passes."""
    return all(float(value) <= LIMIT for value in figures.values())
