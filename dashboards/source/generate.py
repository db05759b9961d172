"""Write every generated file of the repository, or say which of them have drifted.

Renderers come in through `GENERATED`, files go out; with ``--check`` nothing is written and each file that
differs is named with a diff. Run as ``scripts/generate``.
"""

from __future__ import annotations

import argparse
import difflib
import importlib.util
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from benchmarks import report
from benchmarks.collector import report as collector
from benchmarks.faults import report as faults
from dashboards.source import alerts, compatibility, deployment, recording, runbooks
from dashboards.source.rules import RUNBOOKS
from otel_llm_router.cli import _catalogue

ROOT: Final = Path(__file__).resolve().parents[2]

_SDK: Final = "grafana_foundation_sdk"
_SDK_PYTHON: Final = (3, 11)


def _overview() -> str:
    from dashboards.source import overview  # noqa: PLC0415 - needs the SDK

    return overview.text()


def _model_performance() -> str:
    from dashboards.source import model_performance  # noqa: PLC0415 - needs the SDK

    return model_performance.text()


def _system_resources() -> str:
    from dashboards.source import system_resources  # noqa: PLC0415 - needs the SDK

    return system_resources.text()


DASHBOARDS: Final[Mapping[Path, Callable[[], str]]] = {
    Path("dashboards/overview.json"): _overview,
    Path("dashboards/model-performance.json"): _model_performance,
    Path("dashboards/system-resources.json"): _system_resources,
}
"""Files that need the Grafana Foundation SDK, which needs Python 3.11."""

GENERATED: Final[Mapping[Path, Callable[[], str]]] = {
    **DASHBOARDS,
    Path("collector-config/prometheus/alerts.yaml"): alerts.text,
    Path("collector-config/prometheus/recording.yaml"): recording.text,
    Path("deploy/kubernetes/components/operator/rules.yaml"): deployment.prometheus_rule,
    Path("deploy/compose/alertmanager/alertmanager.yaml"): deployment.alertmanager,
    Path("deploy/compose/alertmanager/escalation.yaml"): deployment.escalation,
    Path(RUNBOOKS): runbooks.text,
    Path("docs/signals.md"): _catalogue.signals_page,
    Path("docs/configuration.md"): _catalogue.configuration_page,
    Path("docs/overhead.md"): report.committed,
    Path("docs/reliability.md"): faults.committed,
    Path("docs/collector.md"): collector.committed,
    Path("docs/compatibility.md"): compatibility.text,
}
"""Every generated file, relative to the repository, and what renders it."""


def drift(path: Path, wanted: str) -> str:
    """Compare a file with what it should be, as a unified diff; empty when they are the same."""
    present = path.read_text(encoding="utf-8") if path.is_file() else ""
    lines = difflib.unified_diff(
        present.splitlines(keepends=True), wanted.splitlines(keepends=True), f"{path} (present)", f"{path} (generated)"
    )
    return "".join(lines)


def main(arguments: list[str] | None = None, *, root: Path = ROOT) -> int:
    """Run the command; the result is its exit code: 0, or 1 for drift or a missing tool."""
    parser = argparse.ArgumentParser(prog="scripts/generate", description="Write every generated file.")
    parser.add_argument("--check", action="store_true", help="write nothing; name what has drifted and exit with 1")
    check: bool = parser.parse_args(arguments).check

    wanted = dict(GENERATED)
    if importlib.util.find_spec(_SDK) is None:
        if sys.version_info >= _SDK_PYTHON:
            sys.stderr.write("scripts/generate: grafana-foundation-sdk is missing; install requirements/dev.txt\n")
            return 1
        version = ".".join(str(part) for part in sys.version_info[:2])
        done = "checked" if check else "written"
        sys.stderr.write(f"dashboards are not {done}: grafana-foundation-sdk needs Python 3.11, this is {version}\n")
        for path in DASHBOARDS:
            del wanted[path]

    drifted = False
    for path, render in wanted.items():
        text = render()
        difference = drift(root / path, text)
        if not difference:
            continue
        drifted = True
        if check:
            sys.stdout.write(f"{path} has drifted; run scripts/generate\n{difference}\n")
        else:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text, encoding="utf-8", newline="\n")
            sys.stdout.write(f"wrote {path}\n")
    return 1 if check and drifted else 0


if __name__ == "__main__":
    sys.exit(main())
