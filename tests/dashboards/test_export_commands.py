"""`otel-llm-router dashboards` and `rules`: what a user gets after a plain install."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NoReturn

import click
import pytest
from click.testing import CliRunner, Result

from otel_llm_router import _resources
from otel_llm_router.cli import _shipped
from otel_llm_router.cli.dashboards import dashboards
from otel_llm_router.cli.rules import rules
from shipped_files import DASHBOARDS, PROMETHEUS

SHIPPED = {
    "dashboards": {path.name: path.read_bytes() for path in DASHBOARDS.values()},
    "rules": {path.name: path.read_bytes() for path in PROMETHEUS.glob("*.yaml")},
}
GROUPS: dict[str, click.Group] = {"dashboards": dashboards, "rules": rules}
both = pytest.mark.parametrize("group", GROUPS)


def run(group: str, *arguments: str | Path) -> Result:
    return CliRunner().invoke(GROUPS[group], [str(argument) for argument in arguments])


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


@both
def test_export_copies_every_file_and_prints_its_path(group: str, tmp_path: Path):
    target = tmp_path / "new" / "place"
    result = run(group, "export", target)
    assert result.exit_code == 0
    assert contents(target) == SHIPPED[group]
    assert result.output.splitlines() == [str(target / name) for name in sorted(SHIPPED[group])]


@both
def test_exporting_again_changes_nothing(group: str, tmp_path: Path):
    run(group, "export", tmp_path)
    assert run(group, "export", tmp_path).exit_code == 0
    assert contents(tmp_path) == SHIPPED[group]


@both
def test_a_file_that_differs_stops_everything_and_is_named(group: str, tmp_path: Path):
    *_, last = sorted(SHIPPED[group])
    (tmp_path / last).write_text("mine", encoding="utf-8")
    result = run(group, "export", tmp_path)
    assert result.exit_code == 1
    assert str(tmp_path / last) in result.output
    assert "Nothing was written; --force overwrites." in result.output
    assert contents(tmp_path) == {last: b"mine"}


@both
def test_force_overwrites_and_leaves_other_files(group: str, tmp_path: Path):
    (tmp_path / min(SHIPPED[group])).write_text("mine", encoding="utf-8")
    (tmp_path / "other.txt").write_text("mine", encoding="utf-8")
    assert run(group, "export", tmp_path, "--force").exit_code == 0
    assert contents(tmp_path) == {**SHIPPED[group], "other.txt": b"mine"}


@both
def test_a_directory_that_cannot_be_written_is_one_message(group: str, tmp_path: Path):
    (tmp_path / "file").touch()
    result = run(group, "export", tmp_path / "file" / "below")
    assert result.exit_code == 1
    assert f"Error: cannot export to {tmp_path / 'file' / 'below'}: " in result.output


@both
def test_a_directory_in_the_place_of_a_file_is_one_message(group: str, tmp_path: Path):
    (tmp_path / min(SHIPPED[group])).mkdir()
    result = run(group, "export", tmp_path, "--force")
    assert result.exit_code == 1
    assert "Error: cannot export to" in result.output


@both
def test_a_file_as_directory_is_refused(group: str, tmp_path: Path):
    (tmp_path / "file").touch()
    assert run(group, "export", tmp_path / "file").exit_code == 2


@both
def test_an_incomplete_installation_says_so(group: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def missing(name: str) -> NoReturn:
        raise _resources.ResourceNotFoundError(f"{name} is missing")

    monkeypatch.setattr(_shipped, "resource_dir", missing)
    result = run(group, "list")
    assert (result.exit_code, "is missing" in result.output) == (1, True)

    def empty(name: str) -> Path:
        return tmp_path

    monkeypatch.setattr(_shipped, "resource_dir", empty)
    result = run(group, "list")
    assert (result.exit_code, "reinstall otel-llm-router" in result.output) == (1, True)


@both
def test_help_has_an_example(group: str):
    for command in ("list", "export"):
        assert f"otel-llm-router {group} {command}" in run(group, command, "--help").output


def test_list_of_dashboards():
    result = run("dashboards", "list")
    assert result.exit_code == 0
    assert [line.split()[0] for line in result.output.splitlines()] == sorted(SHIPPED["dashboards"])
    assert "LLM Router / Overview" in result.output


def test_list_of_dashboards_as_json():
    entries = json.loads(run("dashboards", "list", "--json").output)
    assert [entry["file"] for entry in entries] == sorted(SHIPPED["dashboards"])
    for entry in entries:
        model = json.loads(SHIPPED["dashboards"][entry["file"]])
        assert (entry["title"], entry["uid"]) == (model["title"], model["uid"])
        assert entry["panels"] == sum(panel["type"] != "row" for panel in model["panels"])


def test_list_of_rules():
    lines = run("rules", "list").output.splitlines()
    assert [line.split()[0] for line in lines if not line.startswith("  ")] == sorted(SHIPPED["rules"])
    assert "  HighErrorRate" in lines
    assert "  llm_requests_total" in lines


def test_list_of_rules_as_json():
    entries = {entry["file"]: entry for entry in json.loads(run("rules", "list", "--json").output)}
    assert len(entries["alerts.yaml"]["alerts"]) == 16
    assert entries["alerts.yaml"]["recorded"] == []
    assert "job:llm_router_inference:rate5m" in entries["recording.yaml"]["recorded"]
    assert entries["prometheus.yaml"]["alerts"] == []
    assert all(entry["description"].endswith(".") for entry in entries.values())
