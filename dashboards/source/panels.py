"""Panels of the dashboards.

Titles, descriptions and typed queries come in; panels of the Grafana Foundation SDK go out, all with the
same manners: data source from the dashboard's variable, unit, description, legend.
The SDK's plain models are used rather than its builders, and its enumerations by value: both are typed on
every Python version that we check against, the builders on 3.11 and newer only.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from grafana_foundation_sdk.cog import variants
from grafana_foundation_sdk.models import common, dashboard, heatmap, piechart, prometheus, stat, timeseries

from dashboards.source.queries import Query, QueryError

DATASOURCE: Final = dashboard.DataSourceRef(type_val="prometheus", uid="${datasource}")
_LEGEND_LABEL: Final = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_MULTI: Final = common.VizTooltipOptions(mode=common.TooltipDisplayMode("multi"), sort=common.SortOrder("desc"))


@dataclass(frozen=True)
class Line:
    """One query of a panel, and the name of its series.

    Raises:
        QueryError: the name uses a label that the result does not have.
    """

    query: Query
    legend: str

    def __post_init__(self) -> None:
        missing = sorted(set(_LEGEND_LABEL.findall(self.legend)) - self.query.labels)
        if missing:
            raise QueryError(
                f"legend {self.legend!r} names {', '.join(missing)}, which {self.query.text} does not have"
            )


@dataclass(frozen=True)
class Step:
    """From which value on a panel takes a colour."""

    value: float
    color: str


def number(
    title: str,
    query: Query,
    *,
    description: str,
    unit: str,
    base: str = "blue",
    steps: Sequence[Step] = (),
    no_value: str = "no data",
    width: int = 3,
) -> dashboard.Panel:
    """Make a single present value with its recent course behind it; ``base`` colours it below the first step."""
    defaults = dashboard.FieldConfig(
        unit=unit,
        no_value=no_value,
        color=dashboard.FieldColor(mode=dashboard.FieldColorModeId("thresholds")),
        thresholds=_thresholds(base, steps),
    )
    options = stat.Options(
        graph_mode=common.BigValueGraphMode("area"),
        color_mode=common.BigValueColorMode("value"),
        reduce_options=common.ReduceDataOptions(values=False, calcs=["lastNotNull"]),
    )
    return _panel("stat", title, description, [_target(Line(query, title))], defaults, options, width, 4)


def graph(
    title: str,
    *lines: Line,
    description: str,
    unit: str,
    stacked: bool = False,
    steps: Sequence[Step] = (),
    maximum: float | None = None,
    no_value: str = "no data",
    width: int = 8,
) -> dashboard.Panel:
    """Make lines over time, or areas that add up; each step is a dashed line."""
    custom = common.GraphFieldConfig(
        draw_style=common.GraphDrawStyle("line"),
        line_width=1,
        fill_opacity=30 if stacked else 8,
        show_points=common.VisibilityMode("auto"),
        stacking=common.StackingConfig(mode=common.StackingMode("normal" if stacked else "none"), group="A"),
        thresholds_style=common.GraphThresholdsStyleConfig(
            mode=common.GraphThresholdsStyleMode("dashed" if steps else "off")
        ),
    )
    defaults = dashboard.FieldConfig(
        unit=unit,
        no_value=no_value,
        min_val=0,
        max_val=maximum,
        # By name, so that a model keeps its colour when another one appears.
        color=dashboard.FieldColor(mode=dashboard.FieldColorModeId("palette-classic-by-name")),
        thresholds=_thresholds("transparent", steps),
        custom=custom,
    )
    options = timeseries.Options(
        legend=common.VizLegendOptions(
            display_mode=common.LegendDisplayMode("table"),
            placement=common.LegendPlacement("bottom"),
            show_legend=True,
            calcs=["mean", "max"],
        ),
        tooltip=_MULTI,
    )
    return _panel("timeseries", title, description, [_target(line) for line in lines], defaults, options, width, 8)


def shares(
    title: str, line: Line, *, description: str, unit: str, no_value: str = "no data", width: int = 8
) -> dashboard.Panel:
    """Make a ring of shares over the whole time range of the dashboard."""
    defaults = dashboard.FieldConfig(
        unit=unit,
        no_value=no_value,
        color=dashboard.FieldColor(mode=dashboard.FieldColorModeId("palette-classic-by-name")),
    )
    options = piechart.Options(
        pie_type=piechart.PieChartType("donut"),
        legend=piechart.PieChartLegendOptions(
            display_mode=common.LegendDisplayMode("table"),
            placement=common.LegendPlacement("right"),
            show_legend=True,
            values=[piechart.PieChartLegendValues("percent"), piechart.PieChartLegendValues("value")],
        ),
        reduce_options=common.ReduceDataOptions(values=False, calcs=["lastNotNull"]),
        tooltip=common.VizTooltipOptions(mode=common.TooltipDisplayMode("single"), sort=common.SortOrder("none")),
    )
    return _panel("piechart", title, description, [_target(line, instant=True)], defaults, options, width, 8)


def heat_map(
    title: str, query: Query, *, description: str, unit: str, no_value: str = "no data", width: int = 12
) -> dashboard.Panel:
    """Make a map of a histogram's buckets over time; ``unit`` is that of the bounds."""
    options = heatmap.Options(
        calculate=False,
        cell_gap=1,
        color=heatmap.HeatmapColorOptions(
            mode=heatmap.HeatmapColorMode("scheme"),
            scheme="Oranges",
            scale=heatmap.HeatmapColorScale("exponential"),
            exponent=0.5,
            steps=64,
        ),
        # Zero is no event: left blank, so that rare events stand out.
        filter_values=heatmap.FilterValueRange(le=1e-9),
        y_axis=heatmap.YAxisConfig(unit=unit, axis_placement=common.AxisPlacement("left")),
        cell_values=heatmap.CellValues(unit="short"),
        legend=heatmap.HeatmapLegend(show=True),
        tooltip=heatmap.HeatmapTooltip(mode=common.TooltipDisplayMode("single"), show_color_scale=True),
    )
    target = _target(Line(query, "{{le}}"), form="heatmap")
    panel = _panel(
        "heatmap",
        title,
        description,
        [target],
        dashboard.FieldConfig(unit="short", no_value=no_value),
        options,
        width,
        8,
    )
    # Events are rare: few, wide columns are readable where hundreds of thin ones are not.
    panel.max_data_points = 60
    return panel


