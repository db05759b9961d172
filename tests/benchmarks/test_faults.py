"""The fault matrix: its rows, and the page that is made of results."""

from __future__ import annotations

from typing import Any

from benchmarks.faults import report
from benchmarks.faults.rows import found


def test_every_row_says_what_it_is() -> None:
    rows = found()
    assert {"R1", "R2", "R3", "R5", "R6", "R8", "R9", "R10", "R11", "R16", "R19", "R20"} <= set(rows)
    for name, row in rows.items():
        assert name == row.ID
        assert row.TITLE
        assert row.HOW
        assert row.PASS
        assert callable(row.run)


def test_a_row_that_falls_short_says_so() -> None:
    figures: dict[str, Any] = {"ours": {"hang, http (s)": 1.9}, "stock": {"hang, http (s)": 50.1}}
    text = report.page({"R1": {"on": "a day", "python": "3", "opentelemetry": "1", "figures": figures}})
    assert "| [R1](#r1) | Bounded exit | reached | falls short |" in text
    assert "| hang, http (s) | 1.9 | 50.1 |" in text
