"""Dashboards out of rows of panels.

Rows come in, a complete dashboard as JSON goes out: panels placed from left to right on Grafana's grid of
24 columns, numbered in order, with the variables and links that all our dashboards share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard

from dashboards.source.panels import DATASOURCE
from otel_llm_router.signals.instruments import requests, resources

TITLES: Final = {
    "llm-router-overview": "LLM Router / Overview",
    "llm-router-model-performance": "LLM Router / Model Performance",
    "llm-router-system-resources": "LLM Router / System Resources",
}
"""Title by uid. Links and bookmarks hold the uid, so it never changes."""

COLUMNS: Final = 24
_ROW_HEIGHT: Final = 1
# An idle router has no requests yet, and process metrics can be turned off: either names the targets.
_ANY_ROUTER: Final = f"{resources.PROCESS_START_TIME.prometheus_name}|{requests.INFERENCE.prometheus_name}"


@dataclass(frozen=True)
class Row:
    """A titled row; panels that do not fit on one line go on below."""

    title: str
    panels: Sequence[dashboard.Panel]


def render(uid: str, *, description: str, rows: Sequence[Row]) -> str:
    """Render a dashboard as the JSON text that Grafana imports."""
    model = dashboard.Dashboard(
        uid=uid,
        title=TITLES[uid],
        description=description,
        tags=["otel-llm-router"],
        editable=True,
        graph_tooltip=dashboard.DashboardCursorSync(1),
        time=dashboard.DashboardDashboardTime(from_val="now-1h", to="now"),
        refresh="30s",
        templating=dashboard.DashboardDashboardTemplating(list_val=_variables()),
        annotations=dashboard.AnnotationContainer(list_val=[]),
        links=[_link(other) for other in TITLES if other != uid],
        panels=_place(rows),
    )
    return JSONEncoder(indent=2, sort_keys=True).encode(model) + "\n"


def _place(rows: Sequence[Row]) -> list[dashboard.Panel | dashboard.RowPanel]:
    placed: list[dashboard.Panel | dashboard.RowPanel] = []
    y = 0
    for row in rows:
        placed.append(
            dashboard.RowPanel(
                id_val=len(placed) + 1,
                title=row.title,
                grid_pos=dashboard.GridPos(x=0, y=y, w=COLUMNS, h=_ROW_HEIGHT),
                panels=[],
            )
        )
        y += _ROW_HEIGHT
        x = height = 0
        for panel in row.panels:
            position = panel.grid_pos or dashboard.GridPos()
            if x + position.w > COLUMNS:
                x, y, height = 0, y + height, 0
            position.x, position.y = x, y
            x, height = x + position.w, max(height, position.h)
            panel.id_val = len(placed) + 1
            placed.append(panel)
        y += height
    return placed


def _link(uid: str) -> dashboard.DashboardLink:
    return dashboard.DashboardLink(
        title=TITLES[uid].rpartition("/ ")[2],
        type_val=dashboard.DashboardLinkType("link"),
        icon="dashboard",
        url=f"/d/{uid}",
        tags=[],
        include_vars=True,
        keep_time=True,
    )


def _variables() -> list[dashboard.VariableModel]:
    source = dashboard.VariableModel(
        type_val=dashboard.VariableType("datasource"),
        name="datasource",
        label="Data source",
        query="prometheus",
        multi=False,
        include_all=False,
    )
    return [
        source,
        _target_label("job", "Job", f'{{__name__=~"{_ANY_ROUTER}"}}'),
        _target_label("instance", "Instance", f'{{__name__=~"{_ANY_ROUTER}", job=~"$job"}}'),
    ]


def _target_label(name: str, title: str, series: str) -> dashboard.VariableModel:
    return dashboard.VariableModel(
        type_val=dashboard.VariableType("query"),
        name=name,
        label=title,
        datasource=DATASOURCE,
        query={"query": f"label_values({series}, {name})", "refId": name},
        refresh=dashboard.VariableRefresh(2),
        sort=dashboard.VariableSort(1),
        multi=True,
        include_all=True,
        # Not a list of every value: that grows with the fleet until the URL is too long.
        all_value=".*",
        current=dashboard.VariableOption(selected=True, text=["All"], value=["$__all"]),
    )
