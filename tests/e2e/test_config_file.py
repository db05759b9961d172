"""A configuration file: its ways out are ours, and say, hide and keep what they do without one."""

# protobuf's messages have no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import json
import re
import ssl
import subprocess
import threading
from collections.abc import Callable, Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from benchmarks.faults.collectors import GrpcCollector, HttpCollector, SilentPort, Taken
from planted import secrets
from running import free_port

pytest.importorskip("opentelemetry.configuration", reason="OpenTelemetry has it since 1.44")

Python = Callable[..., subprocess.CompletedProcess[str]]


class Mutual:
    """A collector over TLS that wants a certificate of its clients, and keeps what headers they send."""

    def __init__(self, certificate: Path, key: Path) -> None:
        self.taken, self.headers = Taken(), list[dict[str, str]]()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                outer.headers.append({name.lower(): value for name, value in self.headers.items()})
                outer.taken.add(self.path.rpartition("/")[2], body)
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the interface's
                pass

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        context.load_verify_locations(certificate)
        context.verify_mode = ssl.CERT_REQUIRED
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.endpoint = f"https://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def mutual(tmp_path: Path) -> Generator[Mutual]:
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=127.0.0.1",
            "-addext",
            "subjectAltName=IP:127.0.0.1",
            "-keyout",
            "own.key",
            "-out",
            "own.crt",
        ],
        check=True,
        capture_output=True,
        cwd=tmp_path,
    )
    made = Mutual(tmp_path / "own.crt", tmp_path / "own.key")
    yield made
    made.stop()


@pytest.fixture
def over_grpc() -> Generator[GrpcCollector]:
    made = GrpcCollector()
    made.start()
    yield made
    made.stop()


EVERYTHING = """
file_format: "1.0"
resource:
  attributes:
    - {name: service.name, value: from-the-file}
    - {name: api_key, value: "${SECRET}"}
meter_provider:
  readers:
    - periodic:
        interval: 3600000
        exporter:
          otlp_http: &over_http
            endpoint: ${ENDPOINT}/v1/metrics
            compression: none
            headers: [{name: X-Team, value: routers}]
            headers_list: "x-team=other,x-list=listed"
            tls: &tls {ca_file: own.crt, cert_file: own.crt, key_file: own.key}
    - periodic:
        interval: 3600000
        exporter: {console: {}}
    - pull:
        exporter:
          prometheus/development:
            host: 127.0.0.1
            port: ${PULL}
tracer_provider:
  processors:
    - batch:
        schedule_delay: 3600000
        exporter:
          otlp_http:
            <<: *over_http
            endpoint: ${ENDPOINT}/v1/traces
    - batch:
        exporter:
          otlp_grpc:
            endpoint: 127.0.0.1:${GRPC}
            tls: {insecure: true}
    - simple:
        exporter: {console: {}}
logger_provider:
  processors:
    - batch:
        schedule_delay: 3600000
        exporter:
          otlp_http:
            <<: *over_http
            endpoint: ${ENDPOINT}/v1/logs
    - batch:
        exporter: {console: {}}
"""

CARELESS = """
import os, urllib.request
from opentelemetry import metrics, trace
from opentelemetry._logs import LogRecord, get_logger
from otel_llm_router import telemetry as router

secret, pull = os.environ["SECRET"], os.environ["PULL"]
for number in range(20):
    with router.request("m"), router.attempt("openai", "gpt-4o"):
        router.error(f"refused {secret}", component="application")
with trace.get_tracer("t").start_as_current_span(f"call {secret}", attributes={"used": secret}) as span:
    span.record_exception(RuntimeError(secret))
get_logger("l").emit(LogRecord(body=f"it was {secret}", attributes={"password": secret}))
metrics.get_meter("m").create_counter("careless").add(1, {"used": secret})
with urllib.request.urlopen(f"http://127.0.0.1:{pull}/metrics") as answer:
    print(answer.read().decode())
"""


def test_everything_that_a_file_names(python: Python, mutual: Mutual, over_grpc: GrpcCollector, tmp_path: Path) -> None:
    (tmp_path / "otel.yaml").write_text(EVERYTHING)
    secret = next(one for one in secrets() if one.startswith("sk-proj-"))
    done = python(
        CARELESS,
        OTEL_CONFIG_FILE="otel.yaml",
        OTEL_EXPORTER_OTLP_HEADERS="x-team=of-the-environment,x-environment=there",
        OTEL_LLM_ROUTER_EXIT_BUDGET="30",
        OTEL_LLM_ROUTER_AUDIT_FILE="audit.jsonl",
        OTEL_LLM_ROUTER_LOG_FILE="logs/",
        OTEL_LLM_ROUTER_LOG_STREAMS="application,error,audit",
        ENDPOINT=mutual.endpoint,
        GRPC=str(over_grpc.port),
        PULL=str(free_port()),
        SECRET=secret,
    )
    assert done.returncode == 0, done.stderr
    # All of it arrives once, by both ways, and is counted.
    for taken in (mutual.taken, over_grpc.taken):
        assert taken.span_names()["route m"] == 20
        assert len(taken.spans()) == 41
    logs = mutual.taken.logs()
    assert [record.event_name for record in logs].count("llm_router.error") == 20
    assert mutual.taken.log_bodies()["it was [REDACTED]"] == 1
    assert [record for record in logs if record.event_name.startswith("llm_router.audit")]
    assert sum(mutual.taken.sums("llm_router.inference").values()) == 20
    # The console of logs and of spans counts as well.
    assert mutual.taken.sums("llm_router.telemetry.delivered", "signal") == {
        ("traces",): 3 * 41,
        ("logs",): 2 * len(logs),
    }
    # By what the file says, and not by variables.
    assert {one["x-team"] for one in mutual.headers} == {"routers"}
    assert all("x-environment" not in one and "content-encoding" not in one for one in mutual.headers)
    assert all(one["x-list"] == "listed" for one in mutual.headers)
    # Nothing of it says the secret, and all of it says that there was one.
    sinks = {
        "http": "".join(body.decode("utf-8", "replace") for _, body in mutual.taken.bodies),
        "grpc": "".join(body.decode("utf-8", "replace") for _, body in over_grpc.taken.bodies),
        "console": done.stdout,
        "files": "".join(path.read_text() for path in (tmp_path / "logs").iterdir()),
    }
    for sink, text in sinks.items():
        assert secret not in text, sink
        assert "[REDACTED" in text, sink
    assert re.search(r'^careless_total{.*used="\[REDACTED\]', done.stdout, re.MULTILINE)  # what the file is scraped for
    assert "from-the-file" in sinks["files"]
    trail = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    assert trail
    assert done.stderr == ""


