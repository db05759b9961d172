"""`otel-llm-router deploy`: manifests for Kubernetes and Compose, with the files that they refer to.

Room: `cli`. A directory comes in; copies of the shipped files go out, laid out as in the source tree, so that the
paths between them hold.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import click

from otel_llm_router._resources import Directory, resource_dir
from otel_llm_router.cli._shipped import export as copy_files
from otel_llm_router.cli._shipped import export_options, json_option, shipped

_EXPORT_EXAMPLE = """\b
Example:
  otel-llm-router deploy export telemetry
  kubectl apply -k telemetry/deploy/kubernetes/overlays/operator
  docker compose -f telemetry/deploy/compose/compose.yaml up -d
"""
_LIST_EXAMPLE = """\b
Example:
  otel-llm-router deploy list
"""
_WAYS: Final[Mapping[str, str]] = {
    "deploy/compose/compose.yaml": "everything on one machine, with Docker Compose; --profile kafka buffers in Kafka",
    "deploy/kubernetes/overlays/annotations": "Kubernetes, for a Prometheus that finds pods by annotations",
    "deploy/kubernetes/overlays/operator": "Kubernetes, for the Prometheus operator",
    "deploy/kubernetes/overlays/kafka": "Kubernetes, for the Prometheus operator, with Kafka as buffer",
    "deploy/kubernetes/examples": "a router in Kubernetes, and its autoscaler",
}
# Each is copied as a whole, but for what only our own build of the Collector needs.
_PATTERNS: Final[Mapping[Directory, Sequence[str]]] = {
    "deploy": ("**/*",),
    "collector-config": ("*", "backends/*", "kafka/*", "prometheus/*"),
    "dashboards": ("*.json",),
}


@click.group()
def deploy() -> None:
    """Show or copy manifests for Kubernetes and Compose."""


@deploy.command(name="list", epilog=_LIST_EXAMPLE)
@json_option
def list_(*, as_json: bool) -> None:
    """Show what there is to start, and for which need."""
    if as_json:
        click.echo(json.dumps([{"path": path, "description": text} for path, text in _WAYS.items()], indent=2))
        return
    for path, text in _WAYS.items():
        click.echo(f"{path:<40} {text}")


@deploy.command(epilog=_EXPORT_EXAMPLE)
@export_options
def export(*, directory: Path, force: bool) -> None:
    """Copy the manifests into DIR, with the configuration and the dashboards that they mount.

    docs/deploy.md says what to set before they are started. The exit code is 1, and nothing is
    written, if a different file is in the way.
    """
    files = {
        path: name
        for name, patterns in _PATTERNS.items()
        for pattern in patterns
        for path in shipped(name, pattern)
        if path.is_file() and not path.name.startswith(".")
    }
    # In a checkout and in an installation alike, the three lie side by side.
    copy_files(list(files), directory, force=force, root=resource_dir("deploy").parent)
