"""What `otel-llm-router doctor` says of variables and packages; no collector is asked."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from doctor_command import OTHER_DISTRO, Told, install
from otel_llm_router.cli import main
from otel_llm_router.cli.doctor._versions import TESTED
from otel_llm_router.export.server import Endpoints, ScrapeServer
from tests.e2e.running import free_port

ROOT = Path(__file__).parents[2]

CAPTURE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
OPENINFERENCE = "[opentelemetry_instrumentor]\nopenai = openinference.instrumentation.openai:OpenAIInstrumentor\n"


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty directory, and an environment without telemetry's variables in which nothing is pushed."""
    monkeypatch.chdir(tmp_path)
    for name in ("OTEL_TRACES_EXPORTER", "OTEL_METRICS_EXPORTER", "OTEL_LOGS_EXPORTER"):
        monkeypatch.setenv(name, "none")
    monkeypatch.setenv("OTEL_LLM_ROUTER_SCRAPE_PORT", "0")


def told() -> Told:
    done = CliRunner().invoke(main, ["doctor", "--json"])
    return Told(done.exit_code, done.output, json.loads(done.output))


def test_for_people_each_line_says_how_it_is() -> None:
    done = CliRunner().invoke(main, ["doctor"])
    assert done.exit_code == 0
    *lines, last = done.output.splitlines()
    assert all(re.match(r"(ok  |warn|fail)  \w+ +\S", line) for line in lines if "->" not in line)
    assert last == f"0 failed, 0 to look at, {len(lines)} in order"


@pytest.mark.parametrize(
    ("variable", "value", "check", "status", "said"),
    [
        ("OTEL_LLM_ROUTER_SCRAPE_HOST", "0.0.0.0", "scrape", "warn", "asks for no authentication"),
        ("OTEL_LLM_ROUTER_SCRAPE_HOST", "203.0.113.7", "scrape", "fail", "203.0.113.7:0 cannot be listened on"),
        ("OTEL_LLM_ROUTER_SCRAPE", "no", "scrape", "ok", "no /metrics"),
        ("OTEL_LLM_ROUTER_SCRAP", "no", "options", "warn", "did you mean OTEL_LLM_ROUTER_SCRAPE?"),
        ("OTEL_LLM_ROUTER_DISABLED", "1", "options", "warn", "a kill switch is on"),
        ("OTEL_LLM_ROUTER_PROVIDERS", "vllm:8000", "options", "fail", "'vllm:8000' is not allowed: it takes host=name"),
        ("OTEL_LLM_ROUTER_FOREIGN", "both", "options", "warn", "it takes one of defer, own"),
        ("OTEL_LLM_ROUTER_AUDIT_FILE", "", "audit", "ok", "no audit trail is asked for"),
        ("OTEL_LLM_ROUTER_AUDIT_FILE", "/dev/null/audit.jsonl", "audit", "fail", "/dev/null does not let this user"),
        ("OTEL_CONFIG_FILE", "missing.yaml", "file", "fail", "there is no such file"),
        ("OTEL_LLM_ROUTER_REDACT_PATTERNS", "ticket = (", "redaction", "fail", "'ticket' is no regular expression"),
        ("OTEL_LLM_ROUTER_REDACT_PII", "ip,email", "redaction", "ok", "secrets, email, ip are hidden"),
        ("WEB_CONCURRENCY", "4", "workers", "warn", "WEB_CONCURRENCY asks for 4 workers: each counts for itself"),
        ("UVICORN_WORKERS", "2", "workers", "warn", "/metrics shows one process"),
        ("GUNICORN_CMD_ARGS", "--bind :80 -w 3", "workers", "warn", "GUNICORN_CMD_ARGS asks for 3 workers"),
        ("WEB_CONCURRENCY", "1", "workers", "ok", "no variable asks for more than one worker"),
        ("OTEL_LLM_ROUTER_HOOKS", "app.x:f=decison", "hooks", "fail", "did you mean decision"),
        ("OTEL_LLM_ROUTER_HOOKS", "no_such:f=decision", "hooks", "warn", "no module no_such is found"),
        ("OTEL_LLM_ROUTER_HOOKS", "json:dumps=decision", "hooks", "ok", "json:dumps=decision (OTEL_LLM_ROUTER_HOOKS)"),
        ("OTEL_LLM_ROUTER_HOOKS_FILE", "missing.yaml", "hooks", "fail", "the file cannot be read"),
        ("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", "fastapi", "instrumentors", "ok", "INSTRUMENTATIONS: fastapi"),
        ("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", "fastap", "instrumentors", "warn", "did you mean fastapi?"),
        ("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", "*", "instrumentors", "warn", "no instrumentor is loaded"),
        (CAPTURE, "true", "content", "warn", "='true' is not allowed: it takes one of NO_CONTENT, SPAN_ONLY"),
        (CAPTURE, "span_only", "content", "warn", "prompts and completions are recorded on spans"),
        (CAPTURE, "NO_CONTENT", "content", "ok", "no prompt and no completion is recorded"),
        ("LITELLM_RUST", "1", "foreign", "warn", "LITELLM_RUST lets LiteLLM make calls outside Python"),
        ("OTEL_EXPORTER", "otlp_http", "foreign", "warn", "LiteLLM's own callback otel"),
        ("OTEL_TRACES_EXPORTER", "zipkin", "collector", "fail", "there is no exporter zipkin"),
        ("OTEL_LLM_ROUTER_LOG_FILE", "stdout", "logs", "ok", "log lines go to stdout"),
        ("OTEL_LLM_ROUTER_LOG_FILE", "new/", "logs", "ok", "a file for each stream in new"),
        ("LOG_FILE", "app.log", "logs", "ok", "log lines go to app.log"),
        ("OTEL_LLM_ROUTER_LOG_FILE", "/dev/null/app.log", "logs", "fail", "/dev/null is no directory"),
        ("LOG_LEVEL", "WARNING", "options", "ok", "OTEL_LLM_ROUTER_LOG_LEVEL=warning (environment: LOG_LEVEL)"),
        ("LOG_LEVEL", "chatty", "options", "ok", "OTEL_LLM_ROUTER_LOG_LEVEL=info (default)"),
        ("OTEL_TRACES_EXPORTER", "console", "collector", "ok", "traces go to exporter console"),
    ],
)
def test_variables(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, check: str, status: str, said: str
) -> None:
    monkeypatch.setenv(variable, value)
    found = told()
    assert said in found.of(check, status)
    assert found.code == (1 if status == "fail" else 0)


