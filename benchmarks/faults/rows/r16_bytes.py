"""R16: records that are very large."""

from __future__ import annotations

from typing import Any, Final

from benchmarks.faults.collectors import GrpcCollector, HttpCollector
from benchmarks.faults.rows import Figures
from benchmarks.faults.subjects import program, said

ID: Final = "R16"
TITLE: Final = "A bound in bytes"
HOW: Final = (
    "5,000 spans with a prompt of 1 MB each to a collector that hangs: growth of memory. And 198 small spans with one of 5 MB "
    "and one of 70 MB among them, to a healthy one: small ones that arrive, and the largest request"
)
PASS: Final = "96 MB at most; all 198 arrive; no request is larger than 3.5 MiB"

HUNG: Final = """
import resource
from benchmarks.faults import emit
emit._tracer.start_span("first").end()
before = emit.resident()
for index in range(int(emit.os.environ["FAULTS_NUMBER"])):
    emit._tracer.start_span(str(index), attributes={"prompt": f"{index:08}" + "x" * 1_000_000}).end()
emit.say(grown=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3 - before)
emit.os._exit(0)
"""

MIXED: Final = """
from benchmarks.faults import emit
for index in range(200):
    size = {50: 5_000_000, 100: 70_000_000}.get(index, 10)
    emit._tracer.start_span("large" if size > 10 else "small", attributes={"prompt": "x" * size}).end()
"""


def run(subject: str, quick: bool) -> Figures:
    """Measure."""
    collector: Any = HttpCollector("hang")
    with program(subject, HUNG, collector.start(), FAULTS_NUMBER="500" if quick else "5000") as process:
        assert process.stdout is not None
        figures: Figures = {"memory (MB)": round(said(process.stdout.readline())["grown"], 1)}
    collector.stop()
    for protocol in ("http", "grpc"):
        collector = HttpCollector() if protocol == "http" else GrpcCollector()
        with program(subject, MIXED, collector.start(), protocol) as process:
            process.wait(120)
        collector.stop()
        figures[f"{protocol}: arrived of 198"] = collector.taken.span_names()["small"]
        figures[f"{protocol}: largest request (MiB)"] = round(collector.taken.largest / 2**20, 2)
    return figures


def reached(figures: Figures) -> bool:
    """Whether it passes."""
    arrived = all(value == 198 for key, value in figures.items() if "arrived" in key)  # noqa: PLR2004
    largest = all(float(value) <= 3.5 for key, value in figures.items() if "largest" in key)  # noqa: PLR2004
    return arrived and largest and float(figures["memory (MB)"]) <= 96  # noqa: PLR2004
