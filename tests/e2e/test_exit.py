"""Every way in which a process ends: nothing buffered is lost, and a collector that fails holds it for the budget only."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from benchmarks.faults.applications import SERVERS, address, application
from benchmarks.faults.collectors import GrpcCollector, HttpCollector, SilentPort
from running import BIN, environment, free_port

EVERYWHERE = {
    "OTEL_LLM_ROUTER_SCRAPE": "false",
    "OTEL_METRICS_EXPORTER": "otlp",
    "OTEL_METRIC_EXPORT_INTERVAL": "3600000",
    "OTEL_BSP_SCHEDULE_DELAY": "3600000",
    "OTEL_BLRP_SCHEDULE_DELAY": "3600000",
    "OTEL_LLM_ROUTER_EXIT_BUDGET": "30",
    "PYTHONWARNINGS": "ignore",
}
"""Nothing leaves before the end, and a busy machine may take its time for it."""


@contextmanager
def running(arguments: list[Any], directory: Path, endpoint: str, **variables: str) -> Generator[subprocess.Popen[str]]:
    """Run a command under ``opentelemetry-instrument``."""
    own = {**EVERYWHERE, "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, **variables}
    with subprocess.Popen(
        [BIN / "opentelemetry-instrument", *arguments],
        cwd=directory,
        env=environment(**own),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


SCRIPT = """
import signal, sys, time
from otel_llm_router import telemetry as router

def told(number, frame):
    print("told", number, flush=True)
    sys.exit(5)

if "before" in sys.argv:
    signal.signal(signal.SIGTERM, told)
count = int(sys.argv[1])
for _ in range(count):
    with router.request("m"):
        router.error("oops", component="application")
if "after" in sys.argv:
    signal.signal(signal.SIGTERM, told)
print("ready", flush=True)
while "end" not in sys.argv:
    time.sleep(0.05)  # a signal that comes just before a sleep is seen after it
"""


@pytest.fixture
def over_http() -> Generator[HttpCollector]:
    made = HttpCollector()
    made.start()
    yield made
    made.stop()


@pytest.fixture
def script(tmp_path: Path) -> Path:
    program = tmp_path / "program.py"
    program.write_text(SCRIPT)
    return program


def complete(collector: Any, number: int) -> bool:
    """Whether everything of ``number`` requests is there, and the counts of it as well."""
    taken = collector.taken
    assert taken.span_names()["route m"] == number
    assert len(taken.logs()) == number
    assert sum(taken.sums("llm_router.inference").values()) == number
    # With an ASGI application each request has a span of the server's as well.
    counts = {("traces",): sum(taken.span_names().values()), ("logs",): number}
    assert taken.sums("llm_router.telemetry.emitted", "signal") == counts
    assert taken.sums("llm_router.telemetry.delivered", "signal") == counts
    return not taken.sums("llm_router.telemetry.dropped", "signal")


@pytest.mark.parametrize(
    ("arguments", "number", "code"),
    [
        (["end"], None, 0),
        ([], signal.SIGTERM, -signal.SIGTERM),
        ([], signal.SIGINT, 1),
        ([], signal.SIGQUIT, -signal.SIGQUIT),
        (["before"], signal.SIGTERM, 5),
        (["after"], signal.SIGTERM, 5),
    ],
)
def test_a_script(over_http: HttpCollector, script: Path, arguments: list[str], number: int | None, code: int) -> None:
    with running(
        [sys.executable, script, "20", *arguments], script.parent, f"http://127.0.0.1:{over_http.port}"
    ) as one:
        assert one.stdout is not None
        assert one.stdout.readline() == "ready\n"
        if number is not None:
            one.send_signal(number)
        said, complaints = one.communicate(timeout=60)
        expected = -signal.SIGINT if number == signal.SIGINT else code  # Python dies of what it was interrupted by
        assert one.returncode == expected, complaints
    assert said == ("told 15\n" if arguments in (["before"], ["after"]) else "")
    assert complete(over_http, 20)


BAD = ["refused", "hang", "silent", "drip", "302", "503", "swallow", "headers"]


@pytest.fixture(params=[*BAD, "grpc hang", "grpc UNAVAILABLE"])
def bad(request: pytest.FixtureRequest) -> Generator[tuple[str, str]]:
    """The endpoint and protocol of a collector that takes nothing."""
    fault: str = request.param
    if fault == "refused":
        yield "http://127.0.0.1:1", "http/protobuf"
        return
    made: Any
    if fault == "silent":
        made = SilentPort()
    elif fault.startswith("grpc"):
        made = GrpcCollector(fault.split()[1])
    else:
        made = HttpCollector(fault)
    endpoint: str = made.start()
    yield endpoint, "grpc" if fault.startswith("grpc") else "http/protobuf"
    made.stop()


ENDING = """
import atexit, os, sys, time

