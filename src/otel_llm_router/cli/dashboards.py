"""`otel-llm-router dashboards`: the Grafana dashboards that belong to this version's metrics.

Room: `cli`. A directory comes in; copies of the shipped dashboards go out.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypedDict, cast

import click

from otel_llm_router.cli._shipped import export as copy_files
from otel_llm_router.cli._shipped import export_options, json_option, shipped

_LIST_EXAMPLE = """\b
Example:
  otel-llm-router dashboards list
"""
_EXPORT_EXAMPLE = """\b
Example:
  otel-llm-router dashboards export /var/lib/grafana/dashboards
"""


class _Panel(TypedDict):
    type: str


class _Dashboard(TypedDict):
    title: str
    uid: str
    panels: list[_Panel]


@click.group()
def dashboards() -> None:
    """Show or copy the Grafana dashboards."""


@dashboards.command(name="list", epilog=_LIST_EXAMPLE)
@json_option
def list_(*, as_json: bool) -> None:
    """Show which dashboards there are: file, title, uid, number of panels."""
    entries = [_entry(path) for path in shipped("dashboards", "*.json")]
    if as_json:
        click.echo(json.dumps(entries, indent=2))
        return
    for entry in entries:
        click.echo(f"{entry['file']:<24} {entry['title']:<34} {entry['panels']} panels, uid {entry['uid']}")


@dashboards.command(epilog=_EXPORT_EXAMPLE)
@export_options
def export(*, directory: Path, force: bool) -> None:
    """Copy the dashboards into DIR, for Grafana's import or its file provisioning.

    They ask for a Prometheus data source, a job and an instance by variables; nothing has to be
    edited. The exit code is 1, and nothing is written, if a different file is in the way.
    """
    copy_files(shipped("dashboards", "*.json"), directory, force=force)


class _Entry(TypedDict):
    file: str
    title: str
    uid: str
    panels: int


def _entry(path: Path) -> _Entry:
    model = cast("_Dashboard", json.loads(path.read_text(encoding="utf-8")))
    panels = [panel for panel in model["panels"] if panel["type"] != "row"]
    return _Entry(file=path.name, title=model["title"], uid=model["uid"], panels=len(panels))
