"""A FastAPI application of ten lines on ``litellm.Router``, started as a user would."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from otel_llm_router import signals
from running import BIN, environment, free_port

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"

A1_OF_A_GATEWAY = (
    "llm_router_http_request_duration_seconds_count",
    "llm_router_http_requests_total",
    "llm_router_inference_total",
    "llm_router_inference_duration_seconds_count",
    "llm_router_tokens_generated_total",
    "llm_router_tokens_per_second_count",
    "llm_router_active_connections",
    "llm_router_connection_duration_seconds_count",
    "llm_router_errors_total",
    "llm_router_process_cpu_seconds_total",
    "llm_router_process_resident_memory_bytes",
    "llm_router_process_heap_bytes",
    "llm_router_process_open_fds",
    "llm_router_process_threads",
    "llm_router_process_start_time_seconds",
    "llm_router_process_gc_pause_seconds_count",
)


def eventually(condition: Callable[[], object], seconds: float = 20) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.1)
    return False


def question(*answers: dict[str, Any]) -> dict[str, str]:
    content = {"id": f"ten-lines-{time.monotonic_ns()}", "upstreams": {"alpha": list(answers)}}
    return {"question": json.dumps(content)}


def test_spans_and_numbers(application: Any, providers: Any, receiver: Any) -> None:
    variables = {"UPSTREAM": f"{providers['alpha'].base}/v1", "OTEL_EXPORTER_OTLP_ENDPOINT": receiver[1]}
    app = application("ten_lines", variables={**variables, "OTEL_BSP_SCHEDULE_DELAY": "200"})
    headers = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
    failing = ({"status": 500}, {"status": 429, "retry_after": 0}, {"completion_tokens": 5})
    assert httpx.post(f"{app.base}/ask/a", params=question(*failing), headers=headers, timeout=60).status_code == 200
    assert httpx.post(f"{app.base}/ask/b", params=question({"completion_tokens": 7}), timeout=60).status_code == 200

    scrape = app.scrape()
    for name in A1_OF_A_GATEWAY:
        assert scrape.has(name), name
    record = providers["alpha"].record
    assert scrape.sum("llm_router_inference_total", status="success") == 2
    assert scrape.sum("llm_router_attempts_total") == record["attempts"] == 4
    assert scrape.sum("llm_router_attempts_total", status="error") == record["errors"] == 2
    assert scrape.sum("llm_router_tokens_total", type="output") == record["tokens.output"] == 12
    assert scrape.sum("llm_router_http_requests_total", route="/ask/{tenant}", status_code="200") == 2

    found = receiver[0]

    def same() -> bool:
        delivered = found.samples()
        names = ("llm_router_inference_total", "llm_router_attempts_total", "llm_router_tokens_total")
        return all(delivered.sum(name) == scrape.sum(name) for name in names)

    assert eventually(same)
    assert eventually(lambda: found.spans["client"] == 4)
    assert found.spans["server"] == 3  # two questions, and the page that the test waited for
    assert found.spans["internal"] == 2

    spans = [span for span in found.kept_spans if span.trace_id.hex() == TRACE]
    (server,) = [span for span in spans if span.kind == 2]
    (route,) = [span for span in spans if span.kind == 1]
    attempts = [span for span in spans if span.kind == 3]
    assert server.name == "POST /ask/{tenant}"
    assert server.parent_span_id.hex() == PARENT
    assert route.name == "route smart"
    assert route.parent_span_id == server.span_id
    assert [span.name for span in attempts] == ["chat gpt-4o-mini"] * 3
    assert {span.parent_span_id for span in attempts} == {route.span_id}
    assert len(spans) == 5
    assert server.start_time_unix_nano <= route.start_time_unix_nano
    assert route.end_time_unix_nano <= server.end_time_unix_nano


def test_every_series_is_the_same_over_otlp(application: Any, providers: Any, receiver: Any) -> None:
    variables = {"UPSTREAM": f"{providers['alpha'].base}/v1", "OTEL_EXPORTER_OTLP_ENDPOINT": receiver[1]}
    app = application("ten_lines", variables=variables)
    httpx.post(f"{app.base}/ask/a", params=question({"status": 500}, {"completion_tokens": 5}), timeout=60)
    moving = ("process", "telemetry", "llm_router_active_connections")
    names = [
        f"{one.prometheus_name}_count" if one.buckets else one.prometheus_name
        for one in signals.INSTRUMENTS
        if not any(word in one.prometheus_name for word in moving)
    ]
    present = [name for name in names if app.scrape().has(name)]
    assert len(present) > 20

    def same() -> bool:
        scrape, delivered = app.scrape(), receiver[0].samples()
        return all(scrape.series(name) == delivered.series(name) for name in present)

    assert eventually(same)


def exit_code_without_us(directory: Path, number: int) -> int:
    """What this uvicorn alone exits with after the signal: its versions differ."""
    (directory / "plain.py").write_text("async def app(scope, receive, send): ...\n")
    command = [BIN / "uvicorn", "plain:app", "--port", str(free_port()), "--lifespan", "off"]
    with subprocess.Popen(command, cwd=directory, env=environment(), stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        while b"running" not in process.stderr.readline():
            assert process.poll() is None
        process.send_signal(number)
        process.communicate(timeout=30)
        return process.returncode


@pytest.mark.parametrize("number", [15, 2])
def test_what_is_buffered_leaves_when_the_server_is_stopped(
    application: Any, providers: Any, receiver: Any, tmp_path: Path, number: int
) -> None:
    slow = {"OTEL_METRIC_EXPORT_INTERVAL": "3600000", "OTEL_BSP_SCHEDULE_DELAY": "3600000"}
    variables = {"UPSTREAM": f"{providers['alpha'].base}/v1", "OTEL_EXPORTER_OTLP_ENDPOINT": receiver[1], **slow}
    app = application("ten_lines", variables=variables)
    for _ in range(20):
        httpx.post(f"{app.base}/ask/a", params=question({}), timeout=60)
    assert receiver[0].spans["client"] == 0
    assert app.stop(number) == exit_code_without_us(tmp_path, number)
    assert receiver[0].spans["client"] == 20
    assert receiver[0].samples().sum("llm_router_inference_total", status="success") == 20
    assert "sk-not-for-export" not in app.said()


def test_a_collector_that_is_not_there(application: Any, providers: Any) -> None:
    variables = {"UPSTREAM": f"{providers['alpha'].base}/v1", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}
    variables |= {"OTEL_BSP_SCHEDULE_DELAY": "100", "OTEL_EXPORTER_OTLP_TIMEOUT": "1"}
    app = application("ten_lines", variables=variables)
    for _ in range(10):
        assert httpx.post(f"{app.base}/ask/a", params=question({}), timeout=60).status_code == 200
    assert eventually(lambda: "cannot deliver" in app.said())
    assert eventually(lambda: app.scrape().sum("llm_router_telemetry_export_failures_total", reason="refused") > 2)
    assert app.said().count("cannot deliver") == 1
    assert "Traceback" not in app.said()
    began = time.monotonic()
    app.stop()
    assert time.monotonic() - began < 10


def test_a_port_in_use(application: Any, providers: Any, receiver: Any) -> None:
    import socket  # noqa: PLC0415

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        variables = {"UPSTREAM": f"{providers['alpha'].base}/v1", "OTEL_EXPORTER_OTLP_ENDPOINT": receiver[1]}
        app = application(
            "ten_lines", variables={**variables, "OTEL_LLM_ROUTER_SCRAPE_PORT": port, "OTEL_BSP_SCHEDULE_DELAY": "100"}
        )
        assert httpx.post(f"{app.base}/ask/a", params=question({}), timeout=60).status_code == 200
        assert app.said().count("no scrape endpoint") == 1
        assert f"127.0.0.1:{port}" in app.said()
        assert eventually(lambda: receiver[0].samples().sum("llm_router_inference_total") == 1)
        assert eventually(lambda: receiver[0].spans["client"] == 1)
