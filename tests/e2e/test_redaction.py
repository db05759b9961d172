"""Secrets in every place of a real application, and none of them in anything that leaves its process."""

from __future__ import annotations

import json
import random
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx

from otel_llm_router.cli.demo._receiver import Receiver
from planted import private_key, secrets, token
from running import BIN, HERE, environment, free_port

PATHS = ("raise", "log", "span", "baggage", "measure")


class Keeping(Receiver):
    """A receiver that keeps what it was sent."""

    def __init__(self) -> None:
        super().__init__()
        self.bodies: list[bytes] = []

    def _take_metrics(self, body: bytes) -> None:
        self.bodies.append(body)
        super()._take_metrics(body)

    def _take_traces(self, body: bytes) -> None:
        self.bodies.append(body)
        super()._take_traces(body)

    def _take_logs(self, body: bytes) -> None:
        self.bodies.append(body)
        super()._take_logs(body)


def test_no_secret_leaves(tmp_path: Path, providers: Any) -> None:
    seed = random.Random()
    planted = [*secrets(), token(seed), private_key(seed)]
    offset = seed.randrange(len(PATHS))
    of_process = planted[:3]
    receiver = Keeping()
    variables = {
        "UPSTREAM": f"{providers['alpha'].base}/v1",
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.start(),
        "OTEL_TRACES_EXPORTER": "otlp,console",
        "OTEL_LOGS_EXPORTER": "otlp,console",
        "OTEL_METRICS_EXPORTER": "otlp,console,prometheus",
        "OTEL_METRIC_EXPORT_INTERVAL": "1000",
        "OTEL_LLM_ROUTER_LOGS": "true",
        "OTEL_LLM_ROUTER_SCRAPE_PORT": str(scrape := free_port()),
        "OTEL_RESOURCE_ATTRIBUTES": f"team={of_process[0]},api_key={of_process[1]},service.name=careless",
        "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS": "process",
        "OTEL_LLM_ROUTER_LOG_FILE": f"{tmp_path}/lines/",
        "OTEL_LLM_ROUTER_LOG_INFERENCES": "all",
        "OTEL_LLM_ROUTER_AUDIT_FILE": f"{tmp_path}/audit/audit.jsonl",
        "OTEL_LLM_ROUTER_ALERTS_RELAY_URL": f"http://127.0.0.1:9/?token={of_process[0]}",
        "PYTHONWARNINGS": "ignore",
    }
    port, out, err = free_port(), tmp_path / "out", tmp_path / "err"
    command = [BIN / "opentelemetry-instrument", BIN / "uvicorn", "leaking:app", "--port", str(port)]
    command += ["--no-access-log", "--header", f"x-api-key:{of_process[2]}"]
    with out.open("wb") as stdout, err.open("wb") as stderr:
        process = subprocess.Popen(command, cwd=HERE, env=environment(**variables), stdout=stdout, stderr=stderr)
    try:
        base = f"http://127.0.0.1:{port}"
        until = time.monotonic() + 180
        while time.monotonic() < until and process.poll() is None:
            with suppress(httpx.HTTPError):
                httpx.get(f"{base}/ok")
                break
            time.sleep(0.1)
        assert process.poll() is None, err.read_text()[-4000:]
        for number, secret in enumerate(planted):
            query = {"api_key": secret, "key": secret}
            headers = {"Authorization": f"Bearer {secret.splitlines()[0]}", "Cookie": f"a={secret.splitlines()[0]}"}
            # Not each by each way, which would be a thousand requests: the ways differ for each run of the test.
            path = "call" if number % 25 == 0 else PATHS[(number + offset) % len(PATHS)]
            # A connection each: the server closes one on which the application has raised.
            httpx.post(f"{base}/{path}", json={"secret": secret}, params=query, headers=headers, timeout=60)
        shown = [
            httpx.get(f"http://127.0.0.1:{scrape}/{path}").text
            for path in ("metrics", "metrics/json", "debug", "health")
        ]
        shown.append(
            httpx.get(f"http://127.0.0.1:{scrape}/metrics", headers={"Accept": "application/openmetrics-text"}).text
        )
    finally:
        process.terminate()
        process.wait(60)
        receiver.stop()
    sinks = {
        "OTLP": b"".join(receiver.bodies).decode("utf-8", "replace"),
        "console": out.read_text(),
        "scrape": "".join(shown),
        "lines": "".join(file.read_text() for file in (tmp_path / "lines").glob("*.log")),
        "audit": "".join(file.read_text() for file in (tmp_path / "audit").glob("*.jsonl*") if file.suffix != ".salt"),
    }
    # What the application said of itself went to its own stderr: the secrets were there.
    said = err.read_text()
    assert len([secret for secret in planted if secret.splitlines()[0] in said]) >= len(planted) // 4
    assert receiver.spans["server"] >= len(planted)
    for sign in ("exception.message", "careless.calls", "it failed with", "event of [REDACTED]", "http.request.header"):
        assert sign in sinks["OTLP"], sign
    for sink, text in sinks.items():
        assert "[REDACTED" in text, sink
        left = [secret for secret in planted if any(line in text for line in secret.splitlines()[1:2] or [secret])]
        assert left == [], sink
    assert "careless_calls_total" in sinks["scrape"]


