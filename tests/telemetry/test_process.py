"""Metrics of the process itself: what psutil and the garbage collector say, in the units that the names promise."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import tempfile
import threading
import time
import tracemalloc
from collections.abc import Generator
from contextlib import ExitStack

import psutil
import pytest

from otel_llm_router import signals, testing
from otel_llm_router.telemetry import instrumenting, process

DECLARED = {one.name for one in signals.INSTRUMENTS if one.prometheus_name.startswith("llm_router_process_")}
PAUSE = "llm_router.process.gc.pause"
MIB = 2**20


@pytest.fixture
def observed(captured: testing.Captured) -> Generator[testing.Captured]:
    """The metrics of this process; the garbage collector strikes only when it is told to."""
    gc.disable()
    process.observe(instrumenting.recorder())
    yield captured
    process.leave()
    gc.enable()


def reading(observed: testing.Captured, name: str) -> float:
    (point,) = observed.points(f"llm_router.process.{name}")
    assert point.labels == {}
    return point.value


def test_every_declared_metric_is_there(observed: testing.Captured) -> None:
    gc.collect()
    assert len(DECLARED) == 7
    assert observed.metric_names() == DECLARED


def test_cpu_seconds_are_those_of_this_process_and_only_rise(observed: testing.Captured) -> None:
    def spent() -> float:
        return sum(psutil.Process().cpu_times()[:2])

    readings: list[float] = []
    for _ in range(3):
        before = spent()
        readings.append(reading(observed, "cpu"))
        assert before <= readings[-1] <= spent()
        while spent() < before + 0.05:
            sum(range(10_000))
    assert readings[0] + 0.05 <= readings[1] <= readings[2] - 0.05


def test_resident_memory_rises_with_what_is_used(observed: testing.Captured) -> None:
    before = reading(observed, "resident_memory")
    assert before == pytest.approx(psutil.Process().memory_info().rss, rel=0.2)
    used = bytearray(b"x" * (64 * MIB))
    assert reading(observed, "resident_memory") - before >= len(used) * 0.9


def test_the_heap_is_private_memory(observed: testing.Captured) -> None:
    before = reading(observed, "heap")
    assert 0 < before < reading(observed, "resident_memory")
    used = bytearray(b"x" * (64 * MIB))
    assert reading(observed, "heap") - before >= len(used) * 0.9


def test_the_heap_is_what_tracemalloc_traces_while_it_does(observed: testing.Captured) -> None:
    untraced = reading(observed, "heap")
    tracemalloc.start()
    try:
        used = bytearray(3 * MIB)
        assert len(used) <= reading(observed, "heap") < len(used) + MIB < untraced
    finally:
        tracemalloc.stop()


def test_open_files_are_counted(observed: testing.Captured) -> None:
    before = reading(observed, "open_fds")
    with ExitStack() as files:
        for _ in range(50):
            files.enter_context(tempfile.TemporaryFile())
        # Connections of other tests' servers may close meanwhile.
        assert reading(observed, "open_fds") > before + 40
    assert reading(observed, "open_fds") < before + 40


def test_threads_are_counted(observed: testing.Captured) -> None:
    before, end = reading(observed, "threads"), threading.Event()
    threads = [threading.Thread(target=end.wait) for _ in range(10)]
    for thread in threads:
        thread.start()
    assert reading(observed, "threads") > before + 5
    end.set()
    for thread in threads:
        thread.join()
    # The system ends a thread a moment after Python has let go of it.
    deadline = time.monotonic() + 30
    while reading(observed, "threads") >= before + 5:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_start_is_in_seconds_since_the_epoch(observed: testing.Captured) -> None:
    start = reading(observed, "start_time")
    assert start == psutil.Process().create_time()
    assert start < time.time()


def test_a_forked_child_reports_itself() -> None:
    code = """
import gc, json, os, psutil
from otel_llm_router import testing
from otel_llm_router.telemetry import instrumenting, process

