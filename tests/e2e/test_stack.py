"""An application, our Collector, Prometheus and OpenSearch, all real: what is sent is what is found, whoever is killed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from otel_llm_router._resources import resource_dir
from otel_llm_router.cli._progress import StderrProgress
from otel_llm_router.cli.demo._samples import Samples
from otel_llm_router.cli.stack._engine import EngineMissingError
from otel_llm_router.cli.stack._go_engines import GO_ENGINES, PROMTOOL
from otel_llm_router.signals import INSTRUMENTS, Instrument, Kind
from running import BIN, HERE, environment, free_port
from stack_command import PATHS, Numbered, Stack
from test_ten_lines import eventually

SERVICE = "every-instrument"
CONFIG = resource_dir("collector-config") / "prometheus"

NOT_RECORDED = {
    "llm_router.cache.server.evictions",
    "llm_router.cache.server.hits",
    "llm_router.cache.server.misses",
    "llm_router.cache.server.up",
    "llm_router.access.unusual",
    "llm_router.audit.failures",
    "llm_router.audit.lost",
    "llm_router.audit.records",
    "llm_router.instrumentation.degraded",
    "llm_router.telemetry.dropped",
    "llm_router.telemetry.export.failures",
    "llm_router.telemetry.log_lines.dropped",
    "llm_router.telemetry.recovered",
    "llm_router.telemetry.redaction.dropped",
    "llm_router.telemetry.resent",
    "llm_router.telemetry.spooled",
}
"""What takes a Redis, a broken library, a full disk, an outage, an audit file, an attack, or more text than is looked at."""

OWN_PACE = (
    "llm_router_process_",
    "llm_router_telemetry_",
    "llm_router_health_",
    "llm_router_cooldown_remaining",
    "llm_router_deployment_state",
)
"""Names of what changes from one reading to the next, without anybody doing anything."""

PLACE = {"job", "instance", "path"}
"""Labels that say where a series came from."""

FIELDS = {
    "event_type": "inference",
    "inference_id": "request-1",
    "model_name": "gpt-4o",
    "tokens_generated": 42,
    "inference_latency": 12.5,
    "performance_category": "slow",
    "event_name": "llm_router.inference.completed",
    "message": "a request was answered",
}
OF_AN_ERROR = {"event_type": "error", "error_name": "ValueError", "error_message": "no JSON"}


@pytest.fixture(scope="module")
def scrape_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, scrape_port: int) -> Generator[Stack]:
    """A running stack; its engines are built, unless the cache has them."""
    found = Stack(tmp_path_factory.mktemp("engines"), f"127.0.0.1:{scrape_port}")
    found.up()
    yield found
    done = found.run("down", "--purge")
    assert done.returncode == 0, done.stderr
    assert found.has_ended()
    assert [path.name for path in found.directory.iterdir()] == ["stack.lock"]
    assert found.run("status").returncode == 1


@pytest.fixture(scope="module")
def recorded(stack: Stack, scrape_port: int, tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """An application that has recorded everything, and is still there; the URL of its own endpoint."""
    own = {
        "PYTHONPATH": f"{HERE.parents[1]}:{HERE.parent}",
        "OTEL_SERVICE_NAME": SERVICE,
        "OTEL_RESOURCE_ATTRIBUTES": "service.version=1.2.3,deployment.environment.name=test",
        "OTEL_EXPORTER_OTLP_ENDPOINT": stack.endpoint,
        "OTEL_METRIC_EXPORT_INTERVAL": "1000",
        "OTEL_BLRP_SCHEDULE_DELAY": "200",
        "OTEL_LLM_ROUTER_SCRAPE_PORT": str(scrape_port),
        "OTEL_LLM_ROUTER_LOG_FILE": str(tmp_path_factory.mktemp("lines") / "app.log"),
        "OTEL_LLM_ROUTER_GENAI_METRICS": "both",
        "OTEL_LLM_ROUTER_ATTRIBUTION": "user,team,key,organization",
    }
    command = [BIN / "opentelemetry-instrument", sys.executable, HERE / "every_instrument.py"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=environment(**own), stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "recorded\n"
        yield f"http://127.0.0.1:{scrape_port}/metrics"
        process.communicate("", timeout=60)


def shown(one: Instrument) -> set[str]:
    """Names under which Prometheus has an instrument."""
    if one.kind is not Kind.HISTOGRAM:
        return {one.prometheus_name}
    return {f"{one.prometheus_name}_{part}" for part in ("bucket", "sum", "count")}


DECLARED = {name for one in INSTRUMENTS if one.name not in NOT_RECORDED for name in shown(one)}


def ours(names: set[str]) -> set[str]:
    return {name for name in names if name.startswith(("llm_router_", "gen_ai_"))}


def series(labels: dict[str, str], value: float) -> tuple[frozenset[tuple[str, str]], float]:
    # To Prometheus an empty label is none.
    kept = {key: text for key, text in labels.items() if text and key not in {*PLACE, "__name__"}}
    if "le" in kept:
        kept["le"] = f"{float(kept['le']):g}"
    return frozenset(kept.items()), value


def test_every_instrument_is_in_prometheus_by_every_way_under_the_name_that_the_router_serves(
    stack: Stack, recorded: str
) -> None:
    for way, path in PATHS.items():
        assert eventually(lambda path=path: stack.names(job=SERVICE, path=path) >= DECLARED, 60), (
            way,
            DECLARED - stack.names(job=SERVICE, path=path),
        )
    assert eventually(lambda: stack.names(job="llm-router") >= DECLARED, 60)
    served = Samples.of_text(httpx.get(recorded).text)
    assert [name for name in DECLARED if not served.has(name)] == []
    for path in PATHS.values():
        # Recording rules make series of the exporter endpoint's alone; their names are none of ours.
        assert ours(stack.names(job=SERVICE, path=path)) == ours(stack.names(job="llm-router"))


def test_every_number_is_the_one_that_the_router_serves(stack: Stack, recorded: str) -> None:
    served = Samples.of_text(httpx.get(recorded).text)
    names = [name for name in DECLARED if not name.startswith(OWN_PACE)]
    expected = {name: dict(series(dict(k), v) for k, v in served.series(name).items()) for name in names}
    assert len(names) > 80

    def found(path: str) -> dict[str, Any]:
        result: dict[str, Any] = {name: {} for name in names}
        for one in stack.query(f'{{__name__=~"llm_router_.+|gen_ai_.+",job="{SERVICE}",path="{path}"}}'):
            if (name := one["metric"]["__name__"]) in result:
                labels, value = series(one["metric"], float(one["value"][1]))
                result[name][labels] = value
        return result

    for way, path in PATHS.items():
        assert eventually(lambda path=path: found(path) == expected, 60), (
            way,
            {name: (value, expected[name]) for name, value in found(path).items() if value != expected[name]},
        )


@pytest.mark.usefixtures("recorded")
def test_every_field_of_a_log_record_is_in_opensearch(stack: Stack) -> None:
    def found(message: str) -> list[dict[str, Any]]:
        return stack.search(query={"match_phrase": {"message": message}})

    assert eventually(lambda: found("a request was answered") and found("an answer could not be read"), 60)
    (record,) = found("a request was answered")
    assert {name: record.get(name) for name in FIELDS} == FIELDS
    assert record["service"]["name"] == SERVICE
    assert record["service"]["version"] == "1.2.3"
    assert record["service"]["environment"] == "test"
    assert record["host"]["name"] or record["host"]["hostname"]
    assert record["process"]["pid"] > 0
    assert record["log"]["level"] == "INFO"
    assert len(record["trace"]["id"]) == 32
    assert len(record["span"]["id"]) == 16
    assert record["@timestamp"].endswith("Z")
    (error,) = found("an answer could not be read")
    assert {name: error.get(name) for name in OF_AN_ERROR} == OF_AN_ERROR
    assert error["log"]["level"] == "ERROR"
    url = f"{stack.url('opensearch')}/_cat/indices/llm-router-logs-*?h=index&format=json"
    day = record["@timestamp"][:10].replace("-", ".")
    assert f"llm-router-logs-{day}" in [one["index"] for one in httpx.get(url).json()]


def test_it_answers_with_our_rules(stack: Stack) -> None:
    groups = httpx.get(f"{stack.url('prometheus')}/api/v1/rules").json()["data"]["groups"]
    loaded = {rule["name"] for group in groups for rule in group["rules"]}
    files = [yaml.safe_load(path.read_text()) for path in sorted(CONFIG.glob("*.yaml"))]
    rules = [rule for one in files for group in one.get("groups", ()) for rule in group["rules"]]
    assert loaded == {rule.get("alert") or rule["record"] for rule in rules}
    assert [rule["lastError"] for group in groups for rule in group["rules"] if rule.get("lastError")] == []


def test_up_again_changes_nothing(stack: Stack) -> None:
    before = dict(stack.engines)
    assert stack.up() == before
    assert stack.status() == (0, dict.fromkeys(before, "ready"))


def test_nothing_acknowledged_is_lost_when_the_collector_and_each_back_end_are_killed(stack: Stack) -> None:
    sender = Numbered(stack.endpoint)
    before = dict(stack.engines)
    with sender.sending():
        sender.wait_for(50)
        stack.kill("opensearch")
        sender.wait_for(50)
        stack.kill("prometheus")
        sender.wait_for(50)
        stack.kill("collector")
        assert eventually(lambda: stack.status() == (1, dict.fromkeys(before, "ended")))
        after = stack.up()
        assert {name: one["ports"] for name, one in after.items()} == {
            name: one["ports"] for name, one in before.items()
        }
        assert not {one["pid"] for one in after.values()} & {one["pid"] for one in before.values()}
        sender.wait_for(50)
        stack.kill("prometheus")
        assert eventually(lambda: stack.status()[0] == 3)
        stack.up()
        sender.wait_for(50)

    def logs() -> set[int]:
        found = stack.search(query={"match_phrase": {"message": "numbered"}}, _source=["log.record.uid"])
        return {int(one["log"]["record"]["uid"].removeprefix("numbered-")) for one in found}

    def metrics() -> set[int]:
        found = stack.query('numbered_sent{path="otlp"}[20m]')
        return {int(float(value)) for one in found for _, value in one["values"]}

    assert eventually(lambda: sender.logs <= logs(), 180), (sorted(sender.logs - logs()), stack.errors())
    assert eventually(lambda: sender.metrics <= metrics(), 180), (sorted(sender.metrics - metrics()), stack.errors())


@pytest.fixture
def shipped_config(tmp_path: Path) -> Path:
    """The configuration that is shipped, as a Prometheus without discovery of clouds takes it."""
    for path in CONFIG.glob("*.yaml"):
        (tmp_path / path.name).write_text(path.read_text())
    config = tmp_path / "prometheus.yaml"
    content = yaml.safe_load(config.read_text())
    # Pods are found with Kubernetes' client, which the small build leaves out.
    content["scrape_configs"] = [job for job in content["scrape_configs"] if "kubernetes_sd_configs" not in job]
    config.write_text(yaml.safe_dump(content))
    return config


def test_prometheus_starts_with_the_configuration_that_is_shipped(
    shipped_config: Path, prometheus: Callable[[Path], tuple[bool, str]]
) -> None:
    ready, said = prometheus(shipped_config)
    assert ready, said


@pytest.mark.parametrize("file", ["prometheus.yaml", "alerts.yaml", "recording.yaml"])
def test_prometheus_does_not_start_with_a_slip_in_it(
    shipped_config: Path, prometheus: Callable[[Path], tuple[bool, str]], file: str
) -> None:
    slip = shipped_config.with_name(file)
    slip.write_text(slip.read_text().replace("expr: ", "expr: )", 1) + "\nslip: 1\n")
    ready, said = prometheus(shipped_config)
    assert not ready
    assert file in said


@pytest.fixture
def prometheus(tmp_path: Path) -> Callable[[Path], tuple[bool, str]]:
    """Start Prometheus with a configuration; return whether it becomes ready, and what it said."""
    program = GO_ENGINES["prometheus"].find(StderrProgress()).program

    def start(config: Path) -> tuple[bool, str]:
        address = f"127.0.0.1:{free_port()}"
        arguments = [f"--config.file={config}", f"--storage.tsdb.path={tmp_path / 'data'}"]
        log = tmp_path / "prometheus.log"
        with (
            log.open("wb") as out,
            subprocess.Popen(
                [program, *arguments, f"--web.listen-address={address}"], stdout=out, stderr=out
            ) as process,
        ):

            def ready() -> bool:
                try:
                    return httpx.get(f"http://{address}/-/ready").status_code == 200
                except httpx.HTTPError:
                    return False

            assert eventually(lambda: process.poll() is not None or ready(), 60), log.read_text()
            running = process.poll() is None
            process.terminate()
        return running, log.read_text()

    return start


def test_promtool_accepts_what_is_shipped() -> None:
    try:
        promtool = GO_ENGINES[PROMTOOL].find(StderrProgress(), build=False).program
    except EngineMissingError as error:
        pytest.skip(f"{error.message} Prometheus itself has loaded the same files above.")
    for check in (["check", "config", "prometheus.yaml"], ["check", "rules", "alerts.yaml", "recording.yaml"]):
        done = subprocess.run([promtool, *check], cwd=CONFIG, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
