"""The Collector as users meet it: the command, the real binary, real OTLP."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
import yaml
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as GrpcMetricExporter
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as HttpMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricExporter, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from prometheus_client.parser import text_string_to_metric_families

from collector_command import Command
from otel_llm_router._resources import resource_dir
from otel_llm_router.cli._collector_locate import ConfigRejectedError, ensure_collector, validate
from otel_llm_router.cli._collector_process import CollectorProcess, CollectorStartError
from otel_llm_router.cli._collector_settings import CollectorSettings, default_configs
from otel_llm_router.cli._progress import QuietProgress

RESOURCE = Resource({"service.name": "my-router", "service.instance.id": "one", "deployment.environment.name": "test"})
CONFIG = resource_dir("collector-config")


def scrape(collector: CollectorProcess, accept: str = "text/plain") -> str:
    with urlopen(Request(collector.prometheus_url, headers={"Accept": accept}), timeout=5) as answer:
        return answer.read().decode()


def send_metrics(exporter: MetricExporter) -> None:
    provider = MeterProvider([PeriodicExportingMetricReader(exporter)], resource=RESOURCE)
    meter = provider.get_meter("otel_llm_router", "0.1.0")
    meter.create_counter("llm_router.tokens.generated", unit="{token}").add(42, {"model": "small"})
    meter.create_histogram("llm_router.inference.duration", unit="s").record(0.5, {"model": "small"})
    assert provider.force_flush()
    provider.shutdown()


def send_log(collector: CollectorProcess, body: str) -> None:
    provider = LoggerProvider(RESOURCE)
    provider.add_log_record_processor(SimpleLogRecordProcessor(OTLPLogExporter(f"{collector.otlp_http_url}/v1/logs")))
    record = LogRecord(event_name="llm_router.test", body=body, severity_number=SeverityNumber.INFO)
    provider.get_logger("test").emit(record)
    provider.shutdown()


def log_bodies(collector: CollectorProcess) -> list[str]:
    lines = collector.settings.logs_file.read_text(encoding="utf-8").splitlines()
    return [
        record["body"]["stringValue"]
        for line in lines
        for resource in json.loads(line)["resourceLogs"]
        for scope in resource["scopeLogs"]
        for record in scope["logRecords"]
    ]


class TestBaseConfiguration:
    @pytest.mark.parametrize("protocol", ["http", "grpc"])
    def test_metrics_come_back_with_our_names_and_no_labels_of_its_own(
        self, running: CollectorProcess, protocol: str
    ) -> None:
        exporters = {
            "http": lambda: HttpMetricExporter(f"{running.otlp_http_url}/v1/metrics"),
            "grpc": lambda: GrpcMetricExporter(running.otlp_grpc_url),
        }
        send_metrics(exporters[protocol]())
        samples = {
            sample.name: (sample.value, sample.labels)
            for family in text_string_to_metric_families(scrape(running))
            for sample in family.samples
            if "le" not in sample.labels
        }
        labels = {"job": "my-router", "instance": "one", "model": "small"}
        assert samples["llm_router_tokens_generated_total"] == (42, labels)
        assert samples["llm_router_inference_duration_seconds_sum"] == (0.5, labels)
        assert samples["llm_router_inference_duration_seconds_count"] == (1, labels)
        assert samples["target_info"][1]["deployment_environment_name"] == "test"

    def test_open_metrics_has_the_same_names(self, running: CollectorProcess) -> None:
        send_metrics(HttpMetricExporter(f"{running.otlp_http_url}/v1/metrics"))
        text = scrape(running, "application/openmetrics-text")
        assert 'llm_router_tokens_generated_total{instance="one",job="my-router",model="small"} 42' in text
        assert text.endswith("# EOF\n")

    def test_an_acknowledged_log_survives_a_killed_collector(
        self, running: CollectorProcess, collector_binary: Path
    ) -> None:
        send_log(running, "before")
        os.kill(running.pid, signal.SIGKILL)
        assert running.wait() == 128 + signal.SIGKILL
        assert log_bodies(running) == ["before"]
        with CollectorProcess(collector_binary, running.settings) as again:
            send_log(again, "after")
        assert log_bodies(running) == ["before", "after"]

    def test_spans_arrive_in_their_file(self, running: CollectorProcess) -> None:
        provider = TracerProvider(resource=RESOURCE)
        provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(f"{running.otlp_http_url}/v1/traces")))
        provider.get_tracer("test").start_span("route auto").end()
        provider.shutdown()
        (line,) = running.settings.traces_file.read_text(encoding="utf-8").splitlines()
        assert json.loads(line)["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["name"] == "route auto"

    def test_it_writes_nowhere_unless_told(self, collector_binary: Path) -> None:
        command = [collector_binary, "validate", *(f"--config={path}" for path in default_configs())]
        answer = subprocess.run(command, env={}, capture_output=True, text=True, check=False)
        assert answer.returncode == 1
        assert "exporters::file/logs: path must be non-empty" in answer.stderr

    def test_two_run_side_by_side(self, running: CollectorProcess, collector_binary: Path, tmp_path: Path) -> None:
        other = CollectorSettings.on_free_ports(tmp_path / "other")
        with CollectorProcess(collector_binary, other, log=tmp_path / "other.log") as collector:
            send_metrics(HttpMetricExporter(f"{collector.otlp_http_url}/v1/metrics"))
            assert "llm_router_tokens_generated_total" in scrape(collector)
        assert "llm_router_tokens_generated_total" not in scrape(running)

    def test_the_example_of_the_readme_is_valid(self, collector_binary: Path, tmp_path: Path) -> None:
        example = re.search(r"```yaml\n(.*?)```", (CONFIG / "README.md").read_text(), re.DOTALL)
        assert example is not None
        own = tmp_path / "mine.yaml"
        own.write_text(example[1])
        verdict = validate(collector_binary, CollectorSettings(configs=(*default_configs(), own)))
        assert verdict.accepted, verdict.output


class TestManifest:
    def test_the_binary_and_the_lock_have_what_the_manifest_says(self, collector_binary: Path) -> None:
        manifest: dict[str, Any] = yaml.safe_load((CONFIG / "builder" / "builder.yaml").read_text())
        kinds = ("receivers", "processors", "connectors", "exporters", "extensions", "providers")
        wanted = {entry["gomod"] for kind in kinds for entry in manifest[kind]}
        answer = subprocess.run([collector_binary, "components"], capture_output=True, text=True, check=True).stdout
        assert set(re.findall(r"module: (\S+ v\S+)", answer)) == wanted
        lock = (CONFIG / "builder" / "go.mod").read_text()
        assert [module for module in wanted if f"\t{module}\n" not in lock] == []


class TestRun:
    def arguments(self, settings: CollectorSettings) -> list[str]:
        return [
            *("run", "--otlp-http", settings.otlp_http, "--otlp-grpc", settings.otlp_grpc),
            *("--prometheus", settings.prometheus, "--health", settings.health, "--telemetry", settings.telemetry),
        ]

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_it_says_where_it_listens_and_ends_with_a_signal(
        self, command: Command, collector_binary: Path, tmp_path: Path, number: signal.Signals
    ) -> None:
        settings = CollectorSettings.on_free_ports(tmp_path / "data")
        process = command(*self.arguments(settings), "--data-dir", str(tmp_path / "data"))
        assert process.stderr is not None
        seen: list[str] = []
        for line in process.stderr:
            seen.append(line)
            if "the Collector is ready" in line:
                break
        said = [process.stderr.readline().strip() for _ in range(7)]
        assert said == [
            f"OTLP over HTTP: {settings.otlp_http}",
            f"OTLP over gRPC: {settings.otlp_grpc}",
            f"metrics for Prometheus: {settings.prometheus}",
            f"health: {settings.health}",
            f"file: {tmp_path / 'data' / 'logs.jsonl'}",
            f"file: {tmp_path / 'data' / 'traces.jsonl'}",
            f"queues: {tmp_path / 'data' / 'queues'}",
        ]
        assert seen[0] == f"starting {collector_binary}\n"
        process.send_signal(number)
        _, rest = process.communicate(timeout=20)
        assert process.returncode == 0
        assert "Shutdown complete" in rest

    def test_files_go_to_the_state_directory_by_default(self, command: Command, tmp_path: Path) -> None:
        settings = CollectorSettings.on_free_ports(tmp_path)
        process = command(*self.arguments(settings))
        assert process.stderr is not None
        logs = tmp_path / "state" / "otel-llm-router" / "collector" / "logs.jsonl"
        assert any(line == f"  file: {logs}\n" for line in process.stderr)
        assert logs.parent.stat().st_mode & 0o777 == 0o700
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)

    @pytest.mark.usefixtures("collector_binary")
    def test_a_port_in_use_is_one_message(self, command: Command, tmp_path: Path) -> None:
        settings = CollectorSettings.on_free_ports(tmp_path)
        host, port = settings.otlp_grpc.split(":")
        with socket.create_server((host, int(port))):
            process = command(*self.arguments(settings))
            _, error = process.communicate(timeout=20)
        assert process.returncode == 1
        _starting, message = error.splitlines()
        assert message == (
            f"Error: the Collector cannot listen on {settings.otlp_grpc} for OTLP over gRPC: Address already in use. "
            "Choose another address with --otlp-grpc or LLM_ROUTER_COLLECTOR_OTLP_GRPC."
        )

    @pytest.mark.parametrize("address", ["4318", "localhost:", "localhost:0", "localhost:70000", "::1:4318", "none"])
    def test_a_bad_address_names_the_option(self, command: Command, address: str) -> None:
        process = command("run", "--otlp-http", address)
        _, error = process.communicate(timeout=20)
        assert process.returncode == 2
        assert "Invalid value for '--otlp-http'" in error
        assert f": '{address}' is not HOST:PORT, such as 127.0.0.1:4318" in error

    def test_a_data_directory_that_cannot_be_made(
        self, command: Command, collector_binary: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "file").touch()
        settings = CollectorSettings.on_free_ports(tmp_path)
        process = command(*self.arguments(settings), "--data-dir", str(tmp_path / "file" / "data"))
        _, error = process.communicate(timeout=20)
        assert process.returncode == 1
        assert "Error: the Collector has no directory for received logs and traces" in error
        assert "--data-dir" in error

    @pytest.mark.usefixtures("collector_binary")
    def test_the_exit_code_is_the_collectors(self, command: Command, tmp_path: Path) -> None:
        settings = CollectorSettings.on_free_ports(tmp_path)
        with socket.create_server(("127.0.0.1", 0)) as taken:
            # An address that does not come from us, so that only the Collector finds out.
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            late = tmp_path / "late.yaml"
            late.write_text(f"receivers: {{otlp: {{protocols: {{http: {{endpoint: '{address}'}}}}}}}}")
            process = command(*self.arguments(settings), "--with", "prometheus", f"--config={late}")
            _, error = process.communicate(timeout=20)
        assert process.returncode == 1
        assert error.splitlines()[-1] == "Error: the Collector ended with exit code 1 before it was ready"
        assert f"listen tcp {address}: bind: address already in use" in error


class TestValidate:
    @pytest.mark.usefixtures("collector_binary")
    def test_ours_is_valid(self, command: Command) -> None:
        process = command("validate")
        output, error = process.communicate(timeout=20)
        assert (process.returncode, error) == (0, "")
        assert output.startswith("valid for ")
        assert output.endswith("base.yaml, {0}/prometheus.yaml, {0}/files.yaml\n".format(CONFIG / "backends"))

    @pytest.mark.usefixtures("collector_binary")
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("exporters: {prometheus: {endpoit: x}}", "has invalid keys: endpoit"),
            (
                "exporters: {kafka: {}}",
                "cannot run the configuration: it lacks exporter kafka. Put a collector that has it",
            ),
            ("service: {pipelines: {logs: {exporters: [nope]}}}", 'references exporter "nope" which is not configured'),
            ("a: [", "contents are not valid YAML"),
        ],
    )
    def test_a_broken_file_is_named_by_its_fault(
        self, command: Command, tmp_path: Path, text: str, expected: str
    ) -> None:
        broken = tmp_path / "broken.yaml"
        broken.write_text(text)
        process = command("validate", str(CONFIG / "base.yaml"), str(broken))
        output, error = process.communicate(timeout=20)
        assert (process.returncode, output) == (1, "")
        assert expected in error

    def test_a_missing_file(self, command: Command) -> None:
        process = command("validate", "no-such.yaml")
        assert "'no-such.yaml' does not exist" in process.communicate(timeout=20)[1]
        assert process.returncode == 2


class TestCollectorsOnPath:
    """Which collector is taken; the ones on PATH are the real one under other names, or scripts."""

    def test_the_first_that_can_run_the_configuration(
        self, command: Command, collector_binary: Path, tmp_path: Path
    ) -> None:
        contrib = tmp_path / "otelcol-contrib"
        contrib.write_text("""#!/bin/sh