KEPT = """
file_format: "1.0"
tracer_provider:
  processors:
    - batch: {exporter: {otlp_http: {endpoint: "${ENDPOINT}/v1/traces"}}}
logger_provider:
  processors:
    - batch: {exporter: {otlp_http: {endpoint: "${ENDPOINT}/v1/logs"}}}
"""

EMITS = """
import sys
from opentelemetry import trace
from opentelemetry._logs import LogRecord, get_logger
for number in range(int(sys.argv[1])):
    trace.get_tracer("t").start_span(str(number)).end()
    get_logger("l").emit(LogRecord(body=str(number)))
"""


def test_what_nobody_takes_waits_on_disk_for_the_next_process(tmp_path: Path, python: Python) -> None:
    (tmp_path / "otel.yaml").write_text(KEPT)
    (tmp_path / "emits.py").write_text(EMITS)
    run = 'import runpy, sys; sys.argv = ["emits.py", "{}"]; runpy.run_path("emits.py")'
    silent, collector = SilentPort(), HttpCollector()
    own = {"OTEL_CONFIG_FILE": "otel.yaml", "OTEL_LLM_ROUTER_SPOOL_DIR": str(tmp_path / "spool")}
    own |= {"OTEL_LLM_ROUTER_EXIT_BUDGET": "2"}
    first = python(run.format(30), ENDPOINT=silent.start(), **own)
    silent.stop()
    assert first.returncode == 0, first.stderr
    second = python(run.format(0), ENDPOINT=collector.start(), **own | {"OTEL_LLM_ROUTER_EXIT_BUDGET": "30"})
    collector.stop()
    assert second.returncode == 0, second.stderr
    numbers = {str(number): 1 for number in range(30)}
    assert collector.taken.span_names() == numbers
    assert collector.taken.log_bodies() == numbers


SIMPLE = """
file_format: "1.0"
tracer_provider:
  processors:
    - simple: {exporter: {otlp_http: {endpoint: "${ENDPOINT}/v1/traces"}}}
"""


def test_what_is_not_ours_is_said_and_log_files_need_no_logger_provider(
    tmp_path: Path, python: Python, receiver: Any
) -> None:
    found, endpoint = receiver
    (tmp_path / "otel.yaml").write_text(SIMPLE)
    code = "from otel_llm_router import telemetry as router\nrouter.error('password=hunter2', component='application')"
    done = python(
        code + "\nfrom opentelemetry import trace\ntrace.get_tracer('t').start_span('password=hunter2').end()",
        OTEL_CONFIG_FILE="otel.yaml",
        OTEL_LLM_ROUTER_LOG_FILE="app.log",
        ENDPOINT=endpoint,
    )
    assert done.stderr.count("traces to otlp_http (simple)") == 1
    assert [span.name for span in found.kept_spans] == ["password=[REDACTED]"]
    assert "password=[REDACTED]" in (tmp_path / "app.log").read_text()


FORKED = """
file_format: "1.0"
resource:
  detection/development:
    detectors: [{otel_llm_router: {}}]
meter_provider:
  readers:
    - periodic: {interval: 3600000, exporter: {otlp_http: {endpoint: "${ENDPOINT}/v1/metrics"}}}
tracer_provider:
  processors:
    - batch: {schedule_delay: 3600000, exporter: {otlp_http: {endpoint: "${ENDPOINT}/v1/traces"}}}
"""

FORKS = """
import os
from otel_llm_router import telemetry as router
for _ in range(3):
    with router.request("m"):
        pass
if child := os.fork():
    os.waitpid(child, 0)
for _ in range(2):
    with router.request("m"):
        pass
"""


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_begins_with_nothing(tmp_path: Path, python: Python) -> None:
    (tmp_path / "otel.yaml").write_text(FORKED)
    collector = HttpCollector()
    own = {"OTEL_LLM_ROUTER_EXIT_BUDGET": "30", "PYTHONWARNINGS": "ignore"}
    done = python(FORKS, OTEL_CONFIG_FILE="otel.yaml", ENDPOINT=collector.start(), **own)
    collector.stop()
    assert done.returncode == 0, done.stderr
    assert collector.taken.span_names() == {"route m": 7}
    assert sum(collector.taken.sums("llm_router.inference").values()) == 7
    resources = [of.resource for message in collector.taken.messages("metrics") for of in message.resource_metrics]
    for key in ("service.instance.id", "process.pid"):
        assert len({str(one.value) for of in resources for one in of.attributes if one.key == key}) == 2, key
