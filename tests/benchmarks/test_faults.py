"""The fault matrix: its rows, and the page that is made of results."""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Any

import pytest

import otel_llm_router
from benchmarks.faults import bypasses, inside, report
from benchmarks.faults.rows import found, r13_access


def test_every_row_says_what_it_is() -> None:
    rows = found()
    wanted = {f"R{number}" for number in (1, 2, 3, 5, 6, 8, 9, 10, 11, 12, 13, 14, 15, 16, 19, 20)}
    assert wanted <= set(rows)
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


def test_a_row_that_was_not_measured_in_one_run_says_so() -> None:
    figures: dict[str, Any] = {"ours": {"hang, http (s)": 1.9}, "stock": {"hang, http (s)": 50.1}}
    row: dict[str, Any] = {"on": "a day", "python": "3", "opentelemetry": "1", "figures": figures}
    note = "Ours is of another run."
    assert f"| 50.1 |\n\n{note}\n\nOn a day, " in report.page({"R1": {**row, "note": note}})
    assert "| 50.1 |\n\nOn a day, " in report.page({"R1": row})


def test_whatever_is_under_the_guard_is_a_hook_that_can_fail() -> None:
    root = Path(otel_llm_router.__file__).parent
    under_guard = re.compile(r"\s*(with (\w+\.)*_?guard\(|@(\w+\.)?guarded\()")
    written = {
        f"{'.'.join(['otel_llm_router', *path.relative_to(root).with_suffix('').parts])}:{number}"
        for path in root.rglob("*.py")
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if under_guard.match(line)
    }
    found = inside.all_hooks()
    assert len(written) > 150
    lines = {(module, int(line)) for module, _, line in (one.partition(":") for one in found)}
    # A decorated function begins below its decorator.
    missing = [
        one
        for one in written
        if not {(one.partition(":")[0], int(one.partition(":")[2]) + below) for below in range(3)} & lines
    ]
    assert missing == []


def test_a_hook_raises_within_its_guard() -> None:
    tree = inside.Hooks("m").visit(
        inside.ast.parse("with guard('a'):\n    work()\ntry:\n    work()\nexcept Exception as e:\n    caught('b', e)")
    )
    said = inside.ast.unparse(tree)
    assert said.split("\n")[1:2] + said.split("\n")[4:5] == ["    __fault__('m:1')", "    __fault__('m:3')"]


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
