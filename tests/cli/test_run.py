"""``otel-llm-router run``: the command is started, instrumented, and everything else is its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from otel_llm_router.cli import main
from tests.e2e.running import BIN, environment

PROGRAM = """
import json, os, sys
from opentelemetry import trace
provider = trace.get_tracer_provider()
print(json.dumps({
    "arguments": sys.argv[1:],
    "pid": os.getpid(),
    "instrumented": type(provider).__module__.startswith("otel_llm_router"),
    "variables": {name: os.environ.get(name) for name in %r},
}))
sys.exit(7)
"""
VARIABLES = (
    "OTEL_SERVICE_NAME",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_LLM_ROUTER_SCRAPE_PORT",
    "OTEL_LLM_ROUTER_SCRAPE_HOST",
    "OTEL_LLM_ROUTER_ATTRIBUTION",
)
QUIET = {"OTEL_TRACES_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none"}


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", f"{BIN}:/usr/bin:/bin")
    monkeypatch.chdir(tmp_path)
    for name in ("OTEL_PYTHON_DISTRO", "OTEL_PYTHON_CONFIGURATOR", "OTEL_SDK_DISABLED"):
        monkeypatch.delenv(name, raising=False)


def refused(*arguments: str, **variables: str) -> Result:
    """What the command says that does not get as far as being started."""
    result = CliRunner().invoke(main, ["run", *arguments], env=variables)
    assert isinstance(result.exception, SystemExit)
    return result


def started(*arguments: Any, **variables: str) -> tuple[subprocess.Popen[str], str, str]:
    line = [BIN / "otel-llm-router", "run", *arguments]
    own = {"PATH": f"{BIN}:/usr/bin:/bin", **QUIET, **variables}
    process = subprocess.Popen(line, env=environment(**own), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    return process, *process.communicate(timeout=60)


def test_the_process_becomes_the_command_and_the_options_its_environment() -> None:
    own = ("--config", "x.yaml", "--", "-h", "--service-name", "its own")
    options = ("--service-name", "gateway", "--otlp-endpoint", "http://127.0.0.1:1", "--port", "0")
    options += ("--host", "127.0.0.1", "--attribution", "team, key")
    process, out, err = started(*options, "--", "python", "-c", PROGRAM % (VARIABLES,), *own)
    said = json.loads(out)
    assert process.returncode == 7
    assert said["pid"] == process.pid  # signals reach it without anybody between
    assert said["instrumented"]
    assert said["arguments"] == list(own)
    assert said["variables"] == dict(
        zip(VARIABLES, ("gateway", "http://127.0.0.1:1", "0", "127.0.0.1", "team, key"), strict=True)
    )
    assert "warning" not in err


def test_no_options_and_no_dashes_are_needed_and_ours_is_taken_among_several(tmp_path: Path) -> None:
    info = tmp_path / "acme-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[opentelemetry_distro]\nacme = acme:Distro\n")
    process, out, _ = started("python", "-c", PROGRAM % ((),), PYTHONPATH=str(tmp_path))
    assert process.returncode == 7
    assert json.loads(out)["instrumented"]


def test_there_is_no_such_command(tmp_path: Path) -> None:
    result = refused("--", "no-such-command", "--help")
    assert result.exit_code == 127
    assert "no command no-such-command on PATH" in result.output
    (tmp_path / "app.py").touch()
    assert "python app.py" in refused("--", "app.py").output
    assert refused("--", "./none").exit_code == 127


def test_it_may_not_be_executed(tmp_path: Path) -> None:
    (tmp_path / "app.py").touch()
    result = refused("--", "./app.py")
    assert result.exit_code == 126
    assert "python ./app.py" in result.output
    assert refused("--", f"{tmp_path}/").exit_code == 126


@pytest.mark.parametrize(
    ("arguments", "variables", "said"),
    [
        (("--port", "many"), {}, "OTEL_LLM_ROUTER_SCRAPE_PORT='many'"),
        (("--attribution", "team,planet"), {}, "any of team, user, key, organization"),
        ((), {"OTEL_LLM_ROUTER_EXIT_BUDGET": "-1"}, "OTEL_LLM_ROUTER_EXIT_BUDGET='-1'"),
        (("--hooks", "none.yaml"), {}, "OTEL_LLM_ROUTER_HOOKS_FILE='none.yaml' is no file"),
    ],
)
def test_a_wrong_option_is_named(arguments: tuple[str, ...], variables: dict[str, str], said: str) -> None:
    result = refused(*arguments, "--", "python", "-c", "1", **variables)
    assert result.exit_code == 2
    assert said in result.output
    assert "is used" not in result.output


def test_what_is_doubtful_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "elsewhere"
    script.write_text("#!/opt/other/bin/python3\n")
    script.chmod(0o755)
    said: list[str] = []

    def become(command: tuple[str, ...]) -> None:
        said.append(" ".join(command))

    monkeypatch.setattr("otel_llm_router.cli.run._become", become)
    monkeypatch.setenv("OTEL_PYTHON_CONFIGURATOR", "acme")
    monkeypatch.setenv("OTEL_LLM_ROUTER_SKRAPE", "1")
    for name in ("OTEL_PYTHON_DISTRO", "OTEL_SERVICE_NAME"):
        monkeypatch.setenv(name, "otel_llm_router")
    result = CliRunner().invoke(main, ["run", "--", "./elsewhere"])
    assert "OTEL_PYTHON_CONFIGURATOR='acme' is in the way" in result.output
    assert "did you mean OTEL_LLM_ROUTER_SCRAPE?" in result.output
    assert "./elsewhere" not in result.output
    assert "elsewhere runs in another Python (/opt/other/bin/python3)" in result.output
    result = CliRunner().invoke(main, ["run", "--", sys.executable, "-uI", "app.py"])
    assert "python -I leaves out what starts the instrumentation" in result.output
    assert "another Python" not in result.output
    result = CliRunner().invoke(main, ["run", "--", sys.executable, "-c", "-I"])
    assert "-I" not in result.output
    result = CliRunner().invoke(main, ["run", "--no-check", "--", "./elsewhere"])
    assert result.output == ""
    result = CliRunner().invoke(main, ["run", "--", "./elsewhere"], env={"OTEL_SDK_DISABLED": "true"})
    assert "a kill switch is on" in result.output
    assert len(said) == 5


def test_help_has_examples() -> None:
    result = CliRunner().invoke(main, ["run", "--help"])
    assert result.exit_code == 0
    for command in ("python app.py", "uvicorn app:app", "gunicorn", "litellm --config config.yaml"):
        assert command in result.output
