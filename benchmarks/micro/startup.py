"""Import and start, process CPU ms, and resident memory, MiB: each in a new process, in turns.

Imports are measured in a process that has imported the OpenTelemetry SDK. "entry points" are the two that
``opentelemetry-instrument`` loads, on top of what it has imported itself when it comes to them. A start is all
that a process spends until the application's first line: plain Python; under ``opentelemetry-instrument`` with the
stock configurator; with ours switched off; and with ours, server up and instrumentors loaded. Stock and ours have
the same exporters: three signals over OTLP, and Prometheus. CPU, not time: it does not depend on the neighbours.

Bytecode is cached, as it is wherever a package was installed: the first pass of each writes it and is not counted.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from benchmarks.micro._passes import Passes

SDK: Final = "import opentelemetry.sdk.trace, opentelemetry.sdk.metrics, opentelemetry.sdk._logs\n"
INSTRUMENT: Final = SDK + (
    "import opentelemetry.instrumentation.auto_instrumentation\n"
    "import opentelemetry.sdk._configuration\n"
    "from opentelemetry.util._importlib_metadata import entry_points\n"
    "entry_points()\n"
)
TIMED: Final = """
import time
{before}
began = time.process_time()
{code}
spent = time.process_time() - began
import psutil
print(spent * 1e3, psutil.Process().memory_info().rss / 2**20)
"""
IMPORTS: Final = {
    "OpenTelemetry SDK": ("", SDK),
    "otel_llm_router": (SDK, "import otel_llm_router"),
    "otel_llm_router.telemetry": (SDK, "import otel_llm_router.telemetry"),
    "otel_llm_router.distro": (SDK, "import otel_llm_router.distro"),
    "entry points": (INSTRUMENT, "from otel_llm_router.distro import Configurator, Distro"),
    "opentelemetry.exporter.prometheus": (SDK, "import opentelemetry.exporter.prometheus"),
}
STARTED: Final = "import os, sys, time; print(time.process_time() * 1e3); sys.stdout.flush(); os._exit(0)"
EXPORTERS: Final = {
    "OTEL_TRACES_EXPORTER": "otlp",
    "OTEL_METRICS_EXPORTER": "otlp,prometheus",
    "OTEL_LOGS_EXPORTER": "otlp",
    "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9",
    "OTEL_EXPORTER_PROMETHEUS_PORT": "0",
    "OTEL_LLM_ROUTER_SCRAPE_PORT": "0",
}
STOCK: Final = {
    "OTEL_PYTHON_DISTRO": "stock",
    "OTEL_PYTHON_CONFIGURATOR": "stock",
    "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "llm_router_asgi,llm_router_litellm",
}
OUR_OWN: Final = {"OTEL_PYTHON_DISTRO": "otel_llm_router", "OTEL_PYTHON_CONFIGURATOR": "otel_llm_router"}


def measure(*, quick: bool) -> Passes:
    """Measure; see the module."""
    found: Passes = {}
    instrument = str(Path(sys.executable).with_name("opentelemetry-instrument"))
    with tempfile.TemporaryDirectory() as directory:
        path = {"PYTHONPATH": _stock_distribution(Path(directory))}
        starts: dict[str, tuple[list[str], dict[str, str]]] = {
            "python": ([], {}),
            "stock": ([instrument], STOCK | path),
            "switched off": ([instrument], OUR_OWN | {"OTEL_LLM_ROUTER_DISABLED": "true"} | path),
            "on": ([instrument], OUR_OWN | path),
        }
        for number in range(-1, 5 if quick else 15):
            for name, (before, code) in IMPORTS.items():
                program = TIMED.format(before=before, code=code)
                spent, memory = _answer([sys.executable, "-c", program], {})
                if number >= 0:
                    found.setdefault(f"import, {name}", []).append(spent)
                    found.setdefault(f"resident, {name}", []).append(memory)
            for name, (prefix, variables) in starts.items():
                (spent,) = _answer([*prefix, sys.executable, "-c", STARTED], EXPORTERS | variables)
                if number >= 0:
                    found.setdefault(f"start-up, {name}", []).append(spent)
    found["start-up, on over stock"] = [
        own - stock for own, stock in zip(found["start-up, on"], found["start-up, stock"], strict=True)
    ]
    return found


def _answer(command: Sequence[str], variables: Mapping[str, str]) -> list[float]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    done = subprocess.run(command, env={**kept, **variables}, capture_output=True, text=True, check=True)
    return [float(one) for one in done.stdout.split()]


def _stock_distribution(directory: Path) -> str:
    """Install what opentelemetry-distro is: the SDK's own configurator as an entry point."""
    (directory / "stock.py").write_text(
        "from opentelemetry.instrumentation.distro import DefaultDistro as Distro\n"
        "from opentelemetry.sdk._configuration import _OTelSDKConfigurator\n\n\n"
        "class Configurator(_OTelSDKConfigurator):\n    pass\n"
    )
    metadata = directory / "stock-1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: stock\nVersion: 1\n")
    (metadata / "entry_points.txt").write_text(
        "[opentelemetry_distro]\nstock = stock:Distro\n\n[opentelemetry_configurator]\nstock = stock:Configurator\n"
    )
    return str(directory)
