from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import report

RESULTS = json.loads(report.COMMITTED.read_text())


def test_the_page_is_rendered_from_the_figures_that_are_kept(tmp_path: Path):
    (tmp_path / "docs").mkdir()
    stalls = {"none": {"longest": [1.23456789], "late": [0], "requests": [9]}, "up": {"reason": "it ended"}}
    results = {**RESULTS, "stalls": stalls, "blocks": {"mock": [{"loop_us": 1.0}]}}
    kept, page = report.write(results, schema=2, root=tmp_path)
    figures = json.loads(kept.read_text())
    assert "blocks" not in figures
    assert figures["stalls"]["none"]["longest"] == [1.235]
    assert page.read_text() == report.document(figures)
    assert "not measured: it ended" in page.read_text()


def test_results_of_another_version_are_refused(tmp_path: Path):
    with pytest.raises(ValueError, match="schema 1, this version writes 2"):
        report.write({**RESULTS, "schema": 1}, schema=2, root=tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_kept_figures_name_no_machine():
    text = report.COMMITTED.read_text()
    assert "/" not in "".join(json.loads(text)["machine"]["packages"])
    assert not [part for part in ("/home", "/root", "/tmp", "/Users") if part in text]
