"""The Prometheus configuration: what it scrapes, and that it names files and ports that exist."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from shipped_files import PROMETHEUS, ROOT, load_yaml

CONFIG = load_yaml("prometheus.yaml")
JOBS: dict[str, dict[str, Any]] = {job["job_name"]: job for job in CONFIG["scrape_configs"]}


def targets(job: str) -> list[str]:
    return [target for entry in JOBS[job]["static_configs"] for target in entry["targets"]]


def relabelled(label: str) -> list[dict[str, Any]]:
    configs: list[dict[str, Any]] = JOBS["kubernetes-pods"]["relabel_configs"]
    return [config for config in configs if label in config["source_labels"]]


def test_several_routers_are_scraped_every_ten_seconds():
    assert len(targets("llm-router")) >= 2
    assert JOBS["llm-router"]["file_sd_configs"]
    for job in ("llm-router", "kubernetes-pods", "otel-collector"):
        assert JOBS[job]["scrape_interval"] == "10s"


def test_rule_files_lie_beside_it():
    assert CONFIG["rule_files"] == ["alerts.yaml", "recording.yaml"]
    assert all((PROMETHEUS / name).is_file() for name in CONFIG["rule_files"])


def test_alertmanager_hosts_and_prometheus_itself_are_targets():
    (manager,) = CONFIG["alerting"]["alertmanagers"]
    assert manager["static_configs"] == [{"targets": ["alertmanager:9093"]}]
    assert targets("node") == ["node-exporter:9100"]
    assert targets("prometheus") == ["localhost:9090"]


def test_the_collector_keeps_the_labels_of_routers_and_only_it_does():
    assert [name for name, job in JOBS.items() if job.get("honor_labels")] == ["otel-collector"]


@pytest.mark.parametrize(
    ("job", "variable"), [("otel-collector", "PROMETHEUS"), ("otel-collector-internal", "TELEMETRY_PORT")]
)
def test_ports_of_the_collector_are_those_of_its_configuration(job: str, variable: str):
    files = ("base.yaml", "backends/prometheus.yaml")
    collector = "".join((ROOT / "collector-config" / file).read_text(encoding="utf-8") for file in files)
    default = re.search(rf"LLM_ROUTER_COLLECTOR_{variable}:-(?:[\d.]+:)?(\d+)\}}", collector)
    assert default
    assert [target.rpartition(":")[2] for target in targets(job)] == [default[1]]


def test_pods_are_found_by_their_annotations():
    assert JOBS["kubernetes-pods"]["kubernetes_sd_configs"] == [{"role": "pod"}]
    annotation = "__meta_kubernetes_pod_annotation_prometheus_io_"
    (keep,) = relabelled(f"{annotation}scrape")
    assert (keep["action"], keep["regex"]) == ("keep", "true")
    for name, target in (("scheme", "__scheme__"), ("path", "__metrics_path__"), ("port", "__address__")):
        (config,) = relabelled(f"{annotation}{name}")
        assert config["target_label"] == target


@pytest.mark.parametrize(
    ("address", "port", "expected"),
    [
        ("10.0.0.7:8000", "9090", "10.0.0.7:9090"),
        ("10.0.0.7", "9090", "10.0.0.7:9090"),
        ("[fd00::7]:8000", "9090", "[fd00::7]:9090"),
        # Without the annotation nothing matches and the address stays.
        ("10.0.0.7:8000", "", None),
    ],
)
def test_the_annotated_port_replaces_that_of_the_pod(address: str, port: str, expected: str | None):
    (config,) = relabelled("__meta_kubernetes_pod_annotation_prometheus_io_port")
    found = re.fullmatch(config["regex"], f"{address};{port}")
    replacement = config["replacement"].replace("$", "\\")
    assert (found.expand(replacement) if found else None) == expected


def test_a_pod_of_a_router_belongs_to_the_job_of_its_name():
    (config,) = relabelled("__meta_kubernetes_pod_label_app_kubernetes_io_name")
    assert config["target_label"] == "job"


@pytest.mark.parametrize("path", sorted(PROMETHEUS.glob("*.yaml")), ids=lambda path: path.name)
def test_the_first_line_says_what_the_file_is(path: Path):
    text = path.read_text(encoding="utf-8")
    assert re.match(r"# [A-Z].+\.\n", text)
    assert yaml.safe_load(text)
