"""The distribution under the real ``opentelemetry-instrument``."""

from __future__ import annotations

import ast
import json
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from otel_llm_router.signals import options
from running import BIN, environment, free_port

Python = Callable[..., subprocess.CompletedProcess[str]]

LOOK = """
import json, os, sys, threading
import psutil
from opentelemetry import trace, metrics, _logs
import litellm.router, fastapi
try:
    from litellm.router_python_core import PythonCore as Router  # LiteLLM 1.109 and newer
except ImportError:
    from litellm.router import Router
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
print(json.dumps({
    "threads": [thread.name for thread in threading.enumerate()],
    "sockets": len(getattr(psutil.Process(), "net_connections", getattr(psutil.Process(), "connections", None))(kind="inet")),
    "providers": [type(p).__name__ for p in (trace.get_tracer_provider(), metrics.get_meter_provider(), _logs.get_logger_provider())],
    "make_call": type(Router.__dict__["make_call"]).__name__,
    "fastapi": fastapi.FastAPI.__module__,
    "asgi": type(OpenTelemetryMiddleware.__dict__["__call__"]).__name__,
    "handled": callable(__import__("signal").getsignal(__import__("signal").SIGTERM)),
    "gc": len(__import__("gc").callbacks),
}))
"""


def look(python: Python, *arguments: str, **variables: str) -> dict[str, Any]:
    done = python(LOOK, *arguments, **variables)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_switched_on(python: Python) -> None:
    seen = look(
        python, OTEL_LLM_ROUTER_SCRAPE="true", OTEL_LLM_ROUTER_SCRAPE_PORT="0", OTEL_METRICS_EXPORTER="prometheus"
    )
    assert seen["providers"] == ["TracerProvider", "MeterProvider", "LoggerProvider"]
    assert seen["make_call"] == "FunctionWrapper"
    assert seen["asgi"] == "FunctionWrapper"
    assert seen["sockets"] == 1
    assert seen["handled"] is True
    assert "otel-llm-router-scrape" in seen["threads"]


@pytest.mark.parametrize("switch", ["OTEL_LLM_ROUTER_DISABLED", "OTEL_SDK_DISABLED"])
def test_the_kill_switch_leaves_nothing(python: Python, switch: str) -> None:
    everything = {
        "OTEL_LLM_ROUTER_SCRAPE": "true",
        "OTEL_TRACES_EXPORTER": "otlp",
        "OTEL_LOGS_EXPORTER": "otlp",
        "OTEL_METRICS_EXPORTER": "otlp,prometheus",
    }
    seen = look(python, **everything, **{switch: "true"})
    assert seen["threads"] == ["MainThread"]
    assert seen["sockets"] == 0
    assert not any(name in {"TracerProvider", "MeterProvider", "LoggerProvider"} for name in seen["providers"])
    assert seen["make_call"] == "function"
    assert seen["asgi"] == "function"
    assert seen["fastapi"] == "fastapi.applications"
    assert seen["handled"] is False


def test_options_are_flags(python: Python) -> None:
    code = "from otel_llm_router.distro import settings; print(settings.read()[0])"
    done = python(code, "--llm_router_scrape_port", "9777", "--llm_router_genai_metrics", "both")
    assert "scrape_port=9777" in done.stdout
    assert "genai_metrics='both'" in done.stdout


def test_help_lists_every_flag(python: Python) -> None:
    done = subprocess.run(
        [BIN / "opentelemetry-instrument", "--help"], env=environment(), capture_output=True, text=True, check=True
    )
    for option in options.OPTIONS:
        assert option.flag in done.stdout


def test_mistakes_are_said_once_and_cost_nothing(python: Python) -> None:
    done = python(
        "print('the application ran')",
        OTEL_LLM_ROUTER_GENAI_METRICS="newest",
        OTEL_LLM_ROUTER_SCRAP_PORT="1",
        OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT="true",
        OTEL_TRACES_EXPORTER="otlq",
        OTEL_METRICS_EXPORTER="none",
    )
    assert done.stdout == "the application ran\n"
    assert done.returncode == 0
    assert done.stderr.count("OTEL_LLM_ROUTER_GENAI_METRICS='newest' is not allowed") == 1
    assert done.stderr.count("did you mean OTEL_LLM_ROUTER_SCRAPE_PORT?") == 1
    assert (
        done.stderr.count("CAPTURE_MESSAGE_CONTENT='true' is not allowed: it takes one of NO_CONTENT, SPAN_ONLY") == 1
    )
    assert done.stderr.count("otlq") >= 1
    assert "Traceback" not in done.stderr