# Registered before ours, and so called after it.
def ended():
    print(time.monotonic() - began, flush=True)

atexit.register(ended)
import opentelemetry.instrumentation.auto_instrumentation.sitecustomize
from otel_llm_router import telemetry as router
for _ in range(1000):
    with router.request("m"):
        router.error("oops", component="application")
began = time.monotonic()
"""


def test_a_bad_collector_holds_the_exit_for_the_budget(bad: tuple[str, str], tmp_path: Path) -> None:
    endpoint, protocol = bad
    own = {**EVERYWHERE, "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL": protocol}
    own |= {"OTEL_LLM_ROUTER_EXIT_BUDGET": "0.6", "OTEL_PYTHON_DISTRO": "otel_llm_router"}
    own |= {"OTEL_PYTHON_CONFIGURATOR": "otel_llm_router"}
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", ENDING],
        cwd=tmp_path,
        env=environment(**own),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    # The stock SDK takes 6 to 50 s; a machine that is busy takes a moment to notice that the time is over.
    assert float(done.stdout) < 0.6 + 1.5
    assert time.monotonic() - began < 50
    assert "Traceback" not in done.stderr


WORK = """
from otel_llm_router import telemetry as router

def work():
    with router.request("m"):
        router.error("oops", component="application")
"""

SERVER = """
import asyncio, os, sys
from starlette.applications import Starlette
from otel_llm_router import telemetry as router
from opentelemetry import trace

app = Starlette()

async def serve():
    incoming, said = asyncio.Queue(), asyncio.Queue()
    life = asyncio.create_task(app({"type": "lifespan", "asgi": {"version": "3.0"}}, incoming.get, said.put))
    await incoming.put({"type": "lifespan.startup"})
    print((await said.get())["type"], flush=True)
    trace.get_tracer("t").start_span("served").end()
    await incoming.put({"type": "lifespan.shutdown"})
    print((await said.get())["type"], flush=True)
    os._exit(0)

asyncio.run(serve())
"""


def test_a_server_that_ends_without_exit_handlers_but_ends_the_lifespan(
    over_http: HttpCollector, tmp_path: Path
) -> None:
    with running([sys.executable, "-c", SERVER], tmp_path, f"http://127.0.0.1:{over_http.port}") as process:
        said, errors = process.communicate(timeout=60)
    assert said.split() == ["lifespan.startup.complete", "lifespan.shutdown.complete"], errors
    assert over_http.taken.span_names() == {"served": 1}


QUIET = {"uvicorn": ("--lifespan", "on", "--log-level", "warning"), "gunicorn": ("--log-level", "warning")}


@pytest.mark.parametrize(
    ("server", "number"),
    [
        ("uvicorn", signal.SIGTERM),
        ("uvicorn", signal.SIGINT),
        ("uvicorn --workers 2", signal.SIGTERM),
        ("gunicorn sync", signal.SIGTERM),
        ("gunicorn gthread --preload", signal.SIGQUIT),
        ("gunicorn UvicornWorker", signal.SIGTERM),
        ("hypercorn", signal.SIGTERM),
    ],
)
def test_a_server(over_http: HttpCollector, tmp_path: Path, server: str, number: int) -> None:
    name, *arguments = SERVERS[server]
    pytest.importorskip(name, reason=f"{name} is not installed")
    if "UvicornWorker" in " ".join(arguments):
        pytest.importorskip("uvicorn.workers", reason="this uvicorn has no worker for gunicorn")
    (tmp_path / "application.py").write_text(application(WORK))
    port = free_port()
    quiet = QUIET.get(name, ())
    with running(
        [BIN / name, *arguments, *quiet, *address(server, port)], tmp_path, f"http://127.0.0.1:{over_http.port}"
    ) as one:
        answered = requests(f"http://127.0.0.1:{port}", one, 40)
        one.send_signal(number)
        one.communicate(timeout=60)
    assert complete(over_http, answered)


def requests(url: str, process: subprocess.Popen[str], number: int) -> int:
    """Make requests on connections of their own, once it answers; return how many were answered."""
    deadline = time.monotonic() + 60
    answered = 0
    while answered < number and time.monotonic() < deadline and process.poll() is None:
        with suppress(httpx.HTTPError):
            answered += httpx.get(url, headers={"connection": "close"}, timeout=20).status_code == 200
            continue
        time.sleep(0.05)
    assert answered == number
    return answered
