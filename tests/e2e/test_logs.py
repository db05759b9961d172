"""The application's own logs under the real ``opentelemetry-instrument``, received over OTLP."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from otel_llm_router.cli.demo._receiver import Receiver

CODE = """
import json, logging, sys

import structlog
from opentelemetry import trace
from opentelemetry._logs import get_logger_provider

logging.basicConfig(level=logging.DEBUG, stream=sys.stderr, format="%(name)s %(message)s")
cut_off = logging.getLogger("cut_off")
cut_off.propagate = False
with trace.get_tracer("app").start_as_current_span("route") as span:
    logging.getLogger("kept").info("one")
    logging.root.handlers.clear()
    logging.getLogger("cleared").warning("two %s", "words")
    cut_off.error("three")
    structlog.get_logger().info("four", model="m")
    try:
        1 / 0
    except ZeroDivisionError:
        logging.getLogger("cleared").exception("five")
    context = span.get_span_context()
for _ in range(3):  # what an export logs would leave with the next one
    if hasattr(get_logger_provider(), "force_flush"):
        get_logger_provider().force_flush()
sys.stdout.flush()
print(json.dumps([trace.format_trace_id(context.trace_id), trace.format_span_id(context.span_id)]))
"""
BODIES = ["one", "two words", "three", "four", "five"]
SCOPES = {"kept", "cleared", "cut_off", "structlog"}


def sent(receiver: Receiver) -> list[tuple[str, str]]:
    """Scope and body of each record but those about the telemetry itself."""
    return [(scope, record.body.string_value) for scope, record in receiver.kept_logs if scope != "otel_llm_router"]


@pytest.mark.parametrize("switch", ["OTEL_LLM_ROUTER_LOGS", "OTEL_PYTHON_LOGGING_AUTO_INSTRUMENTATION_ENABLED"])
def test_each_record_once_with_its_trace(
    switch: str, python: Callable[..., subprocess.CompletedProcess[str]], receiver: tuple[Receiver, str]
) -> None:
    found, endpoint = receiver
    on: dict[str, Any] = {"OTEL_LOGS_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}
    on |= {"OTEL_PYTHON_LOG_AUTO_INSTRUMENTATION": "", switch: "true"}
    done = python(CODE, OTEL_TRACES_EXPORTER="otlp", OTEL_LLM_ROUTER_LOGS_FIELDS="true", **on)
    assert done.returncode == 0, done.stderr
    printed, ids = done.stdout.splitlines()[0], json.loads(done.stdout.splitlines()[-1])
    assert sorted(body for scope, body in sent(found) if scope in SCOPES) == sorted(BODIES), done.stderr
    for scope, record in found.kept_logs:
        if scope in SCOPES:
            assert [record.trace_id.hex(), record.span_id.hex()] == ids
    # Root is at level DEBUG, and the exporter's HTTP client has logged that it posts: to the application alone.
    assert {scope.partition(".")[0] for scope, _ in sent(found)} & {"urllib3", "opentelemetry", "requests"} == set()
    (five,) = (record for _, record in found.kept_logs if record.body.string_value == "five")
    assert {one.key: one.value.string_value for one in five.attributes}["exception.type"] == "ZeroDivisionError"
    assert five.severity_text == "ERROR"
    assert "four" in printed
    assert all(one in printed for one in ids)


def test_off_by_default(
    python: Callable[..., subprocess.CompletedProcess[str]], receiver: tuple[Receiver, str]
) -> None:
    found, endpoint = receiver
    off = {"OTEL_PYTHON_LOG_AUTO_INSTRUMENTATION": "false"}  # the handler of OpenTelemetry's own instrumentation
    done = python(CODE, OTEL_LOGS_EXPORTER="otlp", OTEL_EXPORTER_OTLP_ENDPOINT=endpoint, **off)
    assert done.returncode == 0, done.stderr
    assert sent(found) == []
    assert json.loads(done.stdout.splitlines()[-1])[0] not in done.stdout.splitlines()[0]
