"""A worker process as its parent sees it: started, pinned, asked, ended; and whether it recorded.

A benchmark of a telemetry that records nothing measures nothing: a worker that ends without having
delivered what its configuration must record has failed, however fast it was.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import tempfile
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from threading import Timer
from typing import Any, Final

from benchmarks.configurations import Configuration, Workload
from benchmarks.processes import ANSWER, ROOT, WORKER_SECONDS, WorkerError, cpus, environ_of, python_of

COMPLETE: Final = 0.99
"""Share of what must arrive that is enough."""
SAMPLED_COMPLETE: Final = 0.5
"""The same where chance decides which requests are sampled."""


class Driven:
    """One worker.

    Args:
        configuration: What it runs.
        sink: Base URL of the OTLP receiver.
        run: Name of this run at the receiver; unique.
        workload: What it sends requests to.
        upstream: Base URL of the upstream; None mocks the answers.

    Raises:
        WorkerError: its environment is missing.
    """

    def __init__(
        self, configuration: Configuration, sink: str, run: str, workload: Workload, upstream: str | None
    ) -> None:
        self.configuration = configuration
        self._workload: Workload = workload
        self._run = f"{sink}/{run}"
        python = python_of(configuration.environment)
        command = [str(python), "-m", "benchmarks.worker", configuration.setup, workload]
        command += [upstream] if upstream else []
        if configuration.instrumented:
            command = [str(python.with_name("opentelemetry-instrument")), *command]
        self._errors = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115  # lives as long as the process
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environ_of(configuration.environ, {"OTEL_EXPORTER_OTLP_ENDPOINT": self._run}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )

    def ready(self, *, pin: bool = True) -> None:
        """Return when it can be asked; from then on all its threads stay on the workers' CPU.

        Args:
            pin: Whether they must.

        Raises:
            WorkerError: it did not start.
        """
        self._answer()
        cpu = cpus()[0]
        tasks = Path(f"/proc/{self._process.pid}/task")
        if pin and cpu is not None and tasks.exists():
            for task in tasks.iterdir():
                with contextlib.suppress(ProcessLookupError):
                    os.sched_setaffinity(int(task.name), {cpu})

    def ask(self, **command: Any) -> dict[str, Any]:
        """Give it a command and return its answer.

        Raises:
            WorkerError: it ended, or did not answer in time.
        """
        assert self._process.stdin is not None  # PIPE was asked for
        try:
            self._process.stdin.write(json.dumps(command) + "\n")
            self._process.stdin.flush()
        except OSError:
            raise WorkerError(self._last_words()) from None
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None  # PIPE was asked for
        timer = Timer(WORKER_SECONDS, self._process.kill)
        timer.start()
        try:
            for line in self._process.stdout:
                if line.startswith(ANSWER):
                    return json.loads(line.removeprefix(ANSWER))
        finally:
            timer.cancel()
        raise WorkerError(self._last_words())

    def _last_words(self) -> str:
        self._process.wait()
        self._errors.seek(0)
        lines = [line.strip() for line in self._errors.read().splitlines() if line.strip()]
        return lines[-1][:300] if lines else f"it ended with exit code {self._process.returncode}"

    def end(self) -> dict[str, float]:
        """End it; return the spans and log records that arrived for each request.

        Raises:
            WorkerError: what it must record did not arrive.
        """
        in_process = self.configuration.metric if self.configuration.setup == "litellm_prometheus" else None
        answer = self.ask(do="end", registry=in_process)
        self.close()
        with urllib.request.urlopen(self._run, timeout=30) as response:
            counts = json.load(response)
        return delivered(self.configuration, answer["sent"], counts, answer["registry"], self._workload)

    def close(self, patience: float = 30) -> None:
        """Let it end, and see that it has.

        Args:
            patience: Seconds after which it is killed.
        """
        assert self._process.stdin is not None  # PIPE was asked for
        assert self._process.stdout is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(patience)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._errors.close()


def delivered(
    configuration: Configuration, sent: int, counts: Mapping[str, Any], registry: float, workload: Workload
) -> dict[str, float]:
    """Check what has arrived for ``sent`` requests; return spans and log records for each request.

    Args:
        configuration: What must arrive.
        sent: Requests that the worker sent, warm-up included.
        counts: What the receiver counted for this run.
        registry: Total of the configuration's metric in the process's own Prometheus registry.
        workload: What the requests went to.

    Raises:
        WorkerError: too little arrived, or something of a configuration that records nothing.
    """
    spans = sum(counts.get("spans", {}).values())
    logs = sum(counts.get("logs", {}).values())
    if sent <= 0:
        raise WorkerError("it sent no request")
    if not configuration.records and (spans or logs or counts.get("metrics")):
        raise WorkerError(f"it must record nothing, and {spans} spans, {logs} log records and metrics arrived")
    each, metric = configuration.proof(workload)
    expected = each * configuration.sampled * sent
    if spans < expected * (COMPLETE if configuration.sampled == 1 else SAMPLED_COMPLETE):
        raise WorkerError(f"it does not record: {spans} spans arrived for {sent} requests, not {expected:.0f}")
    if metric is not None:
        value = max(counts.get("metrics", {}).get(metric, 0), registry)
        if value < sent * COMPLETE:
            raise WorkerError(f"it does not record: metric {metric} counts {value:g} of {sent} requests")
    return {"spans": spans / sent, "logs": logs / sent}
