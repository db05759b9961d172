"""The manifests for Kubernetes: valid for the oldest and the newest version, and at one with the Collector's files."""

from __future__ import annotations

import importlib
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

import operator_schema
from manifests import (
    CONFIG,
    KUBERNETES,
    OVERLAYS,
    Document,
    config_maps,
    container,
    documents,
    environment,
    identity,
    mebibytes,
    overlay,
    pick,
    queues,
    read_by,
    workloads,
)
from otel_llm_router.signals import INSTRUMENTS

kubernetes_validate: Any = importlib.import_module("kubernetes_validate")  # it brings no types
OLDEST = "1.29"
BUILT = {name: overlay(name) for name in OVERLAYS}
ROUTER = documents(KUBERNETES / "examples" / "router.yaml")
SCALING = documents(KUBERNETES / "examples" / "router-autoscaling.yaml")
ADAPTER = documents(KUBERNETES / "examples" / "prometheus-adapter.yaml")[0]
each_overlay = pytest.mark.parametrize("name", OVERLAYS)


def collectors(name: str) -> list[tuple[Document, dict[str, str], list[str]]]:
    """Each Collector of an overlay: its workload, its variables, and the texts of its configuration files."""
    files = pick(BUILT[name], "ConfigMap", "otel-collector-config")["data"]
    found: list[tuple[Document, dict[str, str], list[str]]] = []
    for workload in workloads(BUILT[name]):
        paths = [argument.removeprefix("--config=") for argument in container(workload)["args"]]
        assert all(path.startswith("/etc/otel-collector/") for path in paths)
        texts = [files[path.removeprefix("/etc/otel-collector/")] for path in paths]
        found.append((workload, environment(workload, BUILT[name]), texts))
    assert [workload["kind"] for workload, *_ in found] == ["DaemonSet", "StatefulSet"]
    return found


