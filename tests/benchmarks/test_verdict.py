from __future__ import annotations

import json
import math
from typing import Any

import pytest

from benchmarks import report, tables, verdict
from benchmarks.stats import Estimate
from benchmarks.verdict import Verdict

RESULTS: dict[str, Any] = {
    "schema": 2,
    "date": "2026-11-21",
    "quick": True,
    "minutes": 1.0,
    "seconds_per_round": 1.0,
    "rounds": {"mock": 1},
    "machine": {
        "cores": 2,
        "pinned": True,
        "architecture": "any",
        "system": "any",
        "python": "3",
        "load": [],
        "load_after": [],
        "packages": {"own": {"litellm": "1"}, "openlit": {}},
    },
    "workloads": {},
    "delivered": {},
    "stalls": {},
    "memory": {},
    "micro": {},
    "verdicts": [],
}


@pytest.mark.parametrize(
    ("found", "said", "sure"),
    [
        (Estimate(0.2, 0.1, 0.24), "reached", True),
        (Estimate(0.2, 0.1, 0.3), "reached", False),
        (Estimate(0.3, 0.2, 0.4), "MISSED", False),
        (Estimate(0.3, 0.26, 0.4), "MISSED", True),
        (Estimate(math.inf, 0.26, math.inf), "not resolved", True),
    ],
)
def test_a_miss_is_a_miss_and_the_spread_is_said(found: Estimate, said: str, sure: bool):
    one = Verdict("goal", found, 0.25, "x")
    assert (one.verdict, one.sure) == (said, sure)


def test_infinite_values_survive_strict_json():
    found = Estimate(math.inf, 1.0, math.inf)
    text = json.dumps(found.as_dict(), allow_nan=False)
    assert Estimate.of_dict(json.loads(text)) == found


def test_a_scrape_is_judged_by_the_stock_exporters_in_the_same_pass():
    micro = {
        "scrape of 10000, ours": [6.0, 3.0],
        "scrape of 10000, stock exporter": [10.0, 5.0],
        "scrape of 10000, merge of 4": [3.0, 1.5],
    }
    found = {one.limit: one for one in verdict.verdicts({**RESULTS, "micro": micro})}
    assert found[0.5].found.value == pytest.approx(0.6)
    assert found[0.5].verdict == "MISSED"
    assert found[1.5].found.value == pytest.approx(1.5)


def test_memory_is_judged_above_none_of_the_same_environment():
    def row(first: float, last: float) -> dict[str, Any]:
        return {"requests": [1000, 20000], "first_mib": first, "last_mib": last}

    memory = {
        "none@own": row(100, 100),
        "ours": row(110, 130),
        "none@openlit": row(200, 200),
        "openlit": row(220, 225),
        "openinference": {"reason": "did not start"},
    }
    growth, lightest = verdict.verdicts({**RESULTS, "memory": memory})
    assert (growth.found.value, growth.limit, growth.verdict) == (20, 15, "MISSED")
    assert (lightest.found.value, lightest.limit) == (30, 25)


def test_a_stall_is_what_goes_beyond_the_window_of_none_beside_it():
    stalls = {"none": {"longest": [1.0, 30.0, 2.0]}, "up": {"longest": [9.0, 35.0, 20.0]}, "refused": {"reason": "no"}}
    (found,) = verdict.verdicts({**RESULTS, "stalls": stalls})
    assert (found.found, found.limit) == (Estimate(8.0, 5.0, 18.0), 10)
    assert (found.verdict, found.sure) == ("reached", False)


def test_misses_come_first_in_the_table():
    rows = [Verdict("good", Estimate(1, 1, 1), 2, "x").as_dict(), Verdict("bad", Estimate(3, 3, 3), 2, "x").as_dict()]
    assert [row[0] for row in tables.verdict_rows(rows)] == ["bad", "good"]


def test_the_page_and_the_table_hold_what_has_no_figures_with_the_reason():
    cell: dict[str, Any] = {
        "kind": "plain",
        "concurrency": 1,
        "lightest": None,
        "rows": {"openlit": {"reason": "no wheel"}},
    }
    results: dict[str, Any] = {**RESULTS, "workloads": {"mock": [cell]}, "delivered": {"mock": {}}}
    assert "not measured: no wheel" in tables.text(results)
    page = report.document(results)
    assert "not measured: no wheel" in page
    assert "Environment openlit: could not be installed." in page
