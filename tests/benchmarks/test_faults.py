"""The fault matrix: its rows, and the page that is made of results."""

from __future__ import annotations

import random
from typing import Any

import pytest

from benchmarks.faults import bypasses, report
from benchmarks.faults.rows import found, r13_access


def test_every_row_says_what_it_is() -> None:
    rows = found()
    assert {"R1", "R2", "R3", "R6", "R9", "R12", "R13", "R14", "R15", "R16", "R20"} <= set(rows)
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


def test_times_are_told_apart_when_they_differ() -> None:
    times = [random.Random(number).random() for number in range(200)]
    assert r13_access.mann_whitney(times[::2], times[1::2]) > 0.05
    assert r13_access.mann_whitney(times[::2], [one + 0.3 for one in times[1::2]]) < 0.01


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        (b"HTTP/1.1 401 \r\nx: y\r\n\r\nwho are you?", False),
        (b'HTTP/1.1 200 \r\nx: y\r\n\r\n{\n  "status": "alive"\n}\n', False),
        (b"HTTP/1.1 200 \r\nx: y\r\n\r\n", True),
        (b'HTTP/1.1 200 \r\n\r\n{\n  "status": "alive"\n}\nHTTP/1.1 200 \r\n\r\n# HELP', True),
        (b"faults_secret_total 1.0", True),
        (b"", False),
    ],
)
def test_what_an_answer_gives_away(answer: bytes, shown: bool) -> None:
    assert bypasses.shows(answer) is shown
