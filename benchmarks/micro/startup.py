"""Import and start-up, wall-clock ms, and resident memory, MiB: each in a new process.

Imports are timed on top of the OpenTelemetry SDK with its OTLP exporter, which is imported before the clock
starts. Start-up is the whole life of ``python -c pass``, plain and under ``opentelemetry-instrument`` with ours
switched off and on.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from benchmarks.micro._passes import Passes

SDK: Final = (
    "import opentelemetry.sdk.trace.export, opentelemetry.sdk.metrics.export, opentelemetry.sdk._logs.export\n"
    "import opentelemetry.exporter.otlp.proto.http.trace_exporter\n"
    "import opentelemetry.exporter.otlp.proto.http.metric_exporter\n"
    "import opentelemetry.exporter.otlp.proto.http._log_exporter\n"
)
TIMED: Final = """
import time, sys
{before}
began = time.perf_counter()
import {module}
spent = time.perf_counter() - began
import psutil
print(spent * 1e3, psutil.Process().memory_info().rss / 2**20)
"""
IMPORTS: Final = {
    "OpenTelemetry SDK and OTLP exporter": ("", "time\n" + SDK),
    "otel_llm_router.telemetry": (SDK, "otel_llm_router.telemetry"),
    "otel_llm_router.distro": (SDK, "otel_llm_router.distro"),
    "opentelemetry.exporter.prometheus": (SDK, "opentelemetry.exporter.prometheus"),
}


def measure(*, quick: bool) -> Passes:
    """Measure; see the module."""
    found: Passes = {}
    instrument = str(Path(sys.executable).with_name("opentelemetry-instrument"))
    starts: dict[str, tuple[list[str], dict[str, str]]] = {
        "start-up, python": ([], {}),
        "start-up, switched off": ([instrument], {"OTEL_LLM_ROUTER_DISABLED": "true"}),
        "start-up, on": ([instrument], {}),
    }
    for number in range(-1, 5 if quick else 15):
        for name, (before, module) in IMPORTS.items():
            command = [sys.executable, "-c", TIMED.format(before=before, module=module)]
            spent, memory = map(float, subprocess.run(command, capture_output=True, check=True).stdout.split())
            if number >= 0:
                found.setdefault(f"import, {name}", []).append(spent)
                found.setdefault(f"resident, {name}", []).append(memory)
        for name, (prefix, environ) in starts.items():
            began = time.perf_counter()
            subprocess.run(
                [*prefix, sys.executable, "-c", "pass"],
                env={**os.environ, **exporting_nothing(), **environ},
                capture_output=True,
                check=True,
            )
            if number >= 0:
                found.setdefault(name, []).append((time.perf_counter() - began) * 1e3)
    return found


def exporting_nothing() -> dict[str, str]:
    """Return environment variables with which nothing leaves the process and the scrape door is open."""
    return {
        "OTEL_TRACES_EXPORTER": "none",
        "OTEL_METRICS_EXPORTER": "prometheus",
        "OTEL_LOGS_EXPORTER": "none",
        "OTEL_LLM_ROUTER_SCRAPE_PORT": "0",
    }
