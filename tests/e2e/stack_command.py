"""A stack of real engines, driven by its command, and what is asked of its back ends."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx

from running import BIN, environment

PATHS = {"remote write": "rw", "OTLP": "otlp", "exporter endpoint": ""}
"""How metrics reach Prometheus, and the label that tells them apart."""
DISTINCT = """
exporters:
  prometheusremotewrite:
    external_labels: {path: rw}
  # What is tried again is tried soon: nobody waits for minutes here.
  elasticsearch/opensearch:
    # Not sooner: it is given up after 33 times.
    retry: {max_interval: 10s}
  otlp_http/prometheus:
    retry_on_failure: {max_interval: 5s}
processors:
  transform/path:
    metric_statements:
      - context: datapoint
        statements:
          - set(datapoint.attributes["path"], "otlp")
service:
  pipelines:
    metrics/prometheus-otlp:
      processors: [transform/path]
"""


class Stack:
    """A stack in a directory of its own, whose Prometheus gets the same metrics in every way that there is.

    Args:
        directory: For all that it writes.
        router: Address of a router's scrape endpoint.
    """

    def __init__(self, directory: Path, router: str) -> None:
        self.directory = directory / "stack"
        distinct = directory / "distinct.yaml"
        distinct.write_text(DISTINCT)
        self._up = ["--only", "collector,prometheus,opensearch", "--free-ports", "--scrape", router]
        self._up += ["--with", "prometheus-remote-write", "--with", "prometheus-otlp", "--config", str(distinct)]
        self.engines: dict[str, Any] = {}

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [BIN / "otel-llm-router", "stack", *arguments, "--data-dir", self.directory]
        return subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=600, check=False)

    def up(self) -> dict[str, Any]:
        """Bring it up; return each engine as the command tells of it."""
        done = self.run("up", *self._up, "--json")
        assert done.returncode == 0, done.stderr
        self.engines = {one["engine"]: one for one in json.loads(done.stdout)}
        return self.engines

    def status(self) -> tuple[int, dict[str, str]]:
        """What the command exits with, and the state of each engine."""
        done = self.run("status", "--json")
        return done.returncode, {one["engine"]: one["state"] for one in json.loads(done.stdout)}

    def kill(self, *engines: str) -> None:
        for engine in engines:
            os.kill(self.engines[engine]["pid"], signal.SIGKILL)

    def errors(self) -> str:
        """What the Collector complains of."""
        lines = Path(self.engines["collector"]["log"]).read_text().splitlines()
        return "\n".join(line for line in lines if "\terror\t" in line or "ropping" in line)

    @property
    def endpoint(self) -> str:
        """Where applications send."""
        return str(self.engines["collector"]["send"]).partition("=")[2]

    def url(self, engine: str) -> str:
        return f"http://127.0.0.1:{self.engines[engine]['ports'][engine]}"

    def names(self, **labels: str) -> set[str]:
        """Names of the series in Prometheus that have these labels."""
        matcher = "{" + ",".join(f'{name}="{value}"' for name, value in labels.items()) + "}"
        answer = httpx.get(f"{self.url('prometheus')}/api/v1/label/__name__/values", params={"match[]": matcher})
        return set(answer.raise_for_status().json()["data"])

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Ask Prometheus; samples that are as they were minutes ago are none."""
        answer = httpx.get(f"{self.url('prometheus')}/api/v1/query", params={"query": expression}, timeout=30)
        return answer.raise_for_status().json()["data"]["result"]

    def search(self, **query: Any) -> list[dict[str, Any]]:
        """Ask OpenSearch for documents."""
        url = f"{self.url('opensearch')}/llm-router-logs-*/_search"
        answer = httpx.post(url, json={"size": 10_000, **query}, timeout=30).raise_for_status()
        return [hit["_source"] for hit in answer.json()["hits"]["hits"]]

    def has_ended(self) -> bool:
        return not any(_runs(one["pid"]) for one in self.engines.values())


def _runs(pid: int) -> bool:
    with suppress(OSError):
        return "zombie" not in Path(f"/proc/{pid}/status").read_text()
    return False


def otlp(resource: str, items: str, item: Mapping[str, Any]) -> dict[str, Any]:
    """One record in OTLP's JSON."""
    service = {"attributes": [{"key": "service.name", "value": {"stringValue": "numbered"}}]}
    return {f"resource{resource}": [{"resource": service, f"scope{resource}": [{items: [item]}]}]}


class Numbered:
    """Sends numbered logs and metrics, one after the other, and knows which were acknowledged.

    Args:
        endpoint: Where to.
    """

    def __init__(self, endpoint: str) -> None:
        self.logs: set[int] = set()
        self.metrics: set[int] = set()
        self._endpoint = endpoint
        self._stop = threading.Event()
        self._more = threading.Condition()

    @contextmanager
    def sending(self) -> Generator[None]:
        """Send during the block."""
        thread = threading.Thread(target=self._send)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()

    def wait_for(self, more: int) -> None:
        """Wait until so many more of each have been acknowledged."""
        goal = min(len(self.logs), len(self.metrics)) + more
        with self._more:
            assert self._more.wait_for(lambda: min(len(self.logs), len(self.metrics)) >= goal, 120)

    def _send(self) -> None:
        with httpx.Client(base_url=self._endpoint, timeout=10) as client:
            for number in itertools.count():
                if self._stop.wait(0.01):
                    return
                now = str(time.time_ns())
                uid = {"key": "log.record.uid", "value": {"stringValue": f"numbered-{number}"}}
                log = {"timeUnixNano": now, "body": {"stringValue": "numbered"}, "attributes": [uid]}
                point = {"timeUnixNano": now, "asDouble": number}
                metric = {"name": "numbered.sent", "gauge": {"dataPoints": [point]}}
                for path, body, acknowledged in (
                    ("/v1/logs", otlp("Logs", "logRecords", log), self.logs),
                    ("/v1/metrics", otlp("Metrics", "metrics", metric), self.metrics),
                ):
                    with suppress(httpx.HTTPError):
                        if client.post(path, json=body).status_code == 200:
                            with self._more:
                                acknowledged.add(number)
                                self._more.notify_all()