def test_a_configuration_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "otel.yaml").write_text('file_format: "1.0"\n')
    monkeypatch.setenv("OTEL_CONFIG_FILE", "otel.yaml")
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "zipkin")  # which is not read then
    found = told()
    assert found.amiss() == []
    assert "OTEL_CONFIG_FILE=otel.yaml can be read" in found.of("file", "ok")
    assert "OTEL_TRACES_EXPORTER=zipkin (environment, not read: the file" in found.of("options")
    (tmp_path / "otel.yaml").write_text("file_format: [")
    assert "OTEL_CONFIG_FILE=otel.yaml cannot be used" in told().of("file", "fail")


OTLP = "{otlp_http: {endpoint: 'http://127.0.0.1:1/v1/traces'}}"


def test_the_ways_out_of_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("opentelemetry.configuration", reason="OpenTelemetry has it since 1.44")
    batch = f"    - batch: {{exporter: {OTLP}}}\n"
    (tmp_path / "otel.yaml").write_text(
        'file_format: "1.0"\ntracer_provider:\n  processors:\n'
        f"    - simple: {{exporter: {OTLP}}}\n    - batch: {{exporter: {{console: {{}}}}}}\n{batch}{batch}"
    )
    monkeypatch.setenv("OTEL_CONFIG_FILE", "otel.yaml")
    monkeypatch.setenv("OTEL_LLM_ROUTER_SPOOL_DIR", str(tmp_path))
    found = told()
    assert "traces to otlp_http (simple): the SDK delivers it, and what it cannot is lost" in found.of("file", "warn")
    told_ok = found.of("file", "ok")
    assert "traces to console (batch): the SDK's, and without secrets" in told_ok
    assert "traces to otlp_http (batch): ours delivers it; what cannot be delivered waits on disk" in told_ok
    assert "traces to otlp_http (batch): ours delivers it; what cannot be delivered waits in memory" in told_ok
    assert "secrets are hidden in what is exported" in found.of("redaction", "ok")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_CREDENTIAL_PROVIDER", "acme")
    assert "a credential provider makes its connection" in told().of("file", "warn")


@pytest.mark.parametrize(
    ("variable", "value", "status", "said"),
    [
        ("OTEL_PYTHON_DISTRO", "otel_llm_router", "ok", "otel_llm_router wins because OTEL_PYTHON_DISTRO says so"),
        ("OTEL_PYTHON_DISTRO", "typo", "fail", "names one that is not installed"),
        ("OTEL_PYTHON_DISTRO", "", "fail", "is set and empty"),
        ("OTEL_PYTHON_CONFIGURATOR", "acme", "fail", "acme (acme-distro 2.0) wins because OTEL_PYTHON_CONFIGURATOR"),
    ],
)
def test_variables_choose_who_wins(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str, value: str, status: str, said: str
) -> None:
    # In the current directory, which opentelemetry-instrument puts ahead of everything.
    install(tmp_path, "acme-distro", "2.0", points=OTHER_DISTRO)
    monkeypatch.setenv(variable, value)
    assert said in told().of(variable.rpartition("_")[2].lower(), status)


def test_ours_may_be_found_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    install(tmp_path / "behind", "acme-distro", "2.0", points=OTHER_DISTRO)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path / "behind")])
    found = told()
    assert "otel_llm_router wins because it is found first, which another" in found.of("distro", "warn")
    assert found.code == 0


