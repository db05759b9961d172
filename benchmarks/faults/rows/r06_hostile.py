"""R6: a collector whose answers are hostile."""

from __future__ import annotations

import subprocess
from typing import Final

from benchmarks.faults.collectors import HttpCollector
from benchmarks.faults.rows import Figures
from benchmarks.faults.subjects import program, said

ID: Final = "R6"
TITLE: Final = "A hostile collector"
HOW: Final = (
    "One span, flushed, with a time-out of 2 s, to a collector that drips its answer, answers with 1.5 GB, with headers "
    "without end, with a gzip bomb, with a reset, with something that is no HTTP, or with a redirect. Seconds of the flush "
    "(30 s at most), growth of memory, and whether a redirect is counted as a loss"
)
PASS: Final = "each within 2.5 s, 8 MB at most, the redirect counted"
LONGEST: Final = 30.0
MODES: Final = ("drip", "huge", "headers", "bomb", "cut", "garbage")

CODE: Final = """
import time
from opentelemetry import trace
from benchmarks.faults import emit
emit._tracer.start_span("first").end()
before = emit.resident()
import resource
began = time.monotonic()
trace.get_tracer_provider().force_flush(int(emit.os.environ.get("FAULTS_FLUSH", "2300")))
seconds = time.monotonic() - began
time.sleep(max(0.0, 3 - seconds))
emit.say(seconds=seconds, grown=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3 - before)
emit.os._exit(0)
"""

COUNTED: Final = """
from opentelemetry import metrics, trace
from benchmarks.faults import emit
emit._tracer.start_span("first").end()
trace.get_tracer_provider().force_flush(5000)
metrics.get_meter_provider().force_flush(5000)
"""


def run(subject: str, quick: bool) -> Figures:
    """Measure."""
    figures: Figures = {}
    for mode in MODES[:2] if quick else MODES:
        collector = HttpCollector(mode)
        endpoint = collector.start()
        with program(subject, CODE, endpoint, OTEL_EXPORTER_OTLP_TIMEOUT="2") as process:
            try:
                measured = said(process.communicate(timeout=LONGEST)[0])
            except subprocess.TimeoutExpired:
                measured = {"seconds": LONGEST, "grown": 0.0}
        collector.stop()
        figures[f"{mode}: flush (s)"] = round(measured["seconds"], 2)
        figures[f"{mode}: memory (MB)"] = round(measured["grown"], 1)
    figures["redirect counted"] = _redirect(subject)
    return figures


def _redirect(subject: str) -> str:
    """Return whether a loss by a redirect shows in the subject's own counts."""
    spans = HttpCollector("302")
    spans.headers = {"location": "http://127.0.0.1:1/login"}
    metrics = HttpCollector()
    variables = {
        "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": metrics.start() + "/v1/metrics",
        "OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED": "true",
    }
    with program(subject, COUNTED, spans.start(), **variables) as process:
        process.wait(60)
    spans.stop()
    metrics.stop()
    lost = metrics.taken.sums("llm_router.telemetry.dropped", "signal", "reason").get(("traces", "redirect"), 0)
    failed = metrics.taken.sums("otel.sdk.exporter.span.exported", "error.type")
    return "yes" if lost or any(error for (error,) in failed) else "no"


def reached(figures: Figures) -> bool:
    """Whether it passes."""
    seconds = [float(value) for key, value in figures.items() if key.endswith("(s)")]
    grown = [float(value) for key, value in figures.items() if key.endswith("(MB)")]
    return max(seconds) <= 2.5 and max(grown) <= 8 and figures["redirect counted"] == "yes"  # noqa: PLR2004
