"""How each engine of a stack is started, and how they find each other.

Room: `cli`. What is installed, ports and a directory come in; commands, environments and configuration files go out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from otel_llm_router._resources import resource_dir
from otel_llm_router.cli import _collector_layers as layers
from otel_llm_router.cli._collector_settings import CollectorSettings
from otel_llm_router.cli.stack._engine import (
    ALERTMANAGER,
    COLLECTOR,
    OPENSEARCH,
    PROMETHEUS,
    Installed,
    Launch,
)
from otel_llm_router.cli.stack._opensearch import opensearch_command

_OWN: Final = "LLM_ROUTER_COLLECTOR_"
_ROUTERS: Final = "llm-router"
"""The job that the alert ServiceDown watches."""
_OLD_SAMPLES: Final = "30m"
"""How late a sample may come: what waited in the Collector's queue during an outage of Prometheus."""


@dataclass(frozen=True)
class Plan:
    """A stack as it shall be.

    Args:
        directory: Where all of it keeps its files.
        ports: Of each listener, by name.
        engines: Those that belong to it.
        watched: Addresses of routers, as ``host:port``, of which only is asked whether they are up.
        scraped: Addresses of routers whose metrics are taken, too.
        layers: More configuration files of the Collector, by name.
        configs: Configuration files of the user's for the Collector, merged last.
    """

    directory: Path
    ports: Mapping[str, int]
    engines: frozenset[str]
    watched: tuple[str, ...] = ()
    scraped: tuple[str, ...] = ()
    layers: tuple[str, ...] = ()
    configs: tuple[Path, ...] = ()

    def url(self, port: str) -> str:
        """Base URL of a listener."""
        return f"http://{self.address(port)}"

    def address(self, port: str) -> str:
        """Host and port of a listener."""
        return f"127.0.0.1:{self.ports[port]}"

    def room(self, engine: str) -> Path:
        """Directory of an engine."""
        return self.directory / engine


def collector_settings(plan: Plan) -> CollectorSettings:
    """What the Collector of a stack is told."""
    logs = (OPENSEARCH,) if OPENSEARCH in plan.engines else ()
    chosen = (*layers.DEFAULT, *logs, *plan.layers)
    return CollectorSettings(
        configs=(*layers.files(chosen), *plan.configs),
        otlp_http=plan.address("otlp-http"),
        otlp_grpc=plan.address("otlp-grpc"),
        prometheus=plan.address("collector-metrics"),
        health=plan.address("collector-health"),
        telemetry=plan.address("collector-telemetry"),
        data_dir=plan.room(COLLECTOR),
        variables=_back_ends(plan),
    )


def _back_ends(plan: Plan) -> dict[str, str]:
    found: dict[str, str] = {}
    if OPENSEARCH in plan.engines:
        found[f"{_OWN}OPENSEARCH"] = plan.url(OPENSEARCH)
    if PROMETHEUS in plan.engines:
        found[f"{_OWN}REMOTE_WRITE"] = f"{plan.url(PROMETHEUS)}/api/v1/write"
        found[f"{_OWN}PROMETHEUS_OTLP"] = f"{plan.url(PROMETHEUS)}/api/v1/otlp"
    return found


def _collector(plan: Plan, installed: Installed) -> Launch:
    settings = collector_settings(plan)
    environment = settings.environment() | _back_ends(plan)
    return Launch(
        engine=COLLECTOR,
        version=installed.version,
        command=(str(installed.program), *settings.config_arguments()),
        ready=plan.url("collector-health"),
        look=str(plan.room(COLLECTOR) / "logs.jsonl"),
        send=f"OTEL_EXPORTER_OTLP_ENDPOINT={plan.url('otlp-http')}",
        variables={name: value for name, value in environment.items() if name.startswith(_OWN)},
        directories=(plan.room(COLLECTOR), *settings.storage_dirs()),
        queues=tuple(settings.storage_dirs()),
    )


def _prometheus(plan: Plan, installed: Installed) -> Launch:
    room = plan.room(PROMETHEUS)
    config = room / "prometheus.yaml"
    return Launch(
        engine=PROMETHEUS,
        version=installed.version,
        command=(
            str(installed.program),
            f"--config.file={config}",
            f"--storage.tsdb.path={room / 'data'}",
            f"--web.listen-address={plan.address(PROMETHEUS)}",
            "--web.enable-otlp-receiver",
            "--web.enable-remote-write-receiver",
        ),
        ready=f"{plan.url(PROMETHEUS)}/-/ready",
        # Our build has no user interface: its files are not in the Go module.
        look=f"{plan.url(PROMETHEUS)}/api/v1/query?query=up" if installed.built else plan.url(PROMETHEUS),
        files={config: yaml.safe_dump(prometheus_config(plan), sort_keys=False)},
        directories=(room / "data",),
    )


