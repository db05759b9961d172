"""Processes that fork at any moment: no child hangs, nothing is counted twice, and what each did arrives."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.faults.collectors import GrpcCollector, HttpCollector
from running import BIN, environment

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")

EVERYWHERE = {
    "OTEL_LLM_ROUTER_SCRAPE": "false",
    "OTEL_METRICS_EXPORTER": "otlp",
    "OTEL_METRIC_EXPORT_INTERVAL": "50",
    "OTEL_LLM_ROUTER_EXIT_BUDGET": "30",
    "PYTHONWARNINGS": "ignore",
}
"""What is lost is the matter here, not how long a busy machine takes."""


@pytest.fixture(params=["http", "grpc"])
def collector(request: pytest.FixtureRequest) -> Generator[Any]:
    made = HttpCollector() if request.param == "http" else GrpcCollector()
    made.start()
    yield made
    made.stop()


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., str]:
    """Run a program under ``opentelemetry-instrument`` against a collector; return what it printed."""

    def run(code: str, collector: Any, **variables: str) -> str:
        own = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.port}",
            "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc" if isinstance(collector, GrpcCollector) else "http/protobuf",
        }
        program = tmp_path / "program.py"
        program.write_text(code)
        done = subprocess.run(
            [BIN / "opentelemetry-instrument", sys.executable, program],
            env=environment(**{**EVERYWHERE, **own, **variables}),
            capture_output=True,
            text=True,
            timeout=110,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr, done.stderr
        return done.stdout

    return run


HAMMERED = """
import os, sys, threading, time
from opentelemetry import metrics
from otel_llm_router import telemetry as router

counter = metrics.get_meter("app").create_counter("app.work")
stop = threading.Event()

def work(model):
    with router.request(model), router.attempt("openai", model):
        counter.add(1, {"model": model})

def hammer():
    while not stop.is_set():
        work("parent")

def child(depth):
    if depth:
        pid = os.fork()
        if pid == 0:
            child(depth - 1)
        os.waitpid(pid, 0)
    for _ in range(5):
        work("child")
    sys.exit(0)

work("parent")
time.sleep(0.2)  # exports are under way
threads = [threading.Thread(target=hammer, daemon=True) for _ in range(4)]
for thread in threads:
    thread.start()
pids = []
for index in range(12):
    time.sleep(0.01)
    pid = os.fork()
    if pid == 0:
        stop.set()
        child(index == 0)
    pids.append(pid)
stop.set()
deadline = time.monotonic() + 60
while pids and time.monotonic() < deadline:
    for pid in list(pids):
        if os.waitpid(pid, os.WNOHANG)[0]:
            pids.remove(pid)
    time.sleep(0.02)
print("hung", len(pids))
for pid in pids:
    os.kill(pid, 9)
for thread in threads:
    thread.join()
"""


def test_forks_under_load(collector: Any, run: Callable[..., str]) -> None:
    said = run(HAMMERED, collector)
    assert said == "hung 0\n"
    if isinstance(collector, HttpCollector):
        assert collector.corrupt == 0, "nobody writes on the parent's connection"
    taken = collector.taken
    names = taken.span_names()
    assert names["route child"] == 13 * 5
    ids = [span.span_id for span in taken.spans()]
    assert len(ids) == len(set(ids))
    # What the parent counted before the forks is the parent's alone, of our own scope and of others'.
    parent = names["route parent"]
    assert taken.sums("llm_router.inference", "model") == {("parent",): parent, ("child",): 65}
    assert taken.sums("app.work", "model") == {("parent",): parent, ("child",): 65}


HANGING = """
import os, sys, time
from otel_llm_router import telemetry as router

def work(model):
    with router.request(model), router.attempt("openai", model):
        router.error("oops", component="application")

work("parent")
time.sleep(0.5)  # each export of the parent's hangs by now
began = time.monotonic()
pids = []
for _ in range(4):
    pid = os.fork()
    if pid == 0:
        work("child")
        sys.exit(0)
    pids.append(pid)
for pid in pids:
    os.waitpid(pid, 0)
print(time.monotonic() - began < 20)
"""


def test_forks_while_the_collector_hangs(collector: Any, run: Callable[..., str]) -> None:
    collector.mode = "hang"
    assert run(HANGING, collector, OTEL_LLM_ROUTER_EXIT_BUDGET="0.5") == "True\n"


POOLS = """
import concurrent.futures, multiprocessing, sys, time
from opentelemetry import trace
from otel_llm_router import telemetry as router

def work(model):
    with router.request(model), router.attempt("openai", model):
        pass
    return model

if __name__ == "__main__":
    work("parent")
    time.sleep(0.2)
    for method in sys.argv[1:] or ("fork", "forkserver", "spawn"):
        context = multiprocessing.get_context(method)
        process = context.Process(target=work, args=(f"process-{method}",))
        process.start()
        process.join()
        assert process.exitcode == 0
    context = multiprocessing.get_context("fork")
    with context.Pool(2) as pool:
        pool.map(work, ["pool"] * 20)
        pool.close()
        pool.join()
    with context.Pool(2) as pool:  # which is terminated at the end of the block
        pool.map(work, ["terminated"] * 20)
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as executor:
        list(executor.map(work, ["executor"] * 20))
"""


def test_children_of_multiprocessing(collector: Any, run: Callable[..., str]) -> None:
    run(POOLS, collector, OTEL_METRIC_EXPORT_INTERVAL="3600000", OTEL_BSP_SCHEDULE_DELAY="3600000")
    names = collector.taken.span_names()
    wanted = {"parent": 1, "process-fork": 1, "process-forkserver": 1, "process-spawn": 1}
    wanted |= {"pool": 20, "terminated": 20, "executor": 20}
    assert {name: names[f"route {name}"] for name in wanted} == wanted
    assert collector.taken.sums("llm_router.inference", "model") == {(name,): n for name, n in wanted.items()}