def test_one_bad_exporter_leaves_the_others(python: Python) -> None:
    code = """
import threading
from opentelemetry import trace
threads = [thread.name for thread in threading.enumerate() if "metrics" in thread.name]
print(type(trace.get_tracer_provider()).__name__, len(threads))
"""
    done = python(
        code,
        OTEL_TRACES_EXPORTER="otlq",
        OTEL_METRICS_EXPORTER="otlp",
        OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
        OTEL_LLM_ROUTER_EXIT_BUDGET="0",
    )
    assert done.stdout == "TracerProvider 1\n"
    done = python(
        code,
        OTEL_METRICS_EXPORTER="otlp",
        OTEL_EXPORTER_OTLP_PROTOCOL="carrier-pigeon",
        OTEL_LLM_ROUTER_EXIT_BUDGET="0",
    )
    assert done.stdout == "TracerProvider 0\n"
    assert "carrier-pigeon" in done.stderr


@pytest.fixture
def bad_instrumentor(tmp_path: Path) -> Path:
    """A package on the path whose instrumentor raises when it is loaded."""
    package = tmp_path / "path"
    info = package / "aaa_bad-1.0.dist-info"
    info.mkdir(parents=True)
    (package / "aaa_bad.py").write_text(
        "class Bad:\n    def instrument(self, **_):\n        raise RuntimeError('a secret in a message')\n"
    )
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: aaa-bad\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[opentelemetry_instrumentor]\naaa_bad = aaa_bad:Bad\n")
    return package


def test_one_failing_instrumentor_stops_no_other(python: Python, bad_instrumentor: Path) -> None:
    done = python(LOOK, path=bad_instrumentor)
    seen = json.loads(done.stdout.splitlines()[-1])
    assert seen["make_call"] == "FunctionWrapper"
    assert seen["asgi"] == "FunctionWrapper"
    assert done.stderr.count("instrumentor aaa_bad failed with RuntimeError") == 1
    assert "secret" not in done.stderr


def test_the_resource(python: Python) -> None:
    code = """
import json, os
from opentelemetry import trace
print(json.dumps({**trace.get_tracer_provider().resource.attributes, "own": os.getpid()}))
"""
    found = json.loads(python(code).stdout)
    assert found["service.name"] == "llm-router"
    assert len(found["service.instance.id"]) == 36
    assert found["telemetry.distro.name"] == "otel-llm-router"
    assert found["host.name"] == socket.gethostname()
    assert found["process.pid"] == found["own"]
    named = json.loads(
        python(code, OTEL_SERVICE_NAME="mine", OTEL_RESOURCE_ATTRIBUTES="service.instance.id=pod-7,team=a").stdout
    )
    assert (named["service.name"], named["service.instance.id"], named["team"]) == ("mine", "pod-7", "a")


def test_a_plain_script_delivers_at_its_end(python: Python, receiver: Any) -> None:
    code = """
from otel_llm_router import telemetry as router
for _ in range(10):
    with router.request("smart"), router.attempt("openai", "gpt-4o"):
        pass
router.error("oops", component="application")
"""
    found, endpoint = receiver
    kept = {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_METRICS_EXPORTER": "otlp", "OTEL_LOGS_EXPORTER": "otlp"}
    done = python(code, OTEL_EXPORTER_OTLP_ENDPOINT=endpoint, **kept)
    assert done.returncode == 0, done.stderr
    assert found.samples().sum("llm_router_inference_total") == 10
    assert found.spans == {"internal": 10, "client": 10}
    assert found.events == {"llm_router.error": 1}


def test_a_forked_child_delivers_at_its_end_too(python: Python, receiver: Any) -> None:
    code = """
import os, sys
from otel_llm_router import telemetry as router
pid = os.fork()
if pid == 0:
    with router.request("child"):
        pass
    sys.exit(7)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
"""
    found, endpoint = receiver
    kept = {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_METRICS_EXPORTER": "otlp", "PYTHONWARNINGS": "ignore"}
    done = python(code, OTEL_EXPORTER_OTLP_ENDPOINT=endpoint, **kept)
    assert done.returncode == 0, done.stderr
    assert found.samples().sum("llm_router_inference_total", model="child") == 1
    assert found.spans == {"internal": 1}


def test_a_callback_that_hangs_holds_neither_the_server_nor_the_exit(python: Python) -> None:
    code = """
import time, urllib.error, urllib.request
from otel_llm_router import telemetry as router
from otel_llm_router.export import server
server.ANSWER_SECONDS = 0.5
router.observe_queue("q", depth=lambda: time.sleep(3600))
address = "http://127.0.0.1:{PORT}"
try:
    urllib.request.urlopen(f"{address}/metrics")
except urllib.error.HTTPError as error:
    print(error.code)
print(urllib.request.urlopen(f"{address}/health/live").status)
"""
    port = free_port()
    done = python(
        code.replace("{PORT}", str(port)),
        OTEL_LLM_ROUTER_SCRAPE="true",
        OTEL_LLM_ROUTER_SCRAPE_PORT=str(port),
        OTEL_METRICS_EXPORTER="prometheus",
    )
    assert done.stdout == "503\n200\n", done.stderr
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("OTEL_BSP_MAX_QUEUE_SIZE", "256"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "none"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "-1"),
        ("OTEL_BLRP_SCHEDULE_DELAY", "-5"),
        ("OTEL_PYTHON_ID_GENERATOR", "bogus"),
    ],
)
def test_a_standard_value_that_cannot_be_used_costs_no_more_than_it_must(
    python: Python, variable: str, value: str
) -> None:
    exporters = {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_METRICS_EXPORTER": "otlp", "OTEL_LOGS_EXPORTER": "otlp"}
    done = python(LOOK, OTEL_LLM_ROUTER_EXIT_BUDGET="0", **exporters, **{variable: value})
    assert done.returncode == 0
    assert "Traceback" not in done.stderr
    assert done.stderr.count("otel-llm-router:") >= 1
    seen = json.loads(done.stdout.splitlines()[-1])
    assert seen["make_call"] == "FunctionWrapper"
    assert seen["providers"] == ["TracerProvider", "MeterProvider", "LoggerProvider"]


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "zip", "zip"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s", "10s"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4318", "does not begin with http://"),
    ],
)
def test_a_mistyped_value_of_the_exporters_is_said(python: Python, variable: str, value: str, said: str) -> None:
    code = "from otel_llm_router import telemetry as r\nwith r.request('m'): pass\nprint('the application ran')"
    done = python(code, OTEL_TRACES_EXPORTER="otlp", **{variable: value})
    assert done.stdout == "the application ran\n"
    assert said in done.stderr


