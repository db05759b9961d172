"""`otel-llm-router rules`: the Prometheus configuration, alerts and recorded series of this version's metrics.

Room: `cli`. A directory comes in; copies of the shipped files go out.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TypedDict

import click

from otel_llm_router.cli._shipped import export as copy_files
from otel_llm_router.cli._shipped import export_options, json_option, shipped

_LIST_EXAMPLE = """\b
Example:
  otel-llm-router rules list
"""
_EXPORT_EXAMPLE = """\b
Example:
  otel-llm-router rules export /etc/prometheus/llm-router
"""
_FILES = "prometheus/*.yaml"
# Of files that we generate ourselves; no YAML parser is needed at run time for it.
_RULE = re.compile(r"^ *- (alert|record): (\S+)$", re.MULTILINE)


@click.group()
def rules() -> None:
    """Show or copy the Prometheus configuration, alerting rules and recording rules."""


@rules.command(name="list", epilog=_LIST_EXAMPLE)
@json_option
def list_(*, as_json: bool) -> None:
    """Show which files there are, and the alerts and recorded series in them."""
    entries = [_entry(path) for path in shipped("collector-config", _FILES)]
    if as_json:
        click.echo(json.dumps(entries, indent=2))
        return
    for entry in entries:
        click.echo(f"{entry['file']:<16} {entry['description']}")
        for name in (*entry["alerts"], *entry["recorded"]):
            click.echo(f"  {name}")


@rules.command(epilog=_EXPORT_EXAMPLE)
@export_options
def export(*, directory: Path, force: bool) -> None:
    """Copy the files into DIR.

    alerts.yaml and recording.yaml are used as they are, through rule_files; prometheus.yaml is a
    starting point whose host names have to be replaced. The exit code is 1, and nothing is
    written, if a different file is in the way.
    """
    copy_files(shipped("collector-config", _FILES), directory, force=force)


class _Entry(TypedDict):
    file: str
    description: str
    alerts: list[str]
    recorded: list[str]


def _entry(path: Path) -> _Entry:
    text = path.read_text(encoding="utf-8")
    found: list[tuple[str, str]] = _RULE.findall(text)
    return _Entry(
        file=path.name,
        description=text.partition("\n")[0].removeprefix("# "),
        alerts=[name for kind, name in found if kind == "alert"],
        recorded=[name for kind, name in found if kind == "record"],
    )