echo "'exporters' unknown type: \\"prometheus\\" for id: \\"prometheus\\" (valid values: [debug])" >&2
exit 1
""")
        contrib.chmod(0o755)
        (tmp_path / "otelcol").symlink_to(collector_binary)
        process = command("run", "--print-path", path=str(tmp_path), cache=tmp_path / "empty")
        output, error = process.communicate(timeout=20)
        assert (process.returncode, output) == (0, f"{tmp_path / 'otelcol'}\n")
        assert error == f"{contrib} cannot run the configuration: it lacks exporter prometheus\n"

    def test_a_slip_in_a_users_file_builds_nothing(
        self, command: Command, collector_binary: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "otelcol").symlink_to(collector_binary)
        (tmp_path / "slip.yaml").write_text("a: [")
        process = command("validate", "slip.yaml", path=str(tmp_path), cache=tmp_path / "empty")
        _, error = process.communicate(timeout=20)
        assert process.returncode == 1
        assert error.startswith(f"Error: {tmp_path / 'otelcol'} rejects the configuration:\n")
        assert not (tmp_path / "empty").exists()

    def test_neither_a_collector_nor_go(self, command: Command, tmp_path: Path) -> None:
        process = command("run", cache=tmp_path / "empty")
        output, error = process.communicate(timeout=20)
        assert (process.returncode, output) == (1, "")
        assert error.count("\n") == 1
        assert error.startswith("Error: the Collector cannot be built: Go 1.24 or newer is needed and was not found. ")
        for way in ("https://go.dev/dl/", "pip install 'otel-llm-router[collector]'", "otelcol-contrib"):
            assert way in error


class TestApi:
    def test_ensure_collector_finds_the_cached_one(self, collector_binary: Path) -> None:
        assert ensure_collector(QuietProgress(), use_path=False) == collector_binary

    def test_ensure_collector_checks_the_configuration(self, collector_binary: Path, tmp_path: Path) -> None:
        (tmp_path / "kafka.yaml").write_text("exporters: {kafka: {}}")
        settings = CollectorSettings(configs=(CONFIG / "base.yaml", tmp_path / "kafka.yaml"))
        with pytest.raises(ConfigRejectedError, match="lacks exporter kafka"):
            ensure_collector(QuietProgress(), settings=settings, use_path=False)

    def test_a_collector_that_ends_at_once_is_reported_with_its_last_lines(
        self, collector_binary: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "kafka.yaml").write_text("exporters: {kafka: {}}")
        settings = CollectorSettings.on_free_ports(tmp_path, configs=(CONFIG / "base.yaml", tmp_path / "kafka.yaml"))
        process = CollectorProcess(collector_binary, settings, log=tmp_path / "log")
        with (
            pytest.raises(CollectorStartError, match=r'(?s)exit code 1 before it was ready.*unknown type: "kafka"'),
            process,
        ):
            pytest.fail("it must not be ready")

    def test_a_collector_that_is_never_ready_is_ended(self, tmp_path: Path) -> None:
        stuck = tmp_path / "stuck"
        stuck.write_text("#!/bin/sh\nexec sleep 600\n")
        stuck.chmod(0o755)
        process = CollectorProcess(stuck, CollectorSettings.on_free_ports(tmp_path), start_seconds=0.1)
        with pytest.raises(CollectorStartError, match=r"not ready after 0\.1 s"), process:
            pytest.fail("it must not be ready")
        assert process.wait() == 128 + signal.SIGTERM
