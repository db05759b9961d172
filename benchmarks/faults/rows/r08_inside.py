"""R8: faults inside the instrumentation."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any, Final

from benchmarks.faults.collectors import HttpCollector
from benchmarks.faults.rows import Figures
from benchmarks.faults.subjects import environment, program, said

ID: Final = "R8"
TITLE: Final = "Faults inside the telemetry"
HOW: Final = (
    "Exception, MemoryError, RecursionError, GeneratorExit and CancelledError raised at each hook that the source has and "
    "that this host reaches: our API, a FastAPI service under uvicorn, calls through httpx, requests and aiohttp, LiteLLM's "
    "Router, logs. Then all hooks fail from the start of the process. Host harmed: an answer or the type of an exception is another "
    "than without faults. The stock SDK's hooks are an application's sampler, id generator and processors, on top of either"
)
PASS: Final = "no fault at a hook of the distribution's own harms the host, each is counted once"
KINDS: Final = ("Exception", "MemoryError", "RecursionError", "GeneratorExit", "CancelledError")
POINTS: Final = "a raising sampler, id generator or processor: host harmed, of 25"

CODE: Final = """
import asyncio
from benchmarks.faults import emit
from opentelemetry import trace
from opentelemetry._logs import LogRecord, get_logger_provider
class Raising:
    where, kind = "", Exception
    def __getattr__(self, name):
        def call(*args, **kwargs):
            if name == Raising.where:
                raise Raising.kind("ours")
            return getattr(self.inner, name)(*args, **kwargs) if self.inner is not None else None
        return call
    def __init__(self, inner=None):
        self.inner = inner
tracers, loggers = trace.get_tracer_provider(), get_logger_provider()
tracers.sampler, tracers.id_generator = Raising(tracers.sampler), Raising(tracers.id_generator)
tracers.add_span_processor(Raising())
loggers.add_log_record_processor(Raising())
tracer, logger = tracers.get_tracer("host"), loggers.get_logger("host")
harmed = 0
for name in ("should_sample", "generate_span_id", "on_start", "on_end", "on_emit"):
    for kind in (Exception, MemoryError, RecursionError, GeneratorExit, asyncio.CancelledError):
        Raising.where, Raising.kind = name, kind
        try:
            with tracer.start_as_current_span("work"):
                logger.emit(LogRecord(body="work"))
        except BaseException:
            harmed += 1
Raising.where = ""
emit.say(harmed=harmed)
"""


def run(subject: str, quick: bool) -> Figures:
    """Measure."""
    figures = _hooks(quick) if subject == "ours" else {}
    collector = HttpCollector()
    with program(subject, CODE, collector.start()) as process:
        output, _ = process.communicate(timeout=60)
    collector.stop()
    figures[POINTS] = int(said(output)["harmed"])
    return figures


def _hooks(quick: bool) -> Figures:
    """Break our own hooks."""
    collector = HttpCollector()
    endpoint = collector.start()
    parts = "calls,wire,service" if quick else "calls,wire,service,router"
    once = _inside(endpoint, FAULTS_PARTS=parts, FAULTS_KINDS="1" if quick else "5")
    collector.stop()
    counted = int(sum(collector.taken.sums("llm_router.telemetry.guard.errors").values()))
    for one in (*once["reached"], *once["uncounted"]):
        print(f"R8: {one}", file=sys.stderr)
    figures: Figures = {
        "hooks in the source": once["hooks"],
        "hooks that this host reaches": once["hit"],
        "faults, one at a time": once["tried"],
        "host harmed": len(once["reached"]),
        "not counted once": len(once["uncounted"]),
        "missing in llm_router.telemetry.guard.errors": once["tried"] - counted,
    }
    for kind in KINDS[:1] if quick else KINDS:
        every = _inside(endpoint, FAULTS_PARTS="calls,wire,service", FAULTS_KINDS="0", FAULTS_EVERYWHERE=kind)
        figures[f"{kind} at all hooks from the start: parts of the host harmed, of 3"] = sum(
            answer != once["answers"][part] for part, answer in every["answers"].items()
        )
    return figures


def _inside(endpoint: str, **variables: str) -> dict[str, Any]:
    variables |= {
        "OTEL_LLM_ROUTER_LOGS": "true",
        "OTEL_LLM_ROUTER_LOGS_FIELDS": "true",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    }
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.faults.inside"],
        env=environment("ours", endpoint, "http", variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        timeout=400,
        check=False,
    )
    return json.loads(done.stdout)


def reached(figures: Figures) -> bool:
    """Whether it passes."""
    hooks = "host harmed" in figures
    return not any(
        value
        for name, value in figures.items()
        if (name != POINTS if hooks else name == POINTS)
        and ("harmed" in name or "counted" in name or "missing" in name)
    )