def say(captured):
    value = lambda name: captured.value(f"llm_router.process.{name}")
    own = psutil.Process()
    print(json.dumps([value("start_time"), own.create_time(), value("cpu"), sum(own.cpu_times()[:2])]), flush=True)

with testing.capture() as captured:
    process.observe(instrumenting.recorder())
    say(captured)
    if os.fork() == 0:
        say(captured)
        os._exit(0)
    os.wait()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    parent, child = (json.loads(line) for line in done.stdout.splitlines())
    for start, true_start, _, _ in (parent, child):
        assert start == true_start
    assert child[0] > parent[0]
    assert child[2] <= child[3] < parent[2], "the child has the parent's seconds"


def test_one_recorder_reports_the_process(observed: testing.Captured) -> None:
    """Whoever observes last: the process is one, and two reports of it would be added up."""
    assert {"llm_router.process.cpu", "llm_router.process.threads"} < observed.metric_names()
    gc.collect(0)
    with testing.capture() as second:
        process.observe(instrumenting.recorder())
        gc.collect(1)
        assert second.metric_names() == DECLARED
        assert second.count(PAUSE) == second.count(PAUSE, generation="1") == 1
    assert observed.metric_names() & DECLARED == {PAUSE}
    assert observed.count(PAUSE) == observed.count(PAUSE, generation="0") == 1


def test_nothing_is_left_in_the_collector(captured: testing.Captured) -> None:
    before = list(gc.callbacks)
    process.observe(instrumenting.recorder())
    process.observe(instrumenting.recorder())
    assert len(gc.callbacks) == len(before) + 1
    process.leave()
    process.leave()
    assert gc.callbacks == before
    assert captured.metric_names() & DECLARED <= {PAUSE}


class TestPauses:
    def test_observing_twice_counts_once(self, observed: testing.Captured) -> None:
        gc.collect(2)
        process.observe(instrumenting.recorder())
        gc.collect(2)
        assert observed.count(PAUSE) == 2

    def test_a_forked_child_has_none_of_its_parents(self) -> None:
        code = """
import gc, os, sys
from otel_llm_router import testing
from otel_llm_router.telemetry import instrumenting, process

gc.disable()
with testing.capture(fast_path=True) as captured:
    process.observe(instrumenting.recorder())
    for _ in range(3):
        gc.collect()
    if os.fork() == 0:
        gc.collect()
        print(captured.count("llm_router.process.gc.pause"), flush=True)
        os._exit(0)
    os.wait()
    print(captured.count("llm_router.process.gc.pause"), flush=True)
"""
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout.split() == ["1", "3"]

    def test_each_collection_counts_under_its_generation(self, observed: testing.Captured) -> None:
        for generation in (0, 1, 2, 0):
            gc.collect(generation)
        found = {generation: observed.count(PAUSE, generation=generation) for generation in ("0", "1", "2")}
        assert found == {"0": 2, "1": 1, "2": 1}
        gc.collect(1)
        assert observed.count(PAUSE, generation="1") == 2
        assert observed.count(PAUSE) == 5

    def test_a_pause_is_in_seconds(self, observed: testing.Captured) -> None:
        class Slow:
            def __init__(self) -> None:
                self.itself = self

            def __del__(self) -> None:
                time.sleep(0.05)

        gc.collect()
        before = observed.value(PAUSE, generation="2")
        Slow()
        began = time.perf_counter()
        gc.collect()
        assert 0.05 <= observed.value(PAUSE, generation="2") - before <= time.perf_counter() - began

    def test_what_nobody_collects_is_bounded(self, observed: testing.Captured) -> None:
        for _ in range(process.MAX_PAUSES + 100):
            gc.collect(0)
        assert observed.count(PAUSE) == process.MAX_PAUSES
        gc.collect(0)
        assert observed.count(PAUSE) == process.MAX_PAUSES + 1
