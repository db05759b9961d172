"""A collector that is away for a while, and a process that goes on: what was emitted meanwhile arrives, once."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.faults.collectors import GrpcCollector, HttpCollector
from running import BIN, environment

STEADY = """
import sys, time
from opentelemetry import trace
from opentelemetry._logs import LogRecord, get_logger

tracer, logger = trace.get_tracer("t"), get_logger("l")
began, number = time.monotonic(), 0
while number < 1500:
    while number < min(1500, (time.monotonic() - began) * 500):
        tracer.start_span(str(number)).end()
        logger.emit(LogRecord(body=str(number)))
        number += 1
    time.sleep(0.01)
print(number, flush=True)
sys.stdin.readline()
"""


def until(condition: Callable[[], bool], seconds: float = 60) -> bool:
    """Whether it comes true."""
    deadline = time.monotonic() + seconds
    while not (held := condition()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return held


@pytest.mark.parametrize(("fault", "protocol"), [("stopped", "http"), ("503", "http"), ("stopped", "grpc")])
def test_nothing_is_lost_and_what_is_there_twice_is_counted(fault: str, protocol: str, tmp_path: Path) -> None:
    collector: Any = HttpCollector() if protocol == "http" else GrpcCollector()
    variables = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.start(),
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc" if protocol == "grpc" else "http/protobuf",
        "OTEL_METRICS_EXPORTER": "otlp",
        "OTEL_METRIC_EXPORT_INTERVAL": "3600000",
        "OTEL_LLM_ROUTER_SCRAPE": "false",
        "OTEL_LLM_ROUTER_EXIT_BUDGET": "30",
        "OTEL_BSP_SCHEDULE_DELAY": "200",
        "OTEL_BLRP_SCHEDULE_DELAY": "200",
    }
    with subprocess.Popen(
        [BIN / "opentelemetry-instrument", sys.executable, "-c", STEADY],
        cwd=tmp_path,
        env=environment(**variables),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        taken = collector.taken
        assert until(lambda: bool(taken.bodies))
        if fault == "stopped":
            collector.stop()
        else:
            collector.mode = fault
        assert process.stdout is not None
        assert process.stdout.readline() == "1500\n"
        assert len(taken.spans()) < 1500
        if fault == "stopped":
            collector.start()
        else:
            collector.mode = "ok"
        assert until(lambda: len(taken.spans()) >= 1500 and len(taken.logs()) >= 1500)
        _, said = process.communicate("\n", timeout=60)
    collector.stop()
    expected = set(map(str, range(1500)))
    for signal, arrived in (("traces", taken.span_names()), ("logs", taken.log_bodies())):
        assert set(arrived) == expected
        # A collector that goes away before it answers has taken what is sent to it again; that is counted.
        again = taken.sums("llm_router.telemetry.resent", "signal").get((signal,), 0)
        assert sum(arrived.values()) - len(expected) <= again <= 2 * 512
    assert said.count("cannot deliver") == said.count("answers again") == 1
    counts = {("traces",): 1500, ("logs",): 1500}
    assert taken.sums("llm_router.telemetry.emitted", "signal") == counts
    assert taken.sums("llm_router.telemetry.delivered", "signal") == counts
    assert taken.sums("llm_router.telemetry.dropped", "signal") == {}
