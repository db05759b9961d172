"""R9: forks at any moment."""

from __future__ import annotations

from typing import Any, Final

from benchmarks.faults.collectors import GrpcCollector, HttpCollector
from benchmarks.faults.rows import Figures
from benchmarks.faults.subjects import program, said

ID: Final = "R9"
TITLE: Final = "Forks at any moment"
HOW: Final = (
    "100 children forked, ten at a time, while four threads emit and exports are under way; each child emits 5 records of "
    "each signal and exits. Hung: not gone after 20 s. Missing: of the children's spans, log records and counts. Corrupt: "
    "requests that are none. With an exit budget of 20 s. Counted twice: counts beyond what was emitted"
)
PASS: Final = "none of each"
CHILDREN: Final = 100

CODE: Final = """
import os, sys, threading, time
from benchmarks.faults import emit
from opentelemetry import metrics
meter = metrics.get_meter("faults").create_counter("parents")
children = metrics.get_meter("faults").create_counter("children")
stop = threading.Event()
total = [0] * 4
def hammer(which):
    while not stop.is_set():
        emit.one("parent")
        meter.add(1)
        total[which] += 1
        time.sleep(0.002)
threads = [threading.Thread(target=hammer, args=(index,), daemon=True) for index in range(4)]
for thread in threads:
    thread.start()
time.sleep(1)
hung = 0
for _ in range(int(emit.os.environ["FAULTS_CHILDREN"]) // 10):
    pids = []
    for _ in range(10):
        pid = os.fork()
        if pid == 0:
            stop.set()
            for _ in range(5):
                emit.one("child")
                children.add(1)
            sys.exit(0)
        pids.append(pid)
        time.sleep(0.01)
    deadline = time.monotonic() + 20
    while pids and time.monotonic() < deadline:
        pids = [pid for pid in pids if not os.waitpid(pid, os.WNOHANG)[0]]
        time.sleep(0.02)
    hung += len(pids)
    for pid in pids:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
stop.set()
for thread in threads:
    thread.join()
emit.say(hung=hung, emitted=sum(total))
"""


def run(subject: str, quick: bool) -> Figures:
    """Measure."""
    number = 20 if quick else CHILDREN
    figures: Figures = {}
    for protocol in ("http", "grpc"):
        collector: Any = HttpCollector() if protocol == "http" else GrpcCollector()
        variables = {"FAULTS_CHILDREN": str(number), "OTEL_METRIC_EXPORT_INTERVAL": "200"}
        variables["OTEL_LLM_ROUTER_EXIT_BUDGET"] = "20"  # what is lost is the matter here
        with program(subject, CODE, collector.start(), protocol, **variables) as process:
            assert process.stdout is not None
            measured = said(process.stdout.readline())
            process.wait(120)
        collector.stop()
        taken = collector.taken
        figures[f"{protocol}: hung of {number}"] = int(measured.get("hung", number))
        figures[f"{protocol}: missing of {15 * number}"] = sum(
            max(0, 5 * number - int(arrived))
            for arrived in (
                taken.span_names()["child"],
                taken.log_bodies()["child"],
                sum(taken.sums("children").values()),
            )
        )
        if protocol == "http":
            figures["http: corrupt"] = collector.corrupt
        counted = int(sum(taken.sums("parents").values()))
        figures[f"{protocol}: counted twice"] = max(0, counted - int(measured.get("emitted", counted)))
    return figures


def reached(figures: Figures) -> bool:
    """Whether it passes."""
    return not any(figures.values())
