"""Panels and their layout refuse what Grafana would show wrongly."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("grafana_foundation_sdk", reason="in the development environment of Python 3.11 and newer only")

from dashboards.source.layout import TITLES, Row, render
from dashboards.source.panels import Line, graph
from dashboards.source.queries import Query, QueryError

UP = Query(text="up", labels=frozenset({"job"}))


def test_a_legend_names_only_labels_of_the_result():
    assert Line(UP, "{{job}}").legend == "{{job}}"
    with pytest.raises(QueryError, match=r"legend '\{\{job\}\} \{\{model\}\}' names model"):
        Line(UP, "{{job}} {{model}}")


def test_panels_that_do_not_fit_go_on_below():
    rows = [
        Row("first", [graph(f"p{i}", Line(UP, "{{job}}"), description="d", unit="s", width=10) for i in range(3)]),
        Row("second", [graph("last", Line(UP, "{{job}}"), description="d", unit="s")]),
    ]
    model = json.loads(render("llm-router-overview", description="d", rows=rows))
    positions = {panel["title"]: (panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in model["panels"]}
    assert positions == {"first": (0, 0), "p0": (0, 1), "p1": (10, 1), "p2": (0, 9), "second": (0, 17), "last": (0, 18)}
    assert [panel["id"] for panel in model["panels"]] == [1, 2, 3, 4, 5, 6]


def test_rendering_is_the_same_every_time():
    from dashboards.source import overview  # noqa: PLC0415 - needs the SDK

    assert overview.text() == overview.text()


def test_a_uid_has_to_be_registered():
    with pytest.raises(KeyError):
        render("llm-router-else", description="d", rows=[])
    assert len(set(TITLES.values())) == len(TITLES)