def prometheus_config(plan: Plan) -> dict[str, Any]:
    """Prometheus' configuration: our rules, the Collector, and routers that are scraped."""
    jobs: list[dict[str, Any]] = []
    if COLLECTOR in plan.engines:
        # Pushed metrics bring their own job and instance.
        jobs.append(_job("otel-collector", [plan.address("collector-metrics")], honor_labels=True))
        jobs.append(_job("otel-collector-internal", [plan.address("collector-telemetry")]))
    if plan.scraped:
        jobs.append(_job(_ROUTERS, list(plan.scraped)))
    if plan.watched:
        # The alert ServiceDown wants to know whether they are up. Their metrics come through the Collector: once is enough.
        nothing = [{"source_labels": ["__name__"], "regex": ".*", "action": "drop"}]
        targets = [{"targets": list(plan.watched), "labels": {"job": _ROUTERS}}]
        jobs.append({"job_name": f"{_ROUTERS}-up", "metric_relabel_configs": nothing, "static_configs": targets})
    jobs.append(_job("prometheus", [plan.address(PROMETHEUS)]))
    config: dict[str, Any] = {
        "global": {"scrape_interval": "5s", "evaluation_interval": "5s"},
        "storage": {"tsdb": {"out_of_order_time_window": _OLD_SAMPLES}},
        "rule_files": [str(path) for path in rule_files()],
        "scrape_configs": jobs,
    }
    if ALERTMANAGER in plan.engines:
        targets = [{"targets": [plan.address(ALERTMANAGER)]}]
        config["alerting"] = {"alertmanagers": [{"static_configs": targets}]}
    return config


def rule_files() -> list[Path]:
    """Our files of recording rules and alerts."""
    found = sorted((resource_dir("collector-config") / "prometheus").glob("*.yaml"))
    return [path for path in found if path.read_text(encoding="utf-8").find("\ngroups:") >= 0]


def _job(name: str, targets: list[str], **options: object) -> dict[str, Any]:
    return {"job_name": name, **options, "static_configs": [{"targets": targets}]}


def _alertmanager(plan: Plan, installed: Installed) -> Launch:
    room = plan.room(ALERTMANAGER)
    config = room / "alertmanager.yaml"
    # Alerts are grouped and shown, and sent nowhere.
    content = {"route": {"receiver": "nobody", "group_by": ["alertname"]}, "receivers": [{"name": "nobody"}]}
    return Launch(
        engine=ALERTMANAGER,
        version=installed.version,
        command=(
            str(installed.program),
            f"--config.file={config}",
            f"--storage.path={room / 'data'}",
            f"--web.listen-address={plan.address(ALERTMANAGER)}",
            # One alone, which looks for no others.
            "--cluster.listen-address=",
        ),
        ready=f"{plan.url(ALERTMANAGER)}/-/ready",
        look=plan.url(ALERTMANAGER),
        files={config: yaml.safe_dump(content, sort_keys=False)},
        directories=(room / "data",),
    )


def _opensearch(plan: Plan, installed: Installed) -> Launch:
    room = plan.room(OPENSEARCH)
    return Launch(
        engine=OPENSEARCH,
        version=installed.version,
        command=opensearch_command(installed, room, plan.ports[OPENSEARCH]),
        ready=f"{plan.url(OPENSEARCH)}/_cluster/health?wait_for_status=yellow&timeout=1s",
        look=f"{plan.url(OPENSEARCH)}/llm-router-logs-*/_search",
        directories=(room,),
    )


_LAUNCHES: Final[Mapping[str, Callable[[Plan, Installed], Launch]]] = {
    COLLECTOR: _collector,
    PROMETHEUS: _prometheus,
    ALERTMANAGER: _alertmanager,
    OPENSEARCH: _opensearch,
}


def launch(engine: str, plan: Plan, installed: Installed) -> Launch:
    """How an engine of a plan is started."""
    return _LAUNCHES[engine](plan, installed)
