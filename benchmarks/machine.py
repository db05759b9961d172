"""What the machine and the software are, without anything that names it."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable
from typing import Any, Final

from benchmarks.processes import WorkerError, cpus, run_python

_PACKAGES: Final = (
    "litellm",
    "openai",
    "opentelemetry-api",
    "opentelemetry-sdk",
    "opentelemetry-exporter-otlp-proto-http",
    "prometheus-client",
    "otel-llm-router",
    "opentelemetry-instrumentation-genai-openai",
    "opentelemetry-instrumentation-litellm",
    "opentelemetry-instrumentation-openai",
    "openinference-instrumentation-litellm",
    "openlit",
)
_ASK: Final = """
import importlib.metadata as m, json, sys
found = {}
for name in sys.argv[1:]:
    try: found[name] = m.version(name)
    except m.PackageNotFoundError: pass
print(json.dumps(found))
"""


def describe(environments: Iterable[str]) -> dict[str, Any]:
    """Return cores, processor, Python and, for each environment, the versions that matter."""
    return {
        "cores": os.cpu_count(),
        "pinned": cpus()[0] is not None,
        "architecture": platform.machine(),
        "system": platform.system(),
        "python": platform.python_version(),
        "load": [round(load, 1) for load in os.getloadavg()] if hasattr(os, "getloadavg") else [],
        "packages": {environment: _versions(environment) for environment in environments},
    }


def _versions(environment: str) -> dict[str, str]:
    try:
        return json.loads(run_python(environment, ["-c", _ASK, *_PACKAGES]))
    except WorkerError:
        return {}
