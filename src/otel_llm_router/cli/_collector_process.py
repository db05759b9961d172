"""A running Collector.

Room: `cli`. A binary and settings come in; a process that is ready, and that ends, goes out.
"""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import final

import click

from otel_llm_router.cli import _collector_storage as storage
from otel_llm_router.cli._answers import answers, last_lines
from otel_llm_router.cli._collector_settings import HEALTH, CollectorSettings, reachable
from otel_llm_router.cli._collector_storage import SetAside

_START_SECONDS = 30.0
_STOP_SECONDS = 15.0
_POLL_SECONDS = 0.05
_ANSWER_SECONDS = 1.0
_LAST_LINES = 10


class CollectorStartError(click.ClickException):
    """The Collector ended, or did not become ready."""


def make_directories(settings: CollectorSettings) -> None:
    """Make the directories for received logs and traces and for queues.

    Raises:
        CollectorStartError: One cannot be made.
    """
    try:
        for directory in (*(file.parent for file in settings.files()), *settings.storage_dirs()):
            # What routers log about their users is not for other users of the machine.
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise CollectorStartError(
            f"the Collector has no directory for received logs and traces and for queues: {error}. "
            "Choose another with --data-dir."
        ) from error


@final
class CollectorProcess:
    """The Collector as a child process, ready inside the ``with`` block and ended after it.

    Args:
        binary: The Collector, from `ensure_collector`.
        settings: What it is told.
        log: File for its log, which is written anew; by default it shares our stderr.
        start_seconds: How long it may take to become ready.

    Example:
        >>> with CollectorProcess(ensure_collector(), CollectorSettings.on_free_ports(directory)) as collector:
        ...     send_to(collector.otlp_http_url)
    """

    def __init__(
        self,
        binary: Path,
        settings: CollectorSettings,
        *,
        log: Path | None = None,
        start_seconds: float = _START_SECONDS,
    ) -> None:
        self.settings = settings
        self.set_aside: list[SetAside] = []
        self._binary = binary
        self._log = log
        self._start_seconds = start_seconds
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> CollectorProcess:
        self.start()
        try:
            self.wait_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def otlp_http_url(self) -> str:
        """Value for OTEL_EXPORTER_OTLP_ENDPOINT with http/protobuf."""
        return f"http://{self.settings.otlp_http}"

    @property
    def otlp_grpc_url(self) -> str:
        """Value for OTEL_EXPORTER_OTLP_ENDPOINT with grpc."""
        return f"http://{self.settings.otlp_grpc}"

    @property
    def prometheus_url(self) -> str:
        """Where the received metrics can be scraped."""
        return f"http://{self.settings.prometheus}/metrics"

    @property
    def pid(self) -> int:
        """The process id."""
        return self._started().pid

    def start(self) -> None:
        """Start the process; it is not ready yet. Queue files that it could not read are set aside: `set_aside`.

        Raises:
            PortInUseError: Another process listens where it should.
            CollectorStartError: A directory cannot be made, or the queues' cannot be read.
        """
        make_directories(self.settings)
        self.settings.check_ports()
        try:
            self.set_aside = [one for each in self.settings.storage_dirs() for one in storage.prepare(each)]
        except OSError as error:
            raise CollectorStartError(f"the Collector's queues cannot be looked at: {error}") from error
        command = [str(self._binary), *self.settings.config_arguments()]
        env = self.settings.environment()
        if self._log is None:
            self._process = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL)  # noqa: S603
            return
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("wb") as out:
            self._process = subprocess.Popen(  # noqa: S603
                command, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT
            )

    def wait_ready(self) -> None:
        """Wait until the health endpoint says that all pipelines run.

        A configuration without our health endpoint has nothing to ask: the process counts as ready.

        Raises:
            CollectorStartError: It ended, or the time is up.
        """
        if HEALTH not in self.settings.listeners():
            return
        deadline = time.monotonic() + self._start_seconds
        while not self._is_healthy():
            if (status := self._started().poll()) is not None:
                raise CollectorStartError(
                    f"the Collector ended with exit code {status} before it was ready{last_lines(self.log_text(), _LAST_LINES)}"
                )
            if time.monotonic() > deadline:
                raise CollectorStartError(
                    f"the Collector was not ready after {self._start_seconds:g} s: "
                    f"{self.settings.health} did not answer 200{last_lines(self.log_text(), _LAST_LINES)}"
                )
            time.sleep(_POLL_SECONDS)
        for each in self.settings.storage_dirs():
            storage.reserve(each)

    def wait(self) -> int:
        """Wait until the process ends; return its exit code, as a shell would state it."""
        status = self._started().wait()
        return 128 - status if status < 0 else status

    def send_signal(self, number: int) -> None:
        """Pass a signal on, if the process is still there."""
        if self._process is not None:
            self._process.send_signal(number)

    def stop(self) -> None:
        """End the process: politely, then by force. It sends what it holds before it ends."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def log_text(self) -> str:
        """What the Collector logged so far, if it logs to a file."""
        return self._log.read_text(encoding="utf-8", errors="replace") if self._log and self._log.exists() else ""

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError("the Collector has not been started")
        return self._process

    def _is_healthy(self) -> bool:
        host, port = reachable(self.settings.health)
        return answers(f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/", seconds=_ANSWER_SECONDS)
