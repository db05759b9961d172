"""`otel-llm-router doctor`: a set-up that is in order, and ones that are not, each cause by its name."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import socket
import struct
import subprocess
import termios
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as logs
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as traces
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as traces_grpc

from doctor_command import OTHER_DISTRO, collector, doctor, install, sockets
from tests.e2e.running import BIN, environment, free_port

# grpcio and the generated services have no types.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false


def service(record: Any) -> str:
    (attribute,) = record.resource.attributes
    assert attribute.key == "service.name"
    return attribute.value.string_value


def test_a_set_up_that_is_in_order(tmp_path: Path) -> None:
    port = str(free_port())
    with collector() as found:
        told = doctor(tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=found.endpoint, OTEL_LLM_ROUTER_SCRAPE_PORT=port)
    assert told.amiss() == []
    assert told.code == 0
    assert all(list(one) == ["check", "status", "message", "suggestion"] for one in told.findings)
    assert {one["check"] for one in told.findings} == {
        *("versions", "distro", "configurator", "instrumentors", "foreign", "hooks", "content", "audit", "workers"),
        *("redaction", "scrape", "logs", "collector", "options"),
    }
    assert f"127.0.0.1:{port} is free" in told.of("scrape")
    assert "traces, metrics, logs" in told.of("collector")
    assert "HTTP 200, the test record is accepted" in told.of("collector")
    assert f"OTEL_LLM_ROUTER_SCRAPE_PORT={port} (environment)" in told.of("options")
    assert "OTEL_LLM_ROUTER_LABEL_LIMIT=0 (default)" in told.of("options")
    assert "OTEL_METRICS_EXPORTER=otlp,prometheus (default)" in told.of("options")
    # Each test record says who sends it.
    (spans,) = traces.ExportTraceServiceRequest.FromString(found.bodies["/v1/traces"]).resource_spans
    (numbers,) = metrics.ExportMetricsServiceRequest.FromString(found.bodies["/v1/metrics"]).resource_metrics
    (lines,) = logs.ExportLogsServiceRequest.FromString(found.bodies["/v1/logs"]).resource_logs
    assert {service(one) for one in (spans, numbers, lines)} == {"otel-llm-router doctor"}
    assert len(spans.scope_spans[0].spans) == len(lines.scope_logs[0].log_records) == 1
    assert len(numbers.scope_metrics) == 0


def test_a_broken_set_up_names_each_cause(tmp_path: Path) -> None:
    packages = tmp_path / "packages"
    install(packages, "acme-distro", "2.0", points=OTHER_DISTRO)
    install(packages, "opentelemetry-sdk", "1.30.0", requires=("opentelemetry-api==1.30.0",))
    install(packages, "protobuf", "2.6.0")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        told = doctor(
            tmp_path,
            PYTHONPATH=str(packages),
            OTEL_LLM_ROUTER_SCRAPE_PORT=str(port),
            OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{free_port()}",
        )
    assert told.code == 1
    assert "acme (acme-distro 2.0) wins because it is found first" in told.of("distro", "fail")
    assert "set OTEL_PYTHON_DISTRO=otel_llm_router" in told.of("distro", "fail")
    assert "set OTEL_PYTHON_CONFIGURATOR=otel_llm_router" in told.of("configurator", "fail")
    wrong = told.of("versions", "fail")
    assert "opentelemetry-sdk 1.30.0 needs opentelemetry-api==1.30.0, which is" in wrong
    assert "opentelemetry-sdk<2,>=1.41, which is 1.30.0" in wrong
    assert "which is 2.6.0" in wrong
    assert "out of step: of release 1.30: opentelemetry-sdk 1.30.0" in told.of("versions", "warn")
    assert "opentelemetry-sdk is installed more than once: 1.30.0 comes first" in told.of("versions", "warn")
    assert f"127.0.0.1:{port} is taken by something else" in told.of("scrape", "fail")
    assert "connection refused" in told.of("collector", "fail")


def test_what_a_collector_answers(tmp_path: Path) -> None:
    with collector(401) as locked, collector(404) as other, collector(503) as busy:
        told = doctor(
            tmp_path,
            OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=locked.endpoint,
            OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=other.endpoint,
            OTEL_EXPORTER_OTLP_LOGS_ENDPOINT=busy.endpoint,
        )
    failed = told.of("collector", "fail")
    assert f"traces to {locked.endpoint}: HTTP 401: the test record is not accepted -> it wants credentials" in failed
    assert f"metrics to {other.endpoint}: HTTP 404: the test record is not accepted -> that is no OTLP" in failed
    assert f"logs to {busy.endpoint}: HTTP 503: it answers, and takes nothing" in told.of("collector", "warn")
    assert told.code == 1


def test_collectors_that_hang_or_speak_otherwise(tmp_path: Path) -> None:
    headers_without_end = b"HTTP/1.1 200 OK\r\nx: y\r\n"
    beginning_of_grpc = b"\x00\x00\x12\x04\x00\x00\x00\x00\x00"
    with sockets() as silent, sockets(headers_without_end, 0.2) as trickling, sockets(beginning_of_grpc) as grpc_port:
        told = doctor(
            tmp_path,
            OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=silent,
            OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=trickling,
            OTEL_EXPORTER_OTLP_LOGS_ENDPOINT=grpc_port,
        )
    failed = told.of("collector", "fail")
    assert f"traces to {silent}: no answer in time" in failed
    assert f"metrics to {trickling}: no answer in time" in failed
    assert f"logs to {grpc_port}: the connection was closed without an answer" in failed
    assert told.code == 1


def test_secrets_are_not_printed(tmp_path: Path) -> None:
    secrets = {
        "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Basic%20hunter2,x=hunter2==",
        "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "hunter2",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://me:hun/ter2@127.0.0.1:9/v1?key=hunter2",
        "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "http://127.0.0.1:9/token/hunter2-0123456789-0123456789",
        "OTEL_RESOURCE_ATTRIBUTES": "team=routing,api_key=hunter2,note=Bearer hunter2",
        "OTEL_PYTHON_SOMETHING": "sk-hunter2hunter2",
        "OTEL_LLM_ROUTER_LABEL_LIMIT": "Bearer hunter2",
        "OTEL_LLM_ROUTER_HOOKS": "app:f=Bearer hunter2",
        "OTEL_LLM_ROUTER_SCRAPE": "false",
        "OTEL_EXPORTER_OTLP_LOGS_TIMEOUT": "Bearer hunter2",
    }
    found = doctor(tmp_path, **secrets)  # which lets nothing be said beside it
    plain = doctor(tmp_path, "--", **secrets)
    for text in (found.text, plain.text):
        assert "ter2" not in text
        assert "team=routing" in text
        assert "127.0.0.1:9" in text
    assert "OTEL_LLM_ROUTER_LABEL_LIMIT=" in found.of("options", "warn")
    assert found.code == 1
    assert "OTEL_LLM_ROUTER_LABEL_LIMIT=0 (default)" in found.of("options", "ok")


ACME = """
from opentelemetry.instrumentation.distro import DefaultDistro
from opentelemetry.sdk._configuration import _OTelSDKConfigurator


