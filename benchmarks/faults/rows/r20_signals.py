"""R20: signal handlers that emit."""

from __future__ import annotations

import subprocess
from typing import Final

from benchmarks.faults.collectors import HttpCollector
from benchmarks.faults.rows import Figures
from benchmarks.faults.subjects import program, said

ID: Final = "R20"
TITLE: Final = "Signals in the midst of it"
HOW: Final = (
    "A timer's signal 1 ms after the handler of the last one, which ends a span of its own, logs and counts, while the main thread does "
    "the same and flushes; and the same with a handler that also touches the span that the main thread is working on"
)
PASS: Final = "no deadlock in 10 s"
SECONDS: Final = 10.0

CODE: Final = """
import signal, time
from opentelemetry import trace
from benchmarks.faults import emit
touching = emit.os.environ["FAULTS_TOUCH"] == "1"
current, handled = None, 0
def handle(number, frame):
    global handled
    handled += 1
    emit.one("signal")
    if touching and current is not None:
        current.set_attribute("a", handled)
        current.add_event("e")
    if not stopped:
        signal.setitimer(signal.ITIMER_REAL, 0.001)
signal.signal(signal.SIGALRM, handle)
stopped = False
signal.setitimer(signal.ITIMER_REAL, 0.001)
until = time.monotonic() + float(emit.os.environ["FAULTS_SECONDS"])
while time.monotonic() < until:
    current = emit._tracer.start_span("main")
    for index in range(20):
        current.set_attribute("a", index)
    current.end()
    emit.one("main")
stopped = True
signal.setitimer(signal.ITIMER_REAL, 0)
emit.say(handled=handled)
"""


def run(subject: str, quick: bool) -> Figures:
    """Measure."""
    seconds = 4.0 if quick else SECONDS
    figures: Figures = {}
    for name, touch in (("a span of its own", "0"), ("the same span", "1")):
        collector = HttpCollector()
        variables = {"FAULTS_TOUCH": touch, "FAULTS_SECONDS": str(seconds)}
        with program(subject, CODE, collector.start(), **variables) as process:
            try:
                output, _ = process.communicate(timeout=seconds + 30)
                figures[f"{name}: handled"] = int(said(output)["handled"])
            except subprocess.TimeoutExpired:
                figures[f"{name}: handled"] = "deadlock"
        collector.stop()
    return figures


def reached(figures: Figures) -> bool:
    """Whether it passes."""
    return "deadlock" not in figures.values()
