"""What is committed is what the source says, and `scripts/generate` notices when it is not."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dashboards.source import generate
from shipped_files import DASHBOARDS, PROMETHEUS, ROOT

HAS_SDK = importlib.util.find_spec("grafana_foundation_sdk") is not None
needs_sdk = pytest.mark.skipif(not HAS_SDK, reason="grafana-foundation-sdk is in the development environment only")


@pytest.mark.parametrize(
    "path",
    [pytest.param(path, marks=needs_sdk if path in generate.DASHBOARDS else ()) for path in generate.GENERATED],
    ids=str,
)
def test_it_is_up_to_date(path: Path):
    assert generate.drift(ROOT / path, generate.GENERATED[path]()) == "", f"run scripts/generate: {path}"


def test_no_file_is_left_over_from_an_earlier_generation():
    assert {path.relative_to(ROOT) for path in DASHBOARDS.values()} == set(generate.DASHBOARDS)
    by_hand = {"prometheus.yaml"}
    assert {path.relative_to(ROOT) for path in PROMETHEUS.iterdir() if path.name not in by_hand} <= set(
        generate.GENERATED
    )


@needs_sdk
def test_the_script_checks():
    done = subprocess.run(
        [ROOT / "scripts" / "generate", "--check"],
        env={**os.environ, "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_script_hands_its_arguments_on():
    done = subprocess.run(
        [ROOT / "scripts" / "generate", "--chekc"],
        env={**os.environ, "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (done.returncode, "unrecognized arguments: --chekc" in done.stderr) == (2, True)


def test_the_script_names_a_python_that_is_not_there():
    done = subprocess.run(
        [ROOT / "scripts" / "generate"],
        env={**os.environ, "PYTHON": "/no/such/python"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 1
    assert "no Python at /no/such/python; set PYTHON" in done.stderr


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dashboard and another file, with a module in the place of the SDK that is always there."""
    page, board = Path("docs/page.md"), Path("dashboards/board.json")
    monkeypatch.setattr(generate, "GENERATED", {board: lambda: "{}\n", page: lambda: "one\ntwo\n"})
    monkeypatch.setattr(generate, "DASHBOARDS", {board: lambda: "{}\n"})
    monkeypatch.setattr(generate, "_SDK", "json")


@pytest.mark.usefixtures("registered")
def test_files_are_written_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert generate.main([], root=tmp_path) == 0
    assert (tmp_path / "docs/page.md").read_text(encoding="utf-8") == "one\ntwo\n"
    assert capsys.readouterr().out.splitlines() == ["wrote dashboards/board.json", "wrote docs/page.md"]
    assert generate.main([], root=tmp_path) == 0
    assert capsys.readouterr().out == ""
    assert generate.main(["--check"], root=tmp_path) == 0


@pytest.mark.usefixtures("registered")
def test_check_names_each_drifted_file_with_a_diff_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    generate.main([], root=tmp_path)
    (tmp_path / "docs/page.md").write_text("one\n2\n", encoding="utf-8")
    (tmp_path / "dashboards/board.json").unlink()
    capsys.readouterr()
    assert generate.main(["--check"], root=tmp_path) == 1
    told = capsys.readouterr().out
    assert "docs/page.md has drifted; run scripts/generate" in told
    assert "-2\n+two\n" in told
    assert "dashboards/board.json has drifted" in told
    assert (tmp_path / "docs/page.md").read_text(encoding="utf-8") == "one\n2\n"
    assert not (tmp_path / "dashboards/board.json").exists()


@pytest.mark.usefixtures("registered")
def test_an_old_python_leaves_out_the_dashboards_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(generate, "_SDK", "no_such_module")
    monkeypatch.setattr(generate, "_SDK_PYTHON", (99, 0))
    assert generate.main(["--check"], root=tmp_path) == 1
    told = capsys.readouterr()
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert told.err == f"dashboards are not checked: grafana-foundation-sdk needs Python 3.11, this is {version}\n"
    assert "docs/page.md has drifted" in told.out
    assert "board.json" not in told.out


@pytest.mark.usefixtures("registered")
def test_a_new_python_without_the_sdk_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(generate, "_SDK", "no_such_module")
    monkeypatch.setattr(generate, "_SDK_PYTHON", (3, 0))
    assert generate.main([], root=tmp_path) == 1
    assert "grafana-foundation-sdk is missing" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
