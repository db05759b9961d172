"""The ten lines through the real Collector, started by its command: the same numbers for Prometheus, and the error log."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from otel_llm_router.cli._collector_settings import CollectorSettings
from otel_llm_router.cli.demo._samples import Samples
from running import BIN, environment
from test_ten_lines import eventually, question

SECRETS = ("sk-not-for-export", "sk-of-the-client", "sk-of-the-query", "a-question-that-stays-here")

COMPARED = (
    "llm_router_http_requests_total",
    "llm_router_http_request_duration_seconds_count",
    "llm_router_http_request_duration_seconds_bucket",
    "llm_router_inference_total",
    "llm_router_inference_duration_seconds_count",
    "llm_router_tokens_generated_total",
    "llm_router_tokens_total",
    "llm_router_attempts_total",
    "llm_router_errors_total",
)


@dataclass(frozen=True)
class Collector:
    """A running Collector: where it receives, where it is scraped, and its files."""

    endpoint: str
    metrics: str
    logs: Path
    traces: Path

    def scrape(self) -> Samples:
        return Samples.of_text(httpx.get(self.metrics).text)

    def records(self) -> list[Mapping[str, Any]]:
        """Every log record that has arrived, in OTLP's JSON."""
        lines = self.logs.read_text().splitlines() if self.logs.exists() else []
        return [
            record
            for line in lines
            for resource in json.loads(line)["resourceLogs"]
            for scope in resource["scopeLogs"]
            for record in scope["logRecords"]
        ]

    def spans(self) -> list[Mapping[str, Any]]:
        """Every span that has arrived, in OTLP's JSON."""
        lines = self.traces.read_text().splitlines() if self.traces.exists() else []
        return [
            span
            for line in lines
            for resource in json.loads(line)["resourceSpans"]
            for scope in resource["scopeSpans"]
            for span in scope["spans"]
        ]


@pytest.fixture
def collector(tmp_path: Path) -> Generator[Collector]:
    """``otel-llm-router collector run`` on free ports."""
    settings = CollectorSettings.on_free_ports(tmp_path / "received")
    ports = [
        *("--otlp-http", settings.otlp_http, "--otlp-grpc", settings.otlp_grpc, "--telemetry", "none"),
        *("--prometheus", settings.prometheus, "--health", settings.health),
    ]
    command = [BIN / "otel-llm-router", "collector", "run", *ports, "--data-dir", str(tmp_path / "received")]
    with subprocess.Popen(command, env=environment(), stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        seen = ""
        while "the Collector is ready" not in seen:
            line = process.stderr.readline()
            assert line, seen
            seen += line
        endpoint, metrics = f"http://{settings.otlp_http}", f"http://{settings.prometheus}/metrics"
        yield Collector(endpoint, metrics, settings.logs_file, settings.traces_file)
        process.terminate()
        process.communicate(timeout=30)
    assert process.returncode == 0


def series(samples: Samples, name: str) -> dict[frozenset[tuple[str, str]], float]:
    """The series by their labels, without those that tell one process from another."""
    found: dict[frozenset[tuple[str, str]], float] = {}
    for labels, value in samples.series(name).items():
        kept = frozenset((key, f"{float(text):g}" if key == "le" else text) for key, text in labels)
        found[frozenset(pair for pair in kept if pair[0] not in {"job", "instance"})] = value
    return found


def used(application: Any, providers: Any, collector: Collector, **more: str) -> Any:
    """The application after a request that was tried again, one that went well, and one that failed."""
    variables = {
        "UPSTREAM": f"{providers['alpha'].base}/v1",
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint,
        "OTEL_SERVICE_NAME": "ten-lines",
        "OTEL_BSP_SCHEDULE_DELAY": "200",
        "OTEL_BLRP_SCHEDULE_DELAY": "200",
        **more,
    }
    app = application("ten_lines", variables=variables)
    headers = {"authorization": "Bearer sk-of-the-client"}
    plans: tuple[list[dict[str, Any]], ...] = (
        [{"status": 500}, {"status": 429, "retry_after": 0}, {"completion_tokens": 5}],
        [{}],
        [{"status": 401}],
    )
    codes = [
        httpx.post(f"{app.base}/ask/a", params=secret(*plan), headers=headers, timeout=60).status_code for plan in plans
    ]
    assert codes == [200, 200, 500]
    return app


def secret(*answers: dict[str, Any]) -> dict[str, str]:
    """A question with words that are nobody's business."""
    content = json.loads(question(*answers)["question"])
    return {"question": json.dumps({**content, "text": "a-question-that-stays-here"}), "key": "sk-of-the-query"}


def test_prometheus_gets_the_numbers_of_the_applications_own_endpoint(
    application: Any, providers: Any, collector: Collector
) -> None:
    app = used(application, providers, collector)
    record = providers["alpha"].record
    scrape = app.scrape()
    assert scrape.sum("llm_router_inference_total") == 3
    assert scrape.sum("llm_router_attempts_total") == record["attempts"]
    assert scrape.sum("llm_router_tokens_total", type="output") == record["tokens.output"]

    def same(name: str) -> bool:
        return bool(series(scrape, name)) and series(collector.scrape(), name) == series(scrape, name)

    for name in COMPARED:
        assert eventually(lambda name=name: same(name)), name
    received = collector.scrape()
    labels = [dict(found) for found in received.series("llm_router_inference_total")]
    assert {found["job"] for found in labels} == {"ten-lines"}
    assert len({found["instance"] for found in labels}) == 1
    for name in ("cpu_seconds_total", "resident_memory_bytes", "open_fds", "threads", "start_time_seconds"):
        assert received.sum(f"llm_router_process_{name}") > 0, name
    assert received.has("llm_router_process_gc_pause_seconds_bucket")


def test_the_error_is_in_the_log_file_and_no_secret_is_in_any(
    application: Any, providers: Any, collector: Collector
) -> None:
    # Under the old names of attributes a span has the whole URL.
    app = used(application, providers, collector, OTEL_SEMCONV_STABILITY_OPT_IN="http/dup")

    def errors() -> list[Mapping[str, Any]]:
        return [record for record in collector.records() if record.get("eventName") == "llm_router.inference.error"]

    assert eventually(errors)
    (error,) = errors()
    attributes = {one["key"]: next(iter(one["value"].values())) for one in error["attributes"]}
    assert error["severityText"] == "ERROR"
    assert attributes["llm_router.request.model"] == "smart"
    assert attributes["error.type"] == "authentication"
    assert int(attributes["llm_router.attempt.count"]) >= 1

    attempts = providers["alpha"].record["attempts"]
    assert eventually(lambda: len([span for span in collector.spans() if span["kind"] == 3]) == attempts)

    def kinds() -> set[int]:
        return {span["kind"] for span in collector.spans() if span["traceId"] == error["traceId"]}

    assert eventually(lambda: kinds() == {1, 2, 3})
    # The last of everything leaves with the end.
    app.stop()
    written = collector.logs.read_text() + collector.traces.read_text() + httpx.get(collector.metrics).text
    assert "ten-lines" in written
    assert [words for words in SECRETS if words in written] == []
