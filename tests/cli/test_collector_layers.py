"""The shipped files of the Collector's configuration: together, by name, and what they make of records."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
import yaml

from collector_command import Command
from otel_llm_router._resources import resource_dir
from otel_llm_router.cli._collector_combinations import check_combinations
from otel_llm_router.cli._collector_layers import Combination, combinations, files, names, thrown_away
from otel_llm_router.cli._collector_process import CollectorProcess
from otel_llm_router.cli._collector_settings import CollectorSettings
from otel_llm_router.logs._fields import Entry, fields_of
from otel_llm_router.signals import EVENTS

CONFIG = resource_dir("collector-config")
TRACE = "0123456789abcdef0123456789abcdef"
KEY = "sk-" + "a1" * 20


SEARCHED: dict[str, Callable[[Any], Any]] = {
    "event_type": str,
    "inference_id": str,
    "model_name": str,
    "tokens_generated": int,
    "inference_latency": float,
    "performance_category": str,
    "error_name": str,
    "error_message": str,
}
"""Fields that dashboards search by, and how they are read from OTLP/JSON."""
SAMPLES: dict[str, Any] = {"llm_router.request.duration": 7.5, "gen_ai.usage.output_tokens": 5}


def eventually(condition: Callable[[], Any], seconds: float = 20) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


def attributes(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    kinds = {str: "stringValue", float: "doubleValue", int: "intValue"}
    return [{"key": key, "value": {kinds[type(value)]: value}} for key, value in values.items()]


def post(collector: CollectorProcess, signal: str, content: Mapping[str, Any], headers: Mapping[str, str] = {}) -> int:
    url = f"{collector.otlp_http_url}/v1/{signal}"
    request = Request(url, json.dumps(content).encode(), {"Content-Type": "application/json", **headers})
    try:
        with urlopen(request, timeout=10) as answer:
            return answer.status
    except HTTPError as error:
        return error.code


def logs(*records: Mapping[str, Any]) -> dict[str, Any]:
    resource = {"attributes": attributes({"service.name": "r", "service.instance.id": "1"})}
    return {"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": list(records)}]}]}


def record(name: str, severity: int = 9, body: str = "said", **values: Any) -> dict[str, Any]:
    return {
        "timeUnixNano": str(time.time_ns()),
        "severityNumber": severity,
        "eventName": name,
        "traceId": TRACE,
        "body": {"stringValue": body},
        "attributes": attributes({key.replace("__", "."): value for key, value in values.items()}),
    }


def kept(collector: CollectorProcess) -> list[tuple[str, dict[str, Any]]]:
    """Body and attributes of each record in the file."""
    file = collector.settings.logs_file
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    return [
        (
            one["body"]["stringValue"],
            {item["key"]: next(iter(item["value"].values())) for item in one.get("attributes", ())},
        )
        for line in lines
        for resource in json.loads(line)["resourceLogs"]
        for scope in resource["scopeLogs"]
        for one in scope["logRecords"]
    ]


def spans(collector: CollectorProcess) -> set[str]:
    """Names of the spans in the file."""
    file = collector.settings.traces_file
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    return {
        span["name"]
        for line in lines
        for resource in json.loads(line)["resourceSpans"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    }


class TestCombinations:
    @pytest.mark.usefixtures("collector_binary")
    def test_the_collector_accepts_each_that_the_readme_names(self, command: Command) -> None:
        process = command("validate", "--all")
        output, error = process.communicate(timeout=120)
        assert (process.returncode, error) == (0, "")
        lines = output.splitlines()
        assert len(lines) == len(combinations()) + 1
        unchecked = [line for line in lines if not line.startswith("valid: ")][:-1]
        assert all("has no exporter loadbalancing" in line or "er kafka" in line for line in unchecked), unchecked
        assert lines[-1].startswith(f"{len(lines) - 1 - len(unchecked)} of {len(lines) - 1} combinations are valid")

    def test_every_file_is_in_a_combination_and_every_name_is_a_file(self) -> None:
        named = {name for combination in combinations() for name in combination.names}
        assert named == set(names())

    def test_one_that_is_invalid_fails(
        self, collector_binary: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        # Basic authentication without the gateway: an extension that nothing defines.
        broken = [Combination(("files",)), Combination(("gateway-basic", "files"))]
        monkeypatch.setattr("otel_llm_router.cli._collector_combinations.combinations", lambda: broken)
        assert check_combinations(collector_binary) is False
        said = capsys.readouterr()
        assert said.out.splitlines()[0] == "valid: base + files"
        assert "INVALID: base + gateway-basic + files" in said.err
        assert "bearertokenauth" in said.err

    def test_all_stands_alone(self, command: Command) -> None:
        process = command("validate", "--all", "--with", "loki")
        assert "--all stands alone" in process.communicate(timeout=20)[1]
        assert process.returncode == 2

    def test_a_name_that_is_not_there_lists_those_that_are(self, command: Command) -> None:
        process = command("run", "--with", "prometeus")
        _, error = process.communicate(timeout=20)
        assert process.returncode == 1
        assert error.startswith(
            "Error: there is no collector configuration named prometeus; there are agent, collector, "
        )

    def test_a_variable_that_is_not_set_is_named(self, command: Command) -> None:
        process = command("run", "--with", "newrelic")
        _, error = process.communicate(timeout=20)
        assert process.returncode == 1
        assert error.startswith("Error: the configuration needs LLM_ROUTER_COLLECTOR_NEWRELIC_KEY: ")

    def test_what_no_back_end_takes_is_known(self, tmp_path: Path) -> None:
        assert thrown_away(files(["loki"])) == ["metrics", "traces"]
        assert thrown_away(files(["prometheus", "files"])) == []
        own = tmp_path / "own.yaml"
        own.write_text("service: {pipelines: {traces/mine: {receivers: [forward], exporters: [debug]}}}")
        assert thrown_away((*files(["loki"]), own)) == ["metrics"]


LAYERS: dict[str, dict[str, Any]] = {
    path.stem: yaml.safe_load(path.read_text()) for path in CONFIG.rglob("*.yaml") if "\nservice:" in path.read_text()
}


def parts(name: str, section: str) -> dict[str, Any]:
    """The components of a section of a file."""
    return LAYERS[name].get(section) or {}


class TestRules:
    """What holds for every file."""

    @pytest.mark.parametrize("name", LAYERS)
    def test_nothing_that_is_acknowledged_waits_in_memory(self, name: str) -> None:
        for id_, exporter in parts(name, "exporters").items():
            kind = id_.partition("/")[0]
            # These answer for themselves, or say in their file that they have no queue on disk.
            if kind in {"nop", "file", "prometheus", "prometheusremotewrite"}:
                continue
            queue = exporter["sending_queue"]
            assert queue["storage"] == "file_storage"
            assert queue["block_on_overflow"] is False, "a full queue would hold up the other back ends"
            if kind != "elasticsearch":
                assert exporter["retry_on_failure"]["max_elapsed_time"] == 0
        assert not any(id_.partition("/")[0] == "batch" for id_ in parts(name, "processors"))

    @pytest.mark.parametrize("name", LAYERS)
    def test_memory_is_limited_where_records_come_in(self, name: str) -> None:
        for pipeline in LAYERS[name]["service"].get("pipelines", {}).values():
            receivers = [one for one in pipeline.get("receivers", ()) if one.partition("/")[0] != "forward"]
            assert not receivers or pipeline["processors"][0] == "memory_limiter"

    @pytest.mark.parametrize("name", LAYERS)
    def test_it_listens_on_the_loopback_interface_unless_told(self, name: str) -> None:
        text = next(path for path in CONFIG.rglob(f"{name}.yaml")).read_text()
        assert "0.0.0.0" not in text
        assert "[::]" not in text

    @pytest.mark.parametrize("name", LAYERS)
    def test_a_statement_that_fails_stops_nothing(self, name: str) -> None:
        for id_, processor in parts(name, "processors").items():
            if id_.partition("/")[0] in {"transform", "filter"}:
                assert processor["error_mode"] == "ignore"

    def test_names_of_metrics_are_translated_alike(self) -> None:
        assert (
            LAYERS["prometheus"]["exporters"]["prometheus"]["translation_strategy"] == "UnderscoreEscapingWithSuffixes"
        )
        assert LAYERS["prometheus-remote-write"]["exporters"]["prometheusremotewrite"]["add_metric_suffixes"] is True


class TestRecords:
    def test_logs_get_the_fields_that_dashboards_search_by(self, running: CollectorProcess) -> None:
        said = [
            record("llm_router.inference.error", 17, "boom", llm_router__request__model="smart", error__type="timeout"),
            record(
                "llm_router.inference.completed",
                gen_ai__response__model="m",
                gen_ai__usage__output_tokens=5,
                inference_latency=10.5,
            ),
            record("llm_router.inference.completed", inference_latency=10.0, inference_id="abc"),
            record(
                "gen_ai.client.inference.operation.details", inference_latency=5.0, gen_ai__response__id="chatcmpl-1"
            ),
            record("llm_router.model.loaded", model="x"),
            record("llm_router.model.load_failed", 17, "no file", model="x"),
            record("", 17, "a library's"),
            record("", body="plain"),
        ]
        assert post(running, "logs", logs(*said)) == 200
        wanted = (
            "event_type",
            "inference_id",
            "model_name",
            "tokens_generated",
            "performance_category",
            "error_name",
            "error_message",
        )
        found = [[values.get(field) for field in wanted] for _, values in kept(running)]
        assert found == [
            ["error", None, "smart", None, None, "timeout", "boom"],
            ["inference", None, "m", "5", "slow", None, None],
            ["inference", "abc", None, None, "medium", None, None],
            ["inference", "chatcmpl-1", None, None, "fast", None, None],
            ["model", None, "x", None, None, None, None],
            ["error", None, "x", None, None, None, "no file"],
            ["error", None, None, None, None, None, "a library's"],
            [None] * 7,
        ]
        # A statement that fails is a line for each record.
        assert "\twarn\t" not in running.log_text()

    def test_events_have_the_same_fields_as_in_our_log_lines(self, running: CollectorProcess) -> None:
        expected: list[dict[str, Any]] = []
        for event in EVENTS:
            number = 17 if event.severity == "ERROR" else 9
            values = {one.key: SAMPLES.get(one.key, f"a {one.key}") for one in event.attributes}
            line = fields_of(Entry("application", 0, number, "said", values, event.name, 1, 1, "otel_llm_router", {}))
            expected.append({name: line.get(name) for name in ("event_name", *SEARCHED)})
            said = {**record(event.name, number), "attributes": attributes(values)}
            assert post(running, "logs", logs(said)) == 200
        found = [
            {name: SEARCHED.get(name, str)(values[name]) if name in values else None for name in expected[0]}
            for _, values in kept(running)
        ]
        assert found == expected
        kinds = {str(one["event_name"]): one["event_type"] for one in found}
        assert (
            kinds["llm_router.inference.aborted"] == kinds["gen_ai.client.inference.operation.details"] == "inference"
        )
        assert kinds["llm_router.http.request"] is kinds["llm_router.metrics.summary"] is None
        audit = {name: kind for name, kind in kinds.items() if name.startswith("llm_router.audit.") and kind}
        assert audit == {"llm_router.audit.anomaly": "error"}

    def test_secrets_stop_here(self, running: CollectorProcess) -> None:
        jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln"
        said = record(
            "x",
            body=f"with {KEY} and Bearer {jwt}",
            api_key="short",
            url="postgres://me:pass@host/db",
            gen_ai__usage__output_tokens=7,
        )
        assert post(running, "logs", logs(said)) == 200
        span = {
            "name": "s",
            "traceId": TRACE,
            "spanId": "1" * 16,
            "attributes": attributes(
                {
                    "http.request.header.authorization": "Basic abc",
                    "note": f"key {KEY}",
                    "task-list": "task-one-two-three-four-five-six",
                }
            ),
        }
        assert post(running, "traces", {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}) == 200
        written = running.settings.logs_file.read_text() + running.settings.traces_file.read_text()
        assert [secret for secret in (KEY, jwt, "short", "me:pass", "Basic abc") if secret in written] == []
        assert kept(running)[0][1]["gen_ai.usage.output_tokens"] == "7"
        assert "task-one-two-three-four-five-six" in written

    def test_labels_that_name_one_request_make_no_series(self, running: CollectorProcess) -> None:
        points = [
            {"timeUnixNano": "1", "asInt": "1", "attributes": attributes(values)}
            for values in (
                {"model": "m"},
                {"model": "m", "user.id": "u"},
                {"trace_id": TRACE},
                {f"l{n}": "v" for n in range(33)},
            )
        ]
        metric = {"name": "some.level", "gauge": {"dataPoints": points}}
        assert post(running, "metrics", {"resourceMetrics": [{"scopeMetrics": [{"metrics": [metric]}]}]}) == 200
        with urlopen(running.prometheus_url, timeout=5) as answer:
            lines = [line for line in answer.read().decode().splitlines() if line.startswith("some_level")]
        assert lines == ['some_level{model="m"} 1']


class TestLayers:
    def settings(self, directory: Path, *chosen: str, **variables: str) -> CollectorSettings:
        given = {f"LLM_ROUTER_COLLECTOR_{name}": value for name, value in variables.items()}
        return replace(CollectorSettings.on_free_ports(directory, configs=files(chosen)), variables=given)

    def test_a_gateway_asks_who_sends(self, collector_binary: Path, tmp_path: Path) -> None:
        settings = self.settings(
            tmp_path, "gateway", "gateway-basic", "files", GATEWAY_TOKEN="t", GATEWAY_USER="u", GATEWAY_PASSWORD="p"
        )
        basic = base64.b64encode(b"u:p").decode()
        with CollectorProcess(collector_binary, settings, log=tmp_path / "log") as collector:
            assert post(collector, "logs", logs(record("x"))) == 401
            assert post(collector, "logs", logs(record("x")), {"Authorization": "Bearer t"}) == 401
            assert post(collector, "logs", logs(record("x")), {"Authorization": f"Basic {basic}"}) == 200
        assert len(kept(collector)) == 1

    def test_a_gateway_keeps_the_traces_that_matter(self, collector_binary: Path, tmp_path: Path) -> None:
        settings = self.settings(
            tmp_path, "gateway", "files", GATEWAY_TOKEN="t", DECISION_WAIT="1s", TRACES_PERCENT="0"
        )

        def span(name: str, seconds: float = 1, **more: Any) -> dict[str, Any]:
            number = f"{abs(hash(name)):032x}"[-32:]
            values = {"name": name, "traceId": number, "spanId": number[-16:], "startTimeUnixNano": "1000000000"}
            return {**values, "endTimeUnixNano": str(int((1 + seconds) * 1e9)), **more}

        sent = [
            span("usual"),
            span("failed", status={"code": 2}),
            span("slow", 11),
            span("expensive", attributes=attributes({"llm_router.cost.usd": 0.5})),
            span("cheap", attributes=attributes({"llm_router.cost.usd": 0.05})),
            span("aborted", attributes=attributes({"llm_router.outcome": "aborted"})),
        ]
        with CollectorProcess(collector_binary, settings, log=tmp_path / "log") as collector:
            body = {"resourceSpans": [{"scopeSpans": [{"spans": sent}]}]}
            assert post(collector, "traces", body, {"Authorization": "Bearer t"}) == 200
            assert eventually(lambda: len(spans(collector)) >= 4)
        assert spans(collector) == {"failed", "slow", "expensive", "aborted"}

    def test_json_lines_are_tailed_from_where_it_stopped(self, collector_binary: Path, tmp_path: Path) -> None:
        log = tmp_path / "audit.log"
        settings = self.settings(tmp_path, "tail-files", "files", TAIL=str(tmp_path / "*.log"))
        line = {
            "timestamp": "2026-11-21T10:11:12.345Z",
            "level": "error",
            "message": "no",
            "trace_id": TRACE,
            "service": "r",
            "pid": 4711,
            "error_name": "E",
            "tokens_generated": 5,
        }
        log.write_text(json.dumps(line) + "\nnot JSON\n")
        for round_ in (1, 2):
            with CollectorProcess(collector_binary, settings, log=tmp_path / f"collector.{round_}") as collector:
                assert eventually(lambda seen=1 + round_: len(kept(collector)) == seen)
            with log.open("a") as file:
                file.write(json.dumps(line | {"message": "again"}) + "\n")
        assert [body for body, _ in kept(collector)] == ["no", "not JSON", "again"]
        (first, *_) = settings.logs_file.read_text().splitlines()
        one = json.loads(first)["resourceLogs"][0]
        pid = {"key": "process.pid", "value": {"intValue": "4711"}}
        assert one["resource"]["attributes"] == [*attributes({"service.name": "r"}), pid]
        written = one["scopeLogs"][0]["logRecords"][0]
        assert (written["severityNumber"], written["severityText"], written["traceId"]) == (17, "ERROR", TRACE)
        assert written["timeUnixNano"] == "1795255872345000000"
        assert (
            kept(collector)[0][1]
            | {"event_type": "error", "error_name": "E", "error_message": "no", "tokens_generated": "5"}
            == kept(collector)[0][1]
        )
