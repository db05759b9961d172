"""The audit trail of a real service: several processes, one of them killed, and what clients did to it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from running import BIN
from services import FAILURES, LIGHT, Service, get, running

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no audit trail where there are no file locks")

UVICORN = "uvicorn audited:app --port {port} --workers 2 --timeout-worker-healthcheck 30 --no-access-log"
RIGHT = {"authorization": "Bearer sk-right-0123456789"}
BODY: dict[str, Any] = {"model": "smart", "messages": []}


def records(directory: Path) -> list[dict[str, Any]]:
    lines = [line for path in sorted(directory.glob("*.jsonl")) for line in path.read_bytes().splitlines()]
    return [json.loads(line) for line in lines if line.endswith(b"}")]


def of(found: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [record for record in found if record["event_name"] == f"llm_router.audit.{kind}"]


def act(service: Service, name: str) -> int | None:
    """Let it put an action on record; return the process that says it is on disk."""
    try:
        return int(get(service.port, f"/act/{name}"))
    except FAILURES:
        return None


def test_a_killed_worker_loses_nothing_that_was_acknowledged_and_the_files_verify(tmp_path: Path):
    directory, key = tmp_path / "audit", tmp_path / "key"
    key.write_bytes(os.urandom(32))
    variables = {
        **LIGHT,
        "OTEL_LLM_ROUTER_AUDIT_FILE": str(directory / "audit.jsonl"),
        "OTEL_LLM_ROUTER_AUDIT_KEY_FILE": str(key),
        "OTEL_LLM_ROUTER_AUDIT_FILE_BYTES": "20000",
        "OTEL_LLM_ROUTER_SCRAPE": "false",
    }
    acknowledged: dict[str, int] = {}
    with (
        running(UVICORN, tmp_path, name="audited", start_seconds=120, **variables) as service,
        ThreadPoolExecutor(8) as pool,
    ):
        base = f"http://127.0.0.1:{service.port}/v1/chat/completions"
        assert httpx.post(base, json=BODY).status_code == 401
        assert httpx.post(base, json=BODY, headers={"authorization": "Bearer sk-wrong-0123456789"}).status_code == 403
        assert httpx.post(base, json=BODY, headers=RIGHT).status_code == 200
        assert httpx.post(base, json=BODY, headers={**RIGHT, "x-limited": "yes"}).status_code == 429
        waiting = {f"action-{number}": pool.submit(act, service, f"action-{number}") for number in range(200)}
        for number, (name, answer) in enumerate(waiting.items()):
            process = answer.result()
            if process is not None:
                acknowledged[name] = process
            if number == 50:
                assert process is not None
                os.kill(process, signal.SIGKILL)
    assert len(acknowledged) > 60
    result = subprocess.run(
        [BIN / "otel-llm-router", "audit", "verify", directory, "--key-file", key, "--complete", "--json"],
        capture_output=True,
        check=False,
    )
    report = json.loads(result.stdout)
    assert (result.returncode, report["intact"]) == (0, True), report
    assert len(list(directory.glob("*.jsonl"))) > 2
    found = records(directory)
    assert (
        acknowledged.items()
        <= {record["llm_router.audit.resource"]: record["pid"] for record in of(found, "action")}.items()
    )
    assert len(of(found, "configuration")) >= 3  # the supervisor, and two workers
    failures = {
        (record["llm_router.audit.reason"], record["client.address"], len(record.get("llm_router.audit.key_hash", "")))
        for record in of(found, "authentication")
    }
    assert failures == {("missing", "127.0.0.1", 0), ("forbidden", "127.0.0.1", 16)}
    (used,) = {
        record["llm_router.audit.key_hash"]
        for record in of(found, "key_use")
        if record["llm_router.audit.outcome"] == "success"
    }
    (limited,) = of(found, "decision")
    assert (limited["llm_router.audit.action"], limited["llm_router.audit.key_hash"]) == ("rate_limit", used)
    text = "".join(path.read_text() for path in directory.glob("*.jsonl"))
    assert "0123456789" not in text


def test_what_is_another_than_at_the_start_before_is_on_record_and_secrets_as_hashes(
    python: Callable[..., Any], tmp_path: Path
):
    trail = tmp_path / "audit" / "audit.jsonl"
    for budget, secret in (("2", "first-secret"), ("3", "second-secret")):
        done = python(
            "pass",
            OTEL_LLM_ROUTER_AUDIT_FILE=str(trail),
            OTEL_LLM_ROUTER_EXIT_BUDGET=budget,
            OTEL_LLM_ROUTER_SCRAPE_TOKEN=secret,
            OTEL_EXPORTER_OTLP_HEADERS=f"authorization={secret}",
        )
        assert done.returncode == 0, done.stderr
    first, second = of(records(trail.parent), "configuration")
    assert any(
        change.startswith("version of otel-llm-router: not set -> ") for change in first["llm_router.audit.changes"]
    )
    names = [change.partition(":")[0] for change in second["llm_router.audit.changes"]]
    assert names == ["OTEL_EXPORTER_OTLP_HEADERS", "OTEL_LLM_ROUTER_EXIT_BUDGET", "OTEL_LLM_ROUTER_SCRAPE_TOKEN"]
    assert "-secret" not in trail.read_text()
    assert "-secret" not in trail.with_name("audit.jsonl.config").read_text()


def test_a_key_file_that_cannot_be_used_is_said_and_the_application_runs(python: Callable[..., Any], tmp_path: Path):
    (tmp_path / "short").write_text("short")
    done = python(
        "print('runs')",
        OTEL_LLM_ROUTER_AUDIT_FILE=str(tmp_path / "audit.jsonl"),
        OTEL_LLM_ROUTER_AUDIT_KEY_FILE=str(tmp_path / "short"),
    )
    assert (done.returncode, done.stdout) == (0, "runs\n")
    assert "no audit trail: OTEL_LLM_ROUTER_AUDIT_KEY_FILE=" in done.stderr
    assert "fewer than 16 bytes" in done.stderr
    assert not (tmp_path / "audit.jsonl").exists()
