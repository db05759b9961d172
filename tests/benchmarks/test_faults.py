"""The fault matrix: its rows, and the page that is made of results."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import otel_llm_router
from benchmarks.faults import inside, report
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