CARELESS = """
import json, logging, os
from opentelemetry import metrics, trace
from opentelemetry._logs import LogRecord, get_logger
from otel_llm_router import telemetry as router

tracer, logger, careless = trace.get_tracer("t"), get_logger("l"), logging.getLogger("careless")
calls = metrics.get_meter("m").create_counter("careless.calls")
for secret in json.loads(os.environ["PLANTED"]):
    with tracer.start_as_current_span("around") as around:
        link = trace.Link(around.get_span_context(), {"linked": secret})
    with tracer.start_as_current_span(f"call with {secret}", links=[link]) as span:
        span.set_attributes({"used": secret, "list": ["a", secret]})
        span.add_event(f"event of {secret}", {"used": secret})
        span.record_exception(RuntimeError(secret))
        span.set_status(trace.StatusCode.ERROR, f"failed with {secret}")
    logger.emit(LogRecord(body={"deep": [f"it was {secret}"]}, attributes={"used": secret, "password": secret}))
    careless.warning("refused: %s", secret, extra={"used": secret})
    calls.add(1, {"used": secret})
    with router.request(secret), router.attempt("openai", secret):
        router.error(f"refused {secret}", component="application")
"""


def test_no_secret_leaves_without_the_fast_path(tmp_path: Path, python: Any) -> None:
    seed = random.Random()
    planted = [*seed.sample(list(secrets()), 40), private_key(seed)]
    receiver, directory = Keeping(), tmp_path / "logs"
    exporters = {f"OTEL_{signal}_EXPORTER": "otlp,console" for signal in ("TRACES", "METRICS", "LOGS")}
    done = python(
        CARELESS,
        PLANTED=json.dumps(planted),
        OTEL_LLM_ROUTER_FAST_PATH="false",
        OTEL_LLM_ROUTER_LOGS="true",
        OTEL_LLM_ROUTER_LOG_FILE=f"{directory}/",
        OTEL_LLM_ROUTER_LOG_INFERENCES="all",
        OTEL_LLM_ROUTER_EXIT_BUDGET="30",
        OTEL_EXPORTER_OTLP_ENDPOINT=receiver.start(),
        **exporters,
    )
    receiver.stop()
    assert done.returncode == 0, done.stderr
    written = {path.name: path.read_text() for path in directory.iterdir()}
    assert {"application.log", "error.log"} <= set(written)
    assert receiver.spans["internal"] >= 3 * len(planted)
    sinks = {"OTLP": b"".join(receiver.bodies).decode("utf-8", "replace"), "console": done.stdout, **written}
    for sign in ("call with [REDACTED]", "event of [REDACTED]", "it was [REDACTED]", "careless.calls"):
        assert sign in sinks["OTLP"], sign
    for sink, text in sinks.items():
        left = [secret for secret in planted if any(line in text for line in secret.splitlines()[1:2] or [secret])]
        assert left == [], sink
    assert all("[REDACTED" in sinks[sink] for sink in ("OTLP", "console", "application.log", "error.log"))
