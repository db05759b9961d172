"""CPU of a process that does nothing for ten seconds, % of one core; how often it woke up a second; its memory, MiB.

Plain Python with the SDK and its OTLP exporter imported, and under ``opentelemetry-instrument`` with ours set up:
three signals over OTLP, the scrape server waiting, process metrics on; the last has been scraped once. Imports and
set-up are over when the clock starts. Awake is the whole process; the SDK's batches wake up by their own intervals.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from benchmarks.micro._passes import Passes

SECONDS: Final = 10
SLEEP: Final = f"""
import opentelemetry.sdk.trace.export, opentelemetry.sdk.metrics.export, opentelemetry.sdk._logs.export
import opentelemetry.exporter.otlp.proto.http.trace_exporter
import opentelemetry.exporter.otlp.proto.http.metric_exporter
import opentelemetry.exporter.otlp.proto.http._log_exporter
import gc, resource, sys, threading, time, urllib.request
import psutil
if len(sys.argv) > 1:
    from opentelemetry import metrics
    assert type(metrics.get_meter_provider()).__module__.startswith("otel_llm_router"), "ours is not set up"
if len(sys.argv) > 2:
    (port,) = (one.laddr.port for one in psutil.Process().net_connections() if one.status == psutil.CONN_LISTEN)
    urllib.request.urlopen(f"http://127.0.0.1:{{port}}/metrics").read()

def spent():
    return time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw

gc.collect()
time.sleep(1)
began = spent()
time.sleep({SECONDS})
cpu, wakes = (now - before for now, before in zip(spent(), began))
print(cpu / {SECONDS} * 100, wakes / {SECONDS}, psutil.Process().memory_info().rss / 2**20, threading.active_count())
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
        "otel-llm-router, scraped once": ([instrument], ["own", "scraped"]),
    }
    for _ in range(1 if quick else 5):
        for name, (prefix, arguments) in starts.items():
            command = [*prefix, sys.executable, "-c", SLEEP, *arguments]
            answer = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)
            figures = map(float, answer.stdout.split())
            for figure, value in zip(("CPU", "wakes", "resident", "threads"), figures, strict=True):
                found.setdefault(f"idle {figure}, {name}", []).append(value)
    return found
