"""Processes of a run: helpers that serve, and workers that measure; each on a CPU of its own.

Workers get the last CPU that this process may use, everything else the first, where the operating
system can pin at all. What a failed process said is in the exception.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import tempfile
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
WORKER_SECONDS: Final = 240
ANSWER: Final = "answer "
"""How a worker's line begins that is meant for its parent."""

COMMON_ENVIRON: Final[Mapping[str, str]] = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_LOG": "ERROR",
    "OTEL_SERVICE_NAME": "benchmark",
    "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
    "OTEL_EXPORTER_OTLP_COMPRESSION": "none",
    # Metrics leave when the run says so: the cost of collecting them belongs to the clock, not to a request.
    "OTEL_METRIC_EXPORT_INTERVAL": "3600000",
    "PYTHONDONTWRITEBYTECODE": "",
    "PYTHONHASHSEED": "0",
    "OPENLIT_DISABLE_BANNER": "true",
}
"""The same for every configuration: no price table from the network, one transport for all."""


class WorkerError(Exception):
    """A process did not do its job; the message is the end of what it said."""


def python_of(environment: str) -> Path:
    """Return the Python of an environment that ``scripts/bench`` made.

    Raises:
        WorkerError: it could not be made.
    """
    directory = ROOT / ".cache" / "env"
    failed = directory / f"bench-{environment}.failed"
    if failed.exists():
        lines = failed.read_text(errors="replace").strip().splitlines() or ["see its log"]
        raise WorkerError(f"the environment could not be installed: {lines[-1]}")
    python = directory / f"bench-{environment}" / "bin" / "python"
    if not python.exists():
        raise WorkerError(f"there is no environment bench-{environment}; scripts/bench makes it")
    return python


def cpus() -> tuple[int | None, int | None]:
    """Return the CPU of workers and the CPU of everything else; None where nothing can be pinned."""
    if not hasattr(os, "sched_getaffinity"):
        return None, None
    allowed = sorted(os.sched_getaffinity(0))
    return (allowed[-1], allowed[0]) if len(allowed) > 1 else (None, None)


@contextlib.contextmanager
def pinned(cpu: int | None) -> Generator[None]:
    """Children that begin inside the block stay on ``cpu``, from their first thread on."""
    if cpu is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {cpu})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def environ_of(*more: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without telemetry settings of whoever runs us, and with ``more``."""
    ours = ("OTEL_", "LITELLM_", "TRACELOOP_", "OPENLIT_", "OPENINFERENCE_", "PYTHON")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
    merged = {**kept, **COMMON_ENVIRON, "PYTHONPATH": str(ROOT)}
    for one in more:
        merged.update(one)
    return merged


def run_python(
    environment: str, arguments: Sequence[str], *environ: Mapping[str, str], instrumented: bool = False
) -> str:
    """Run a Python to its end, on the workers' CPU, and return what it printed.

    Args:
        environment: Which environment's Python.
        arguments: Its arguments.
        environ: Environment variables to add.
        instrumented: Start it under ``opentelemetry-instrument``.

    Raises:
        WorkerError: it failed or took too long.
    """
    python = python_of(environment)
    command = [str(python), *arguments]
    if instrumented:
        command = [str(python.with_name("opentelemetry-instrument")), *command]
    with pinned(cpus()[0]):
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environ_of(*environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
    try:
        out, err = process.communicate(timeout=WORKER_SECONDS)
    except BaseException as error:
        process.kill()
        process.communicate()
        if isinstance(error, subprocess.TimeoutExpired):
            raise WorkerError(f"it was not done after {WORKER_SECONDS} s") from None
        raise
    if process.returncode != 0:
        lines = [line for line in err.strip().splitlines() if line.strip()] or [f"exit code {process.returncode}"]
        raise WorkerError(lines[-1][:300])
    return out


@contextlib.contextmanager
def serving(environment: str, *arguments: str) -> Generator[str]:
    """Run a server that says its port first, and give its base URL; it ends with the block.

    Raises:
        WorkerError: it did not start.
    """
    with pinned(cpus()[1]), tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            [str(python_of(environment)), *arguments],
            cwd=ROOT,
            env=environ_of(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        assert process.stdout is not None  # PIPE was asked for
        line = process.stdout.readline()
        if not line:
            process.wait()
            errors.seek(0)
            raise WorkerError(f"{arguments[-1]} did not start: {errors.read()[-300:]}")
    try:
        yield f"http://127.0.0.1:{json.loads(line)['port']}"
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
