"""`otel-llm-router demo --collector`: the same numbers through the real Collector."""

from __future__ import annotations

import psutil
import pytest

from demo_command import EVENTFUL, Demo


@pytest.mark.usefixtures("collector_binary")
def test_every_number_agrees_through_the_collector() -> None:
    demo = Demo("--requests", "60", "--seed", EVENTFUL, "--collector", "--json")
    demo.wait_for("gateway .*metrics")
    # Ours is built; another one on PATH that can run the configuration comes before it.
    (collector,) = [one for one in psutil.Process(demo.process.pid).children() if "otelcol" in one.cmdline()[0]]
    binary = collector.cmdline()[0]
    ended = demo.finish()
    assert ended.code == 0, ended.stderr
    assert (ended.answer["equal"], ended.answer["collector"]) == (True, True)
    rows = {row["what"]: row for row in ended.answer["reconciliation"]}
    for row in rows.values():
        assert row["upstream"] == row["scrape"] == row["otlp"]
    assert rows["requests"]["otlp"] == rows["spans of requests"]["otlp"] == 60
    for what in ("attempts that failed", "attempts abandoned", "cache hits", "spans of attempts"):
        assert rows[what]["otlp"] > 0, what
    assert f"OTLPwasdeliveredtotheCollector{binary}." in "".join("".join(ended.message).split())
    assert not collector.is_running()
