"""CPU of a process that does nothing for ten seconds, % of one core, and its resident memory, MiB.

Plain Python with the SDK imported, and under ``opentelemetry-instrument`` with ours set up: three signals over
OTLP, the scrape server waiting, process metrics on. Imports and set-up are over when the clock starts.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from benchmarks.micro._passes import Passes
from benchmarks.micro.startup import SDK

SECONDS: Final = 10
SLEEP: Final = f"""
{SDK}
import gc, sys, threading, time
import psutil
if len(sys.argv) > 1:
    from opentelemetry import metrics
    assert type(metrics.get_meter_provider()).__module__.startswith("otel_llm_router"), "ours is not set up"
gc.collect()
time.sleep(1)
began = time.process_time()
time.sleep({SECONDS})
print((time.process_time() - began) / {SECONDS} * 100, psutil.Process().memory_info().rss / 2**20, threading.active_count())
"""


def measure(*, quick: bool) -> Passes:
    """Measure; see the module."""
    found: Passes = {}
    instrument = str(Path(sys.executable).with_name("opentelemetry-instrument"))
    # OTLP goes to a port where nobody listens: an idle process sends nothing within the time.
    environ = {
        **os.environ,
        "OTEL_LLM_ROUTER_SCRAPE_PORT": "0",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "1",
    }
    starts: dict[str, tuple[list[str], list[str]]] = {
        "SDK imported": ([], []),
        "otel-llm-router": ([instrument], ["own"]),
    }
    for _ in range(1 if quick else 5):
        for name, (prefix, arguments) in starts.items():
            command = [*prefix, sys.executable, "-c", SLEEP, *arguments]
            answer = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)
            cpu, memory, threads = map(float, answer.stdout.split())
            found.setdefault(f"idle CPU, {name}", []).append(cpu)
            found.setdefault(f"idle resident, {name}", []).append(memory)
            found.setdefault(f"idle threads, {name}", []).append(threads)
    return found