def test_a_dead_collector_does_not_hold_the_exit(python: Python) -> None:
    import time  # noqa: PLC0415

    code = "from otel_llm_router import telemetry as r\nwith r.request('m'): pass"
    kept = {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_METRICS_EXPORTER": "otlp", "OTEL_LOGS_EXPORTER": "otlp"}
    began = time.monotonic()
    done = python(code, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1", OTEL_LLM_ROUTER_EXIT_BUDGET="0.5", **kept)
    assert done.returncode == 0
    # The stock SDK takes 18 s and more; a slow machine needs some seconds to start Python.
    assert time.monotonic() - began < 12


CONFIG = """
file_format: "1.0"
resource:
  attributes:
    - name: service.name
      value: from-the-file
meter_provider:
  readers:
    - periodic:
        interval: 200
        exporter:
          otlp_http:
            endpoint: ${ENDPOINT}/v1/metrics
tracer_provider:
  processors:
    - simple:
        exporter:
          otlp_http:
            endpoint: ${ENDPOINT}/v1/traces
"""

ROUTE_AND_SCRAPE = """
from opentelemetry import metrics, trace
from otel_llm_router import telemetry as router
with router.request("smart"), router.attempt("openai", "gpt-4o"):
    pass
metrics.get_meter_provider().force_flush()
"""


def test_a_configuration_file(python: Python, receiver: Any, tmp_path: Path) -> None:
    pytest.importorskip("opentelemetry.configuration", reason="OpenTelemetry has it since 1.44")
    found, endpoint = receiver
    (tmp_path / "otel.yaml").write_text(CONFIG)
    code = ROUTE_AND_SCRAPE + "print(trace.get_tracer_provider().resource.attributes['service.name'])"
    done = python(
        code,
        OTEL_CONFIG_FILE=str(tmp_path / "otel.yaml"),
        ENDPOINT=endpoint,
        OTEL_LLM_ROUTER_SCRAPE="true",
        OTEL_LLM_ROUTER_SCRAPE_PORT="0",
    )
    assert done.stdout == "from-the-file\n", done.stderr
    assert found.samples().sum("llm_router_inference_total") == 1
    assert found.spans == {"internal": 1, "client": 1}
    assert "metrics at http://127.0.0.1:" in done.stderr


@pytest.mark.parametrize("content", [None, "file_format: '1.0'\nmeter_provider: 7\n", ": not yaml ["])
def test_a_configuration_file_that_cannot_be_used(python: Python, tmp_path: Path, content: str | None) -> None:
    pytest.importorskip("opentelemetry.configuration", reason="OpenTelemetry has it since 1.44")
    file = tmp_path / "otel.yaml"
    if content is not None:
        file.write_text(content)
    done = python("print('the application ran')", OTEL_CONFIG_FILE=str(file))
    assert done.stdout == "the application ran\n"
    assert done.stderr.count("OTEL_CONFIG_FILE=") == 1
    assert str(file) in done.stderr


def test_the_package_for_configuration_files_is_missing(tmp_path: Path) -> None:
    code = """
import sys
sys.modules["opentelemetry.configuration"] = None
from otel_llm_router.distro import Configurator, Distro
Distro().configure()
Configurator().configure()
print("the application ran")
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment(OTEL_CONFIG_FILE="otel.yaml"),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "the application ran\n"
    assert done.stderr.count("otel-llm-router[config-file]") == 1


def test_the_distribution_wins_by_name(python: Python) -> None:
    code = "import os; print(os.environ['OTEL_EXPORTER_OTLP_PROTOCOL'])"
    done = python(code, OTEL_PYTHON_DISTRO="otel_llm_router", OTEL_PYTHON_CONFIGURATOR="otel_llm_router")
    assert done.stdout == "http/protobuf\n"
    done = python(code, OTEL_EXPORTER_OTLP_PROTOCOL="grpc")
    assert done.stdout == "grpc\n"


def test_health_checks_of_the_options_and_of_the_application(python: Python) -> None:
    code = """
import json, urllib.error, urllib.request
from otel_llm_router import health
health.add("mine", lambda: False)
health.add("cpu_usage", lambda: health.Result(True, "of the application's own"))
report = json.load(urllib.request.urlopen(f"{address}/health"))
checks = report["checks"]
print(report["status"], checks["mine"]["status"], checks["target"]["status"], checks["cpu_usage"]["message"])
print(sorted(checks))
text = urllib.request.urlopen(f"{address}/metrics").read().decode()
print([line for line in text.splitlines() if line.startswith("llm_router_health_state")])
health.ready(False)
health.remove("router_initialized")
health.add("router_initialized", lambda: False)
try:
    urllib.request.urlopen(f"{address}/health/ready")
except urllib.error.HTTPError as error:
    print(error.code)
"""
    port = free_port()
    done = python(
        f"address = 'http://127.0.0.1:{port}'\n{code}",
        OTEL_LLM_ROUTER_SCRAPE="true",
        OTEL_LLM_ROUTER_SCRAPE_PORT=str(port),
        OTEL_METRICS_EXPORTER="prometheus",
        OTEL_LLM_ROUTER_HEALTH_TARGETS=f"target=tcp://127.0.0.1:{port}, wrong=nowhere",
    )
    status, names, state, code_ready = done.stdout.splitlines()
    assert status == "degraded failed healthy of the application's own", done.stderr
    assert {"disk_space", "inference_capability", "memory_usage", "models_available", "network"} < set(
        ast.literal_eval(names)
    )
    assert state == "['llm_router_health_state 1.0']"
    assert code_ready == "503"
    assert "the entry of 'wrong' is left out: a health target is" in done.stderr
    assert "health check mine failed: the check says no" in done.stderr


def test_the_scrape_server_as_the_options_say(python: Python, tmp_path: Path) -> None:
    code = """
import json, logging, urllib.error, urllib.request
def get(path, **headers):
    try:
        return urllib.request.urlopen(urllib.request.Request(f"{address}{path}", headers=headers)).read().decode()
    except urllib.error.HTTPError as error:
        return error.code
print(get("/metrics"))
debug = json.loads(get("/debug", Authorization="Bearer s3cret"))
print(debug["options"]["OTEL_LLM_ROUTER_SCRAPE_TOKEN"], debug["options"]["OTEL_LLM_ROUTER_HEALTH_INFERENCE_KEY"])
print("s3cret" in json.dumps(debug), debug["guard_errors"])
from otel_llm_router.export import asgi
print(len(asgi._current))
"""
    port = free_port()
    on = {"OTEL_LLM_ROUTER_SCRAPE": "true", "OTEL_METRICS_EXPORTER": "prometheus"}
    on["OTEL_LLM_ROUTER_SCRAPE_PORT"] = str(port)
    code = f"address = 'http://127.0.0.1:{port}'\n{code}"
    done = python(code, OTEL_LLM_ROUTER_SCRAPE_TOKEN="s3cret", **on)
    assert done.stdout.splitlines() == ["401", "set not set", "False {}", "1"], done.stderr
    done = python("print('ran')", OTEL_LLM_ROUTER_SCRAPE_HOST="0.0.0.0", **on)
    assert done.stderr.count("listens on 0.0.0.0, and whoever reaches this machine reads it") == 1
    (tmp_path / "users").write_text("prometheus:plain")
    done = python(
        "print('ran')",
        OTEL_LLM_ROUTER_SCRAPE_USERS_FILE=str(tmp_path / "users"),
        OTEL_LLM_ROUTER_SCRAPE_HOST="0.0.0.0",
        **on,
    )
    assert (done.returncode, done.stdout) == (0, "ran\n")
    assert "no scrape endpoint" in done.stderr
    assert "line 1 has a hash of no known kind" in done.stderr
