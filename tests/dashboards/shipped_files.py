"""The generated files as a user gets them. Tests read these, not the code that wrote them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
DASHBOARDS = {path.stem: path for path in sorted((ROOT / "dashboards").glob("*.json"))}
PROMETHEUS = ROOT / "collector-config" / "prometheus"

# Grafana fills these in before it sends a query; $__rate_interval first, since it begins like no other.
VARIABLES = {"$__rate_interval": "5m", "$__range": "1h", "$job": ".*", "$instance": ".*"}


def dashboard(stem: str) -> dict[str, Any]:
    return json.loads(DASHBOARDS[stem].read_text(encoding="utf-8"))


def panels(stem: str) -> list[dict[str, Any]]:
    return [panel for panel in dashboard(stem)["panels"] if panel["type"] != "row"]


def panel(stem: str, title: str) -> dict[str, Any]:
    (found,) = [panel for panel in panels(stem) if panel["title"] == title]
    return found


def filled_in(expression: str) -> str:
    for name, value in VARIABLES.items():
        expression = expression.replace(name, value)
    return expression


def load_yaml(name: str) -> dict[str, Any]:
    return yaml.safe_load((PROMETHEUS / name).read_text(encoding="utf-8"))


def rules(name: str) -> list[dict[str, Any]]:
    return [rule for group in load_yaml(name)["groups"] for rule in group["rules"]]


def alert(name: str) -> dict[str, Any]:
    (found,) = [rule for rule in rules("alerts.yaml") if rule["alert"] == name]
    return found


@dataclass(frozen=True)
class Expression:
    """One expression in a shipped file, and where it is."""

    where: str
    text: str
    legend: str = ""


def expressions() -> list[Expression]:
    in_dashboards = [
        Expression(f"{stem}: {panel['title']} {target['refId']}", filled_in(target["expr"]), target["legendFormat"])
        for stem in DASHBOARDS
        for panel in panels(stem)
        for target in panel["targets"]
    ]
    in_rules = [
        Expression(f"{name}: {rule.get('alert') or rule.get('record')}", rule["expr"])
        for name in ("alerts.yaml", "recording.yaml")
        for rule in rules(name)
    ]
    return in_dashboards + in_rules
