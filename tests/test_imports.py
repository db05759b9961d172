"""What importing our packages brings with it: nothing heavy that is not used at once."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

SDK = "import opentelemetry.sdk.trace, opentelemetry.sdk.metrics, opentelemetry.sdk._logs"
# What opentelemetry-instrument has imported when it comes to our entry points.
INSTRUMENT = f"{SDK}, opentelemetry.instrumentation.auto_instrumentation, opentelemetry.sdk._configuration"

SERVING = {"asyncio", "h11", "ssl", "http", "socketserver", "wsgiref", "email", "html", "urllib.request", "gzip"}
EXPORTING = {"prometheus_client", "opentelemetry.exporter", "google", "grpc", "requests", "urllib3"}
FRAMEWORKS = {"litellm", "fastapi", "starlette", "pydantic", "httpx", "uvicorn"}
TOOLS = {"click", "rich", "yaml", "jinja2", "difflib", "importlib.metadata", "logging.config", "packaging", "wrapt"}
HEAVY = SERVING | EXPORTING | FRAMEWORKS | TOOLS


def brought(before: str, code: str) -> set[str]:
    """Return the modules, and the packages around them, that a new process imports for ``code``."""
    program = (
        f"import json, sys\n{before}\nhad = set(sys.modules)\n{code}\nprint(json.dumps([*({{*sys.modules}} - had)]))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    modules: list[str] = json.loads(done.stdout)
    return {name.rsplit(".", depth)[0] for name in modules for depth in range(name.count(".") + 1)}


@pytest.mark.parametrize(
    ("before", "code"),
    [
        ("", "import otel_llm_router"),
        ("import opentelemetry.trace, opentelemetry.metrics, opentelemetry._logs", "import otel_llm_router.telemetry"),
        (SDK, "import otel_llm_router.distro, otel_llm_router.distro.settings"),
        (SDK, "import otel_llm_router.distro.resource"),
        (INSTRUMENT, "from otel_llm_router.distro import Configurator, Distro"),
    ],
)
def test_nothing_heavy_comes_with_us(before: str, code: str) -> None:
    found = brought(before, code)
    assert "otel_llm_router" in found
    assert found & HEAVY == set()


def test_the_check_sees_what_is_heavy() -> None:
    assert brought(SDK, "import otel_llm_router.export._http") >= {"asyncio", "h11", "ssl"}
    assert brought(SDK, "import otel_llm_router.export._families") >= {"prometheus_client", "opentelemetry.exporter"}


def test_router_code_does_without_the_sdk() -> None:
    found = brought("", "import otel_llm_router.telemetry")
    assert "opentelemetry.trace" in found
    assert "opentelemetry.sdk" not in found


def test_what_is_switched_off_is_not_imported() -> None:
    code = """
import os
os.environ["OTEL_LLM_ROUTER_DISABLED"] = "true"
from otel_llm_router.distro import Distro
Distro().configure()
"""
    found = brought(INSTRUMENT, code)
    assert "otel_llm_router.distro._distro" in found
    assert found & {"otel_llm_router.telemetry", "otel_llm_router.aggregation", "otel_llm_router.export"} == set()
