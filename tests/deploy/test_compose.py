"""The Compose file: valid by its schema, and everything that it wires together is there."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema.validators import validator_for

from manifests import COMPOSE, CONFIG, ROOT, Document, compose, mebibytes, read_by

CONTENT = compose()
SERVICES: dict[str, Document] = CONTENT["services"]
COLLECTORS = [name for name, one in SERVICES.items() if "collector-contrib" in one.get("image", "")]
PROMETHEUS: Document = yaml.safe_load((COMPOSE / "prometheus.yaml").read_text())
SOURCES: list[Document] = yaml.safe_load((COMPOSE / "grafana/datasources/datasources.yaml").read_text())["datasources"]
# What each service listens on inside, beside what it publishes.
INSIDE = {"opensearch-proxy": {9200}, "tempo": {3200, 4318}, "kafka": {9092}, "relay": {9095}, "prometheus": {9090}}
# Their images have no shell to run a check in.
UNCHECKED = {*COLLECTORS, "tempo", "opensearch-proxy"}
ONCE = {"own-volumes", "index-pattern"}


def schema() -> Any:
    path = files("check_jsonschema") / "builtin_schemas" / "vendor" / "compose-spec.json"
    return json.loads(path.read_text(encoding="utf-8"))


def ports_inside(name: str) -> set[int]:
    published = {int(port.rpartition(":")[2]) for port in SERVICES[name].get("ports", [])}
    return published | INSIDE.get(name, set())


def mounts(name: str) -> dict[str, str]:
    """Where each mount of a service leads, by its path inside."""
    return {entry.split(":")[1]: entry.split(":")[0] for entry in SERVICES[name].get("volumes", [])}


def test_it_is_a_compose_file():
    rules = schema()
    validator: Any = validator_for(rules)(rules)
    assert [error.message for error in validator.iter_errors(CONTENT)] == []
    assert list(validator.iter_errors({**CONTENT, "services": {"x": {"imagee": "y"}}}))


def test_every_variable_has_a_default_or_says_that_it_is_needed():
    text = (COMPOSE / "compose.yaml").read_text()
    assert set(re.findall(r"(?<!\$)\$\{(\w+)\}", text)) == set()
    assert set(re.findall(r"(?<!\$)\$\{(\w+):\?", text)) == {"GRAFANA_ADMIN_PASSWORD"}


def test_only_this_machine_reaches_the_ports():
    published = [port for one in SERVICES.values() for port in one.get("ports", [])]
    assert len(published) > 8
    assert all(port.startswith("127.0.0.1:") for port in published)
    hosts = [port.rpartition(":")[0] for port in published]
    assert len(set(hosts)) == len(hosts)
    # A router's own port stays free.
    assert "127.0.0.1:9090" not in hosts


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_pinned_bounded_and_without_rights(name: str):
    one = SERVICES[name]
    assert re.search(r":v?\d+\.\d+(\.\d+)?(-alpine)?$", one["image"]) if "image" in one else "build" in one
    assert one["cap_drop"] == ["ALL"]
    assert one["security_opt"] == ["no-new-privileges:true"]
    assert one["logging"]["options"]["max-size"]
    assert ("restart" in one) == (name not in ONCE)
    assert ("healthcheck" in one) == (name not in {*UNCHECKED, *ONCE})


@pytest.mark.parametrize("name", SERVICES)
def test_what_a_service_mounts_is_there(name: str):
    for target, source in mounts(name).items():
        if source.startswith("."):
            assert (COMPOSE / source).resolve().exists(), f"{source} for {target}"
        else:
            assert source in CONTENT["volumes"], source


@pytest.mark.parametrize("name", SERVICES)
def test_what_a_service_waits_for_can_come(name: str):
    needed = SERVICES[name].get("depends_on", {})
    for other, how in needed.items():
        assert not SERVICES[other].get("profiles") or SERVICES[other]["profiles"] == SERVICES[name].get("profiles")
        assert how["condition"] != "service_healthy" or "healthcheck" in SERVICES[other]
        assert (how["condition"] == "service_completed_successfully") == (other in ONCE)


def test_volumes_of_services_that_are_not_root_are_given_to_them():
    given = set(mounts("own-volumes").values())
    owned = {source for name in (*COLLECTORS, "tempo", "alertmanager") for source in mounts(name).values()}
    assert given == {source for source in owned if not source.startswith(".")}


@pytest.mark.parametrize("name", COLLECTORS)
def test_a_collector_has_its_files_and_every_variable(name: str):
    one = SERVICES[name]
    prefix = "--config=/etc/otel-collector/"
    assert all(argument.startswith(prefix) for argument in one["command"])
    assert (COMPOSE / mounts(name)["/etc/otel-collector"]).resolve() == CONFIG
    texts = [(CONFIG / argument.removeprefix(prefix)).read_text() for argument in one["command"]]
    values = one["environment"]
    assert set[str]().union(*(read_by(text)[0] for text in texts)) <= set(values)
    known = set[str]().union(*(read_by(path.read_text())[1] for path in CONFIG.rglob("*.yaml")))
    assert {variable for variable in values if variable.startswith("LLM_ROUTER_")} <= known
    (queue,) = [target for target, source in mounts(name).items() if source.startswith("queue")]
    assert values["LLM_ROUTER_COLLECTOR_STORAGE"].startswith(f"{queue}/")
    assert values["LLM_ROUTER_COLLECTOR_INSTANCE"] == name
    limiter = float(values["LLM_ROUTER_COLLECTOR_MEMORY_LIMIT_MIB"])
    assert mebibytes(values["GOMEMLIMIT"]) == 0.8 * limiter
    assert limiter <= 0.8 * mebibytes(one["mem_limit"])


def test_collectors_do_not_share_a_queue():
    assert len({mounts(name)["/var/lib/otelcol"] for name in COLLECTORS}) == len(COLLECTORS) == 3


def test_what_is_published_of_a_collector_is_what_it_listens_on():
    for name in COLLECTORS:
        values = SERVICES[name]["environment"]
        listening = {int(value.rpartition(":")[2]) for value in values.values() if value.startswith("0.0.0.0:")}
        assert ports_inside(name) <= listening


def addresses(text: str) -> set[tuple[str, int]]:
    return {(host, int(port)) for host, port in re.findall(r"(?:http://|\")?\b([a-z][a-z-]+):(\d{2,5})\b", text)}


@pytest.mark.parametrize(
    "text",
    [
        *(json.dumps(SERVICES[name]["environment"]) for name in COLLECTORS),
        json.dumps(SERVICES["opensearch-dashboards"]["environment"]),
        json.dumps(SERVICES["index-pattern"]["command"]),
        json.dumps(SOURCES),
        (COMPOSE / "opensearch-proxy/default.conf").read_text(),
        json.dumps(PROMETHEUS),
    ],
    ids=[*COLLECTORS, "opensearch-dashboards", "index-pattern", "data sources", "proxy", "prometheus"],
)
def test_every_address_is_a_service_and_its_port(text: str):
    found = {(host, port) for host, port in addresses(text) if host != "localhost"}
    assert found
    for host, port in found:
        assert host in SERVICES, host
        assert port in ports_inside(host), (host, port)


def test_prometheus_finds_every_collector():
    jobs = {job["job_name"]: job for job in PROMETHEUS["scrape_configs"]}
    for job, variable in (("otel-collector", "PROMETHEUS"), ("otel-collector-internal", "TELEMETRY_PORT")):
        (found,) = jobs[job]["dns_sd_configs"]
        (alias,) = found["names"]
        named = {name for name in COLLECTORS if alias in SERVICES[name]["networks"]["default"]["aliases"]}
        backends = {
            name for name in COLLECTORS if any("backends/prometheus.yaml" in one for one in SERVICES[name]["command"])
        }
        assert named == (backends if job == "otel-collector" else set(COLLECTORS))
        values = SERVICES[COLLECTORS[0]]["environment"]
        text = (CONFIG / "base.yaml").read_text() + (CONFIG / "backends" / "prometheus.yaml").read_text()
        default = re.search(rf"LLM_ROUTER_COLLECTOR_{variable}:-(?:[\d.]+:)?(\d+)\}}", text)
        assert default
        assert str(found["port"]) == values.get(f"LLM_ROUTER_COLLECTOR_{variable}", default[1]).rpartition(":")[2]
    # The routers' own labels count, and there is one path for their metrics.
    assert jobs["otel-collector"]["honor_labels"] is True
    assert "llm-router" not in jobs


def test_prometheus_loads_all_rules():
    (pattern,) = PROMETHEUS["rule_files"]
    rules = {
        target: source for target, source in mounts("prometheus").items() if target.startswith("/etc/prometheus/rules/")
    }
    assert pattern == "rules/*.yaml"
    assert {Path(target).name for target in rules} == {"alerts.yaml", "recording.yaml", "escalation.yaml"}
    for source in rules.values():
        assert yaml.safe_load((COMPOSE / source).read_text())["groups"]


def test_alertmanager_is_told_where_its_files_are():
    config = SERVICES["alertmanager"]["command"][0].removeprefix("--config.file=")
    directory = mounts("alertmanager")["/etc/alertmanager"]
    assert config == f"/etc/alertmanager/{(COMPOSE / directory / 'alertmanager.yaml').name}"
    assert mounts("prometheus")["/etc/prometheus/rules/escalation.yaml"] == f"{directory}/escalation.yaml"
    assert PROMETHEUS["alerting"]["alertmanagers"] == [{"static_configs": [{"targets": ["alertmanager:9093"]}]}]


def test_grafana_has_data_sources_and_our_dashboards():
    uids = [source["uid"] for source in SOURCES]
    assert len(set(uids)) == len(uids)
    assert set(
        re.findall(r"datasourceUid: (\S+)", (COMPOSE / "grafana/datasources/datasources.yaml").read_text())
    ) <= set(uids)
    assert [source["type"] for source in SOURCES if source.get("isDefault")] == ["prometheus"]
    (provider,) = yaml.safe_load((COMPOSE / "grafana/dashboards/dashboards.yaml").read_text())["providers"]
    source = mounts("grafana")[provider["options"]["path"]]
    dashboards = list((COMPOSE / source).resolve().glob("*.json"))
    assert dashboards == list((ROOT / "dashboards").glob("*.json"))
    types = {source["type"] for source in SOURCES}
    for path in dashboards:
        model: Document = json.loads(path.read_text())
        variables = {one["name"]: one["query"] for one in model["templating"]["list"] if one["type"] == "datasource"}
        for panel in model["panels"]:
            if panel.get("datasource"):
                # A uid of ours, or a variable that is filled with a data source of a type that is provisioned.
                uid = panel["datasource"]["uid"]
                assert uid in uids or variables[uid.strip("${}")] in types


def test_grafana_reads_provisioning_where_it_looks():
    where = {target for target in mounts("grafana") if target.startswith("/etc/grafana/provisioning/")}
    assert {Path(target).parent.name for target in where} == {"datasources", "dashboards"}


def test_traces_end_where_tempo_listens():
    tempo: Document = yaml.safe_load((COMPOSE / "tempo.yaml").read_text())
    endpoint = tempo["distributor"]["receivers"]["otlp"]["protocols"]["http"]["endpoint"]
    sent = {SERVICES[name]["environment"]["LLM_ROUTER_COLLECTOR_TRACES"] for name in COLLECTORS}
    assert sent == {f"http://tempo:{endpoint.rpartition(':')[2]}"}
    assert tempo["server"]["http_listen_port"] in ports_inside("tempo")
    paths = [tempo["storage"]["trace"]["wal"]["path"], tempo["storage"]["trace"]["local"]["path"]]
    assert all(path.startswith("/var/tempo/") for path in paths)
    assert mounts("tempo")["/var/tempo"] == "tempo"


def test_dashboards_look_where_logs_are_written():
    text = (CONFIG / "backends" / "opensearch.yaml").read_text()
    index = re.search(r"LLM_ROUTER_COLLECTOR_OPENSEARCH_INDEX:-([a-z-]+)", text)
    assert index
    (body,) = [json.loads(one) for one in SERVICES["index-pattern"]["command"] if one.startswith("{")]
    assert body["attributes"]["title"] == f"{index[1]}-*"


def test_kafka_comes_only_when_it_is_asked_for_and_collectors_stand_on_both_sides():
    kafka = {name for name, one in SERVICES.items() if one.get("profiles") == ["kafka"]}
    assert kafka == {"kafka", "collector-kafka-in", "collector-kafka-out"}
    commands = {name: " ".join(SERVICES[name]["command"]) for name in kafka if name != "kafka"}
    assert "kafka/produce.yaml" in commands["collector-kafka-in"]
    assert "kafka/consume.yaml" in commands["collector-kafka-out"]


def test_images_of_collectors_are_the_version_that_is_tested():
    version = yaml.safe_load((CONFIG / "builder" / "builder.yaml").read_text())["dist"]["version"]
    assert {SERVICES[name]["image"].rpartition(":")[2] for name in COLLECTORS} == {version}