def _panel(
    kind: str,
    title: str,
    description: str,
    targets: Sequence[prometheus.Dataquery],
    defaults: dashboard.FieldConfig,
    options: object,
    width: int,
    height: int,
) -> dashboard.Panel:
    queries: list[variants.Dataquery] = []
    for ref, target in zip("ABCDEFGH", targets, strict=False):
        target.ref_id = ref
        queries.append(target)
    return dashboard.Panel(
        type_val=kind,
        title=title,
        description=description,
        datasource=DATASOURCE,
        targets=queries,
        grid_pos=dashboard.GridPos(w=width, h=height),
        field_config=dashboard.FieldConfigSource(defaults=defaults, overrides=[]),
        options=options,
    )


def _target(line: Line, *, instant: bool = False, form: str = "time_series") -> prometheus.Dataquery:
    return prometheus.Dataquery(
        expr=line.query.text,
        legend_format=line.legend,
        format_val=prometheus.PromQueryFormat(form),
        editor_mode=prometheus.QueryEditorMode("code"),
        instant=instant,
        range_val=not instant,
        datasource=DATASOURCE,
    )


def _thresholds(base: str, steps: Sequence[Step]) -> dashboard.ThresholdsConfig:
    return dashboard.ThresholdsConfig(
        mode=dashboard.ThresholdsMode("absolute"),
        steps=[
            dashboard.Threshold(value=None, color=base),
            *(dashboard.Threshold(value=step.value, color=step.color) for step in steps),
        ],
    )
