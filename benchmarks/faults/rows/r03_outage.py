"""R3: a collector that is away for a while."""

from __future__ import annotations

import threading
import time
from collections import Counter
from typing import Any, Final

from benchmarks.faults.collectors import GrpcCollector, HttpCollector
from benchmarks.faults.rows import Figures
from benchmarks.faults.subjects import program, said

ID: Final = "R3"
TITLE: Final = "An outage of the collector, memory only"
HOW: Final = (
    "500 spans and log records a second for 60 s; from 10 s to 40 s the collector refuses, hangs, or answers 503. Lost and "
    "twice: spans and log records together; memory: growth at its peak; drained: seconds from its return until no span comes late any more"
)
PASS: Final = "nothing lost or twice, drained within 10 s, memory grows by at most 48 MB"
LATE: Final = 5.5
"""Seconds after its end that a span may come in the ordinary course: the SDK's own delay is 5 s."""

CODE: Final = """
from benchmarks.faults import emit
number = emit.steadily(500, 2)
before = emit.resident()
emit.steadily(500, float(emit.os.environ["FAULTS_SECONDS"]) - 2, number)
emit.say(grown=emit.peak() - before)
"""


def run(subject: str, quick: bool) -> Figures:
    """Measure."""
    seconds, down, up = (16.0, 4.0, 10.0) if quick else (60.0, 10.0, 40.0)
    cells = [("stopped", "http"), ("stopped", "grpc"), ("hang", "http"), ("503", "http")]
    results: dict[str, Figures] = {}
    threads = [
        threading.Thread(target=_cell, args=(subject, fault, protocol, (seconds, down, up), results))
        for fault, protocol in (cells[:1] if quick else cells)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {key: value for cell in sorted(results) for key, value in results[cell].items()}


def _cell(
    subject: str, fault: str, protocol: str, times: tuple[float, float, float], results: dict[str, Figures]
) -> None:
    seconds, down, up = times
    collector: Any = HttpCollector() if protocol == "http" else GrpcCollector()
    endpoint = collector.start()
    grown = 0.0
    with program(subject, CODE, endpoint, protocol, FAULTS_SECONDS=str(seconds)) as process:
        while not collector.taken.bodies:
            time.sleep(0.01)
        time.sleep(down)
        if fault == "stopped":
            collector.stop()
        else:
            collector.mode = fault
        time.sleep(up - down)
        collector.mode = "ok"
        if fault == "stopped":
            collector.start()
        back = time.time()
        assert process.stdout is not None
        grown = said(process.stdout.readline()).get("grown", 0.0)
        process.wait(120)
    collector.stop()
    emitted = int(sum(collector.taken.sums("work").values()))
    lost = twice = 0
    for arrived in (collector.taken.span_names(), collector.taken.log_bodies()):
        wanted = Counter(str(index) for index in range(emitted))
        lost += sum((wanted - arrived).values())
        twice += sum((arrived - wanted).values())
    name = f"{fault}, {protocol}"
    results[name] = {
        f"{name}: emitted": 2 * emitted,
        f"{name}: lost": lost,
        f"{name}: twice": twice,
        f"{name}: drained (s)": round(max(0.0, collector.taken.last_late(LATE) - back), 1),
        f"{name}: memory (MB)": round(grown, 1),
    }


def reached(figures: Figures) -> bool:
    """Whether it passes."""
    limits = {"emitted": 1e9, "lost": 0.0, "twice": 0.0, "drained": 10.0, "memory": 48.0}
    return all(float(value) <= limits[key.split(": ")[1].split()[0]] for key, value in figures.items())