def test_the_port_may_be_taken_by_us(monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    monkeypatch.setenv("OTEL_LLM_ROUTER_SCRAPE_PORT", str(port))
    server = ScrapeServer(Endpoints(None, None), host="127.0.0.1", port=port)
    assert server.start() is not None
    try:
        found = told()
    finally:
        server.stop()
    assert f"127.0.0.1:{port} is served by an application under otel-llm-router" in found.of("scrape", "ok")


def test_others_that_instrument_the_same_calls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    install(tmp_path, "openinference-instrumentation-openai", "0.1", points=OPENINFERENCE)
    install(tmp_path, "openlit", "1.34")
    install(tmp_path, "traceloop-sdk", "0.40")
    install(tmp_path, "langfuse", "3.2")
    found = told()
    said = found.of("foreign", "warn")
    assert "openinference-instrumentation-openai 0.1 (OpenInference) is loaded beside ours" in said
    assert "set OTEL_PYTHON_DISABLED_INSTRUMENTATIONS=openai" in said
    assert "openlit 1.34 (OpenLIT) is installed" in said
    assert "traceloop-sdk 0.40 (OpenLLMetry) is installed" in said
    assert "langfuse" in found.of("foreign", "ok")
    assert "ours count the call without a second span" in said
    assert "TRACELOOP_TRACE_CONTENT=false" in found.of("content", "warn")
    assert "OPENINFERENCE_HIDE_INPUTS=true" in found.of("content", "warn")

    monkeypatch.setenv("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", "openai")
    monkeypatch.setenv("TRACELOOP_TRACE_CONTENT", "false")
    monkeypatch.setenv("OTEL_LLM_ROUTER_FOREIGN", "own")
    install(tmp_path, "opentelemetry-instrumentation-httpx", "0.66b1")
    found = told()
    assert "a call has two of each" in found.of("foreign", "warn")  # of those that are not switched off
    assert "opentelemetry-instrumentation-httpx: a span of the HTTP request" in found.of("foreign", "ok")
    assert "if LiteLLM's callbacks name otel: " in found.of("foreign", "ok")
    assert "is installed and switched off" in found.of("foreign", "ok")
    assert "OpenLLMetry" not in found.of("content")


def test_an_instrumentor_for_another_version(tmp_path: Path) -> None:
    points = "[opentelemetry_instrumentor]\nodd = odd:Odd\nabsent = odd:Absent\n"
    install(tmp_path / "a", "x", "1")  # not on the path: no matter
    install(tmp_path, "odd-one", "1.0", points=points, requires=('click<2; extra == "instruments"',))
    said = told().of("instrumentors", "warn")
    assert "odd (odd-one 1.0) is skipped: it is for click<2 and click" in said


def test_an_audit_trail_and_its_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    directory, key = tmp_path / "audit", tmp_path / "key"
    monkeypatch.setenv("OTEL_LLM_ROUTER_AUDIT_FILE", str(directory / "audit.jsonl"))
    assert "can write them anew" in told().of("audit", "ok")
    monkeypatch.setenv("OTEL_LLM_ROUTER_AUDIT_KEY_FILE", str(key))
    assert "No such file" in told().of("audit", "fail")
    key.write_text("short")
    assert "fewer than 16 bytes" in told().of("audit", "fail")
    key.write_text("long enough to be a key")
    key.chmod(0o644)
    assert "can be read by other users" in told().of("audit", "warn")
    key.chmod(0o600)
    assert "with a key" in told().of("audit", "ok")
    directory.mkdir(0o700)
    directory.chmod(0o777)
    assert "can be written by other users" in told().of("audit", "warn")
    assert not (directory / "audit.jsonl").exists()


def test_versions_that_were_not_tested(tmp_path: Path) -> None:
    install(tmp_path, "litellm", "1.999.0")
    assert "litellm 1.999.0 is newer than what was tested (1.80 to" in told().of("versions", "warn")
    (tmp_path / "litellm-1.999.0.dist-info").rename(tmp_path / "gone")
    install(tmp_path, "litellm", "1.70.0")
    found = told()
    assert "litellm 1.70.0 is older than what is supported" in found.of("versions", "fail")
    assert found.code == 1


def test_metadata_that_cannot_be_read_stop_nothing(tmp_path: Path) -> None:
    install(tmp_path, "opentelemetry-odd", "1.0", requires=("not a requirement !",))
    (tmp_path / "half-1.0.dist-info").mkdir()
    install(tmp_path, "opentelemetry-proto", "one")
    found = told()
    assert {"distro", "options", "scrape"} <= {one["check"] for one in found.findings}


def test_what_was_tested_is_what_the_locks_say() -> None:
    for name, (oldest, newest) in TESTED.items():
        versions = [
            tuple(int(part) for part in match.split("."))
            for lock in ROOT.glob("requirements/*.txt")
            if not lock.name.startswith("bench-")
            for match in re.findall(rf"^{name}==([\d.]+)", lock.read_text(), re.MULTILINE)
        ]
        assert tuple(int(part) for part in oldest.split(".")) == min(versions)
        assert tuple(int(part) for part in newest.split(".")) == max(versions)
