"""`otel-llm-router deploy`: manifests after a plain install, with all that they refer to."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from otel_llm_router.cli.deploy import deploy

ROOT = Path(__file__).resolve().parents[2]


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(deploy, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("export") / "telemetry"
    result = run("export", target)
    assert result.exit_code == 0, result.output
    assert set(result.output.splitlines()) == {str(path) for path in target.rglob("*") if path.is_file()}
    return target


def test_the_copy_is_what_is_in_the_source_tree(exported: Path) -> None:
    for path in exported.rglob("*"):
        if path.is_file():
            assert path.read_bytes() == (ROOT / path.relative_to(exported)).read_bytes()
    assert {path.name for path in exported.iterdir()} == {"collector-config", "dashboards", "deploy"}
    wanted = {path.relative_to(ROOT) for path in (ROOT / "deploy").rglob("*") if path.is_file()}
    assert wanted == {path.relative_to(exported) for path in (exported / "deploy").rglob("*") if path.is_file()}


def test_the_paths_between_the_files_hold(exported: Path) -> None:
    found = 0
    for path in exported.rglob("kustomization.yaml"):
        content = yaml.safe_load(path.read_text())
        for name in [*content.get("resources", []), *content.get("components", [])]:
            assert (path.parent / name).exists(), f"{path}: {name}"
            found += 1
    generators = yaml.safe_load((exported / "collector-config/Kustomization").read_text())["configMapGenerator"]
    for entry in generators[0]["files"]:
        assert (exported / "collector-config" / entry.rpartition("=")[2]).is_file()
        found += 1
    compose = exported / "deploy/compose/compose.yaml"
    for source in re.findall(r"^ *- (\.[./\w-]+):/", compose.read_text(), re.MULTILINE):
        assert (compose.parent / source).exists(), source
        found += 1
    assert found > 30


def test_again_changes_nothing_and_a_changed_file_is_kept(exported: Path) -> None:
    assert run("export", exported).exit_code == 0
    mine = exported / "deploy/compose/tempo.yaml"
    before = mine.read_text()
    mine.write_text("mine")
    result = run("export", exported)
    assert (result.exit_code, str(mine) in result.output) == (1, True)
    assert mine.read_text() == "mine"
    assert run("export", exported, "--force").exit_code == 0
    assert mine.read_text() == before


def test_list_names_what_can_be_started(exported: Path) -> None:
    entries = json.loads(run("list", "--json").output)
    assert [line.split()[0] for line in run("list").output.splitlines()] == [entry["path"] for entry in entries]
    assert all((exported / entry["path"]).exists() for entry in entries)
    overlays = {f"deploy/kubernetes/overlays/{path.name}" for path in (ROOT / "deploy/kubernetes/overlays").iterdir()}
    assert overlays < {entry["path"] for entry in entries}


@pytest.mark.parametrize("command", ["list", "export"])
def test_help_has_an_example(command: str) -> None:
    assert f"otel-llm-router deploy {command}" in run(command, "--help").output