@pytest.mark.parametrize("version", [OLDEST, kubernetes_validate.latest_version()])
def test_every_resource_is_one_that_kubernetes_takes(version: str):
    once: dict[str, Document] = {}
    for name, found in {**BUILT, "examples": [*ROUTER, *SCALING]}.items():
        for document in found:
            if document["apiVersion"].startswith("monitoring.coreos.com/"):
                continue
            once.setdefault(repr(document), {**document, "from": name})
    assert len(once) > 15
    for document in once.values():
        where = document.pop("from")
        try:
            kubernetes_validate.validate(document, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            pytest.fail(f"{where}: {identity(document)}: {error}")


def test_a_field_that_does_not_exist_would_be_found():
    workload = yaml.safe_load(yaml.safe_dump(workloads(BUILT["operator"])[0]))
    container(workload)["securityContext"]["readOnly"] = True
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(workload, OLDEST, strict=True)


def test_every_resource_is_one_that_the_prometheus_operator_takes():
    ours = [one for one in BUILT["operator"] if one["apiVersion"].startswith("monitoring.coreos.com/")]
    assert {one["kind"] for one in ours} == {"ServiceMonitor", "PodMonitor", "PrometheusRule"}
    for document in ours:
        assert operator_schema.wrong(document) == [], identity(document)
        assert operator_schema.wrong({**document, "spec": {**document["spec"], "more": 1}})


@pytest.mark.skipif(
    not shutil.which("kubectl"), reason="kubectl is not on PATH; the overlays are put together in Python"
)
@each_overlay
def test_kubectl_puts_the_same_together(name: str):
    command = ["kubectl", "kustomize", str(KUBERNETES / "overlays" / name)]
    rendered = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    theirs = [one for one in yaml.safe_load_all(rendered) if one]

    def plain(document: Document) -> Any:
        # Kustomize adds a hash to the names of ConfigMaps, our label, and the namespace.
        text = re.sub(
            r"(otel-collector-config|otel-gateway-backends|otel-kafka)-\w{10}\b", r"\1", yaml.safe_dump(document)
        )
        found = yaml.safe_load(text)
        found["metadata"] = {"name": found["metadata"]["name"]}
        for one in workloads([found]):
            one_container = container(one)
            one_container["env"] = sorted(one_container["env"], key=str)
            one_container["image"] = one_container["image"].partition(":")[0]
        return found

    assert sorted(map(plain, theirs), key=str) == sorted(map(plain, BUILT[name]), key=str)


def test_every_file_of_the_collector_is_in_the_config_map():
    (made,) = config_maps(CONFIG)
    wanted = [*CONFIG.glob("*.yaml"), *CONFIG.glob("backends/*.yaml")]
    # Files of a container are gone with it.
    names = {path.name for path in wanted if path.name != "files.yaml"}
    names |= {f"kafka-{path.name}" for path in (CONFIG / "kafka").glob("*.yaml")}
    assert set(made["data"]) == names


@each_overlay
def test_every_variable_that_a_configuration_needs_is_set_and_no_other(name: str):
    for workload, values, texts in collectors(name):
        required = set[str]().union(*(read_by(text)[0] for text in texts))
        known = set[str]().union(*(read_by(path.read_text())[1] for path in CONFIG.rglob("*.yaml")))
        assert required <= set(values), identity(workload)
        ours = {variable for variable in values if variable.startswith("LLM_ROUTER_COLLECTOR_")}
        assert ours <= known, identity(workload)


@each_overlay
def test_ports_are_those_of_the_configuration(name: str):
    variables = {"otlp-grpc": "OTLP_GRPC", "otlp-http": "OTLP_HTTP", "otlp-peers": "PEERS_OTLP", "health": "HEALTH"}
    for workload, values, texts in collectors(name):
        for port in container(workload)["ports"]:
            if port["name"] == "telemetry":
                default = re.search(r"LLM_ROUTER_COLLECTOR_TELEMETRY_PORT:-(\d+)", texts[0])
                assert default
                assert port["containerPort"] == int(default[1])
                continue
            address = values[f"LLM_ROUTER_COLLECTOR_{variables[port['name']]}"]
            assert address.rpartition(":")[2] == str(port["containerPort"])


@each_overlay
def test_services_probes_and_policies_name_ports_that_exist(name: str):
    found = BUILT[name]
    for workload in workloads(found):
        labels = workload["spec"]["template"]["metadata"]["labels"]
        assert workload["spec"]["selector"]["matchLabels"].items() <= labels.items()
        one = container(workload)
        ports = {port["name"]: port["containerPort"] for port in one["ports"]}
        probes = [one[probe] for probe in ("startupProbe", "livenessProbe", "readinessProbe")]
        assert {probe["httpGet"]["port"] for probe in probes} == {"health"}
        for service in (
            one for one in found if one["kind"] == "Service" and one["spec"]["selector"].items() <= labels.items()
        ):
            for port in service["spec"]["ports"]:
                assert ports[port["targetPort"]] == port["port"], identity(service)
        (policy,) = [
            one
            for one in found
            if one["kind"] == "NetworkPolicy" and one["spec"]["podSelector"]["matchLabels"].items() <= labels.items()
        ]
        assert {port["port"] for rule in policy["spec"]["ingress"] for port in rule["ports"]} <= set(ports)
        assert set(policy["spec"]["policyTypes"]) == {"Ingress", "Egress"}


def test_agents_reach_gateways_and_gateways_each_other():
    (agent, agents, _), (gateway, gateways, texts) = collectors("operator")
    service = pick(BUILT["operator"], "Service", "otel-gateway")
    assert agents["LLM_ROUTER_COLLECTOR_GATEWAY"] == "http://otel-gateway:4318"
    assert 4318 in {port["port"] for port in service["spec"]["ports"]}
    (egress, _) = pick(BUILT["operator"], "NetworkPolicy", "otel-agent")["spec"]["egress"]
    assert egress["ports"] == [{"port": 4318}]
    peers = pick(BUILT["operator"], "Service", gateways["LLM_ROUTER_COLLECTOR_PEERS"])
    assert peers["spec"]["clusterIP"] == "None"
    assert gateway["spec"]["serviceName"] == peers["metadata"]["name"]
    default = re.search(r"LLM_ROUTER_COLLECTOR_PEERS_PORT:-(\d+)", "".join(texts))
    assert default
    assert [port["port"] for port in peers["spec"]["ports"]] == [int(default[1])]
    token = {"secretKeyRef": {"name": "otel-collector", "key": "gateway-token"}}
    for workload in (agent, gateway):
        (entry,) = [one for one in container(workload)["env"] if one["name"].endswith("GATEWAY_TOKEN")]
        assert entry["valueFrom"] == token


@each_overlay
def test_the_collector_refuses_before_it_is_killed(name: str):
    for workload, values, _ in collectors(name):
        limit = mebibytes(container(workload)["resources"]["limits"]["memory"])
        limiter = float(values["LLM_ROUTER_COLLECTOR_MEMORY_LIMIT_MIB"])
        assert mebibytes(values["GOMEMLIMIT"]) == 0.8 * limiter
        assert 0.7 * limit <= limiter <= 0.8 * limit


def test_the_gateways_grow_before_the_limiter_refuses():
    (metric,) = [
        metric["resource"]
        for metric in pick(BUILT["operator"], "HorizontalPodAutoscaler", "otel-gateway")["spec"]["metrics"]
        if metric["resource"]["name"] == "memory"
    ]
    _, values, _ = collectors("operator")[1]
    assert mebibytes(metric["target"]["averageValue"]) < 0.8 * float(values["LLM_ROUTER_COLLECTOR_MEMORY_LIMIT_MIB"])


@each_overlay
def test_full_queues_fit_on_the_disk(name: str):
    workload, values, texts = collectors(name)[1]
    (claim,) = workload["spec"]["volumeClaimTemplates"]
    size = mebibytes(claim["spec"]["resources"]["requests"]["storage"])
    wanted = queues(texts) * int(values["LLM_ROUTER_COLLECTOR_QUEUE_BYTES"]) / 2**20
    assert 0 < wanted <= 0.85 * size
    mounted = {mount["name"]: mount["mountPath"] for mount in container(workload)["volumeMounts"]}
    assert values["LLM_ROUTER_COLLECTOR_STORAGE"].startswith(f"{mounted[claim['metadata']['name']]}/")


@each_overlay
def test_nothing_runs_with_more_rights_than_it_needs(name: str):
    for workload in [*workloads(BUILT[name]), *workloads(ROUTER)]:
        pod = workload["spec"]["template"]["spec"]
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for one in [*pod["containers"], *pod.get("initContainers", [])]:
            context = one["securityContext"]
            assert context["readOnlyRootFilesystem"] is True
            assert context["allowPrivilegeEscalation"] is False
            assert context["capabilities"]["drop"] == ["ALL"]
            assert one["resources"]["limits"]["memory"]
            assert one["resources"]["requests"]["cpu"]
        # Only what hands the directory over is root, and it can do nothing else.
        rooted = [one["name"] for one in pod.get("initContainers", []) if one["securityContext"].get("runAsUser") == 0]
        assert rooted in ([], ["own-queue"])


@each_overlay
def test_no_secret_is_written_down(name: str):
    for _, values, _ in collectors(name):
        secret = {variable for variable in values if re.search("TOKEN|PASSWORD|USER|KEY", variable)}
        assert secret
        assert {values[variable] for variable in secret} == {"<secretKeyRef>"}
    assert not [one for one in BUILT[name] if one["kind"] == "Secret"]


def test_images_are_pinned_and_the_collector_is_the_version_that_is_tested():
    manifest = yaml.safe_load((CONFIG / "builder" / "builder.yaml").read_text())
    (image,) = yaml.safe_load((KUBERNETES / "base" / "kustomization.yaml").read_text())["images"]
    assert image["newTag"] == manifest["dist"]["version"]
    for workload in [*workloads(BUILT["operator"]), *workloads(ROUTER)]:
        pod = workload["spec"]["template"]["spec"]
        for one in [*pod["containers"], *pod.get("initContainers", [])]:
            assert one["image"] == image["name"] or re.search(r":\d+\.\d+\.\d+$", one["image"]), one["image"]


def test_what_disrupts_and_what_scales_names_the_gateways():
    found = BUILT["operator"]
    gateway = pick(found, "StatefulSet", "otel-gateway")
    budget = pick(found, "PodDisruptionBudget", "otel-gateway")
    assert (
        budget["spec"]["selector"]["matchLabels"].items() <= gateway["spec"]["template"]["metadata"]["labels"].items()
    )
    target = pick(found, "HorizontalPodAutoscaler", "otel-gateway")["spec"]["scaleTargetRef"]
    assert (target["kind"], target["name"]) == identity(gateway)
    assert "replicas" not in gateway["spec"]
    wait = re.search(r"DECISION_WAIT:-(\d+)s", (CONFIG / "gateway.yaml").read_text())
    assert wait
    assert gateway["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] > int(wait[1])


def test_monitors_find_ports_and_labels_that_exist():
    found = BUILT["operator"]
    gateway = pick(found, "ServiceMonitor", "otel-gateway")["spec"]
    services = [
        one
        for one in found
        if one["kind"] == "Service" and gateway["selector"]["matchLabels"].items() <= one["metadata"]["labels"].items()
    ]
    assert [one["metadata"]["name"] for one in services] == ["otel-gateway"]
    assert {endpoint["port"] for endpoint in gateway["endpoints"]} <= {
        port["name"] for port in services[0]["spec"]["ports"]
    }
    pods = {"otel-agent": pick(found, "DaemonSet", "otel-agent"), "llm-router": workloads(ROUTER)[0]}
    for name, workload in pods.items():
        monitor = pick(found, "PodMonitor", name)["spec"]
        assert monitor["selector"]["matchLabels"].items() <= workload["spec"]["template"]["metadata"]["labels"].items()
        ports = {port["name"] for port in container(workload)["ports"]}
        assert {endpoint["port"] for endpoint in monitor["podMetricsEndpoints"]} <= ports
    (endpoint,) = pick(found, "PodMonitor", "llm-router")["spec"]["podMetricsEndpoints"]
    (volume,) = [one for one in workloads(ROUTER)[0]["spec"]["template"]["spec"]["volumes"] if one["name"] == "scrape"]
    assert endpoint["authorization"]["credentials"]["name"] == volume["secret"]["secretName"]


def test_the_job_of_routers_is_the_one_that_alerts_watch():
    found = BUILT["operator"]
    label = pick(found, "PodMonitor", "llm-router")["spec"]["jobLabel"]
    job = workloads(ROUTER)[0]["spec"]["template"]["metadata"]["labels"][label]
    rules = [rule for group in pick(found, "PrometheusRule", "llm-router")["spec"]["groups"] for rule in group["rules"]]
    (down,) = [rule for rule in rules if rule.get("alert") == "ServiceDown"]
    assert f'up{{job="{job}"}}' in down["expr"]


def test_annotations_name_the_port_that_serves():
    for workload in [*workloads(BUILT["annotations"]), *workloads(ROUTER)]:
        notes = workload["spec"]["template"]["metadata"]["annotations"]
        assert notes["prometheus.io/scrape"] == "true"
        ports = {port["name"]: str(port["containerPort"]) for port in container(workload)["ports"]}
        assert notes["prometheus.io/port"] == ports.get("telemetry", ports.get("metrics"))
    assert not [one for one in workloads(BUILT["operator"]) if "annotations" in one["spec"]["template"]["metadata"]]


def test_the_router_reaches_an_agent_and_the_policy_lets_it_in():
    (router,) = workloads(ROUTER)
    values = environment(router, ROUTER)
    service = pick(BUILT["operator"], "Service", "otel-agent")
    namespace = yaml.safe_load((KUBERNETES / "overlays/operator/kustomization.yaml").read_text())["namespace"]
    assert values["OTEL_EXPORTER_OTLP_ENDPOINT"] == f"http://{service['metadata']['name']}.{namespace}.svc:4318"
    assert 4318 in {port["port"] for port in service["spec"]["ports"]}
    (rule, _) = pick(BUILT["operator"], "NetworkPolicy", "otel-agent")["spec"]["ingress"]
    (source,) = rule["from"]
    assert source["podSelector"]["matchLabels"].items() <= router["spec"]["template"]["metadata"]["labels"].items()
    # One path for metrics, or they are counted twice.
    assert values["OTEL_METRICS_EXPORTER"] == "prometheus"


def test_autoscalers_ask_for_metrics_that_exist():
    names = {instrument.prometheus_name for instrument in INSTRUMENTS}
    (scaler,) = SCALING
    asked = {metric["pods"]["metric"]["name"] for metric in scaler["spec"]["metrics"] if metric["type"] == "Pods"}
    offered = {re.split(r"[{ ]", rule["seriesQuery"])[0] for rule in ADAPTER["rules"]["custom"]}
    assert asked == offered
    assert asked <= names
    assert scaler["spec"]["scaleTargetRef"]["name"] == workloads(ROUTER)[0]["metadata"]["name"]


@pytest.mark.parametrize("path", sorted(KUBERNETES.rglob("*.yaml")), ids=lambda path: str(path.relative_to(KUBERNETES)))
def test_every_manifest_is_used(path: Path):
    if path.name == "kustomization.yaml" or path.parent.name == "examples":
        return
    content = yaml.safe_load((path.parent / "kustomization.yaml").read_text())
    assert path.name in [*content.get("resources", []), *(patch["path"] for patch in content.get("patches", []))]