class Distro(DefaultDistro):
    def __init__(self):
        print("acme's distro")


class Configurator(_OTelSDKConfigurator):
    def configure(self, **kwargs):
        print("acme's configurator")
"""


@pytest.mark.parametrize("variables", [{}, {"OTEL_PYTHON_DISTRO": "otel_llm_router", "OTEL_PYTHON_CONFIGURATOR": ""}])
def test_who_wins_is_who_is_loaded(tmp_path: Path, variables: dict[str, str]) -> None:
    install(tmp_path, "acme-distro", "2.0", points=OTHER_DISTRO)
    (tmp_path / "acme.py").write_text(ACME)
    env = environment(OTEL_LLM_ROUTER_SCRAPE="false", OTEL_METRICS_EXPORTER="none", **variables)
    line = [BIN / "opentelemetry-instrument", BIN / "python", "-c", "pass"]
    loaded = subprocess.run(line, env=env, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    told = doctor(tmp_path, OTEL_LLM_ROUTER_SCRAPE="false", OTEL_SDK_DISABLED="true", **variables)
    assert ("acme's distro" in loaded) == ("acme (acme-distro 2.0) wins" in told.of("distro"))
    assert ("acme's configurator" in loaded) == ("acme (acme-distro 2.0) wins" in told.of("configurator"))
    assert ("acme" in loaded) == (not variables)


def test_nobody_over_grpc(tmp_path: Path) -> None:
    endpoint = f"127.0.0.1:{free_port()}"
    variables = {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{endpoint}"}
    told = doctor(tmp_path, **variables)
    # One finding: each of the three signals has its code.
    assert sorted(told.of("collector").partition(" to ")[0].split(", ")) == ["logs", "metrics", "traces"]
    assert f" to {endpoint}: gRPC UNAVAILABLE: nothing listens there" in told.of("collector", "fail")


class Traces:
    """A collector of traces over gRPC."""

    def __init__(self) -> None:
        self.services: list[str] = []

    def Export(self, request: Any, _context: Any) -> Any:  # noqa: N802  # the protocol's name
        self.services += [service(one) for one in request.resource_spans]
        return traces.ExportTraceServiceResponse()


def test_a_collector_over_grpc(tmp_path: Path) -> None:
    found = Traces()
    server = grpc.server(ThreadPoolExecutor(2))
    traces_grpc.add_TraceServiceServicer_to_server(found, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        told = doctor(
            tmp_path,
            OTEL_EXPORTER_OTLP_PROTOCOL="grpc",
            OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{port}",
            OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=f"http://127.0.0.1:{free_port()}",
        )
    finally:
        server.stop(grace=None).wait()
    assert found.services == ["otel-llm-router doctor"]
    assert f"traces to 127.0.0.1:{port}: gRPC OK, the test record is accepted" in told.of("collector", "ok")
    assert f"logs to 127.0.0.1:{port}: gRPC UNIMPLEMENTED" in told.of("collector", "fail")
    assert "gRPC UNAVAILABLE: nothing listens there" in told.of("collector", "fail")


def test_on_a_terminal(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 60, 0, 0))
    kept = {name: value for name, value in environment(TERM="xterm").items() if name not in {"COLUMNS", "NO_COLOR"}}
    kept |= {"OTEL_SDK_DISABLED": "true", "OTEL_LLM_ROUTER_SCRAPE_PORT": "0"}
    with subprocess.Popen(
        [BIN / "otel-llm-router", "doctor"], env=kept, cwd=tmp_path, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        text = b""
        while piece := _read(ours):
            text += piece
    os.close(ours)
    lines = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text.decode()).replace("\r", "\n").splitlines()
    assert process.returncode == 0
    assert max(len(line.rstrip()) for line in lines) <= 60
    assert any(re.match(r"warn +options +a kill switch is on", line) for line in lines)
    assert any(re.match(r" +-> unset it to have telemetry", line) for line in lines)
    assert any(line.startswith("0 failed, 1 to look at, ") for line in lines)


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # what Linux answers once the other side is closed
        return b""
