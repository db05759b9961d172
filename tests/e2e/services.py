"""A service of several processes under ``opentelemetry-instrument``: its clients, and a scraper that never looks away."""

from __future__ import annotations

import http.client
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from otel_llm_router.cli.demo._samples import Samples
from running import BIN, HERE, environment, free_port

COUNTED = "llm_router_inference_total"
STATES = "llm_router_telemetry_workers"

LIGHT = {"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "fastapi,llm_router_litellm,llm_router_wire,llm_router_hooks"}
"""Without what these applications have no use for, they start in half the time."""


FAILURES = (OSError, http.client.HTTPException)
"""What a call can end in while processes are killed."""


def get(port: int, path: str) -> str:
    """Return what is served, over a connection of its own.

    Raises:
        HTTPException: it is no 200.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("GET", path, headers={"connection": "close"})
        response = connection.getresponse()
        text = response.read().decode()
        if response.status != 200:
            raise http.client.HTTPException(f"{response.status}: {text}")
        return text
    finally:
        connection.close()


class Service:
    """A running service.

    Args:
        command: What starts it; ``{port}`` is the port that it serves.
        name: Name of the service.
        directory: Where it runs, and where its log is.
        variables: Of its environment.
    """

    def __init__(self, command: str, name: str, directory: Path, **variables: str) -> None:
        self.port, self.scrape_port = free_port(), free_port()
        self.log = directory / f"{name}.log"
        self.answered = 0
        self.fell: list[str] = []
        self._scraping = threading.Lock()
        self._highest: dict[str, float] = {}
        program, *arguments = command.format(port=self.port).split()
        exporters = {"OTEL_METRICS_EXPORTER": "prometheus", "OTEL_TRACES_EXPORTER": "none"}
        own = {"OTEL_LLM_ROUTER_SCRAPE_PORT": str(self.scrape_port), "OTEL_LOGS_EXPORTER": "none"}
        own["OTEL_LLM_ROUTER_SCRAPE_CACHE"] = "0"
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(
                [BIN / "opentelemetry-instrument", BIN / program, *arguments],
                cwd=directory,
                env=environment(
                    OTEL_SERVICE_NAME=name, **{"PYTHONPATH": str(HERE), **exporters, **own, **LIGHT, **variables}
                ),
                stdout=out,
                stderr=out,
            )

    def call(self) -> int:
        """Call it once; return the process that answered."""
        body = get(self.port, "/")
        self.answered += 1
        return int(body)

    def answers(self) -> bool:
        """Call it once; return whether it answered."""
        try:
            self.call()
        except FAILURES:
            return False
        return True

    def traffic(self, calls: int, *, clients: int = 4) -> set[int]:
        """Call it, several at once; return the processes that answered."""
        with ThreadPoolExecutor(clients) as pool:
            return {found.result() for found in [pool.submit(self.call) for _ in range(calls)]}

    def scrape(self) -> Samples:
        """Scrape it, and note each counter that is less than it ever was."""
        with self._scraping:  # one after the other: of two at once, nobody knows which is the earlier one
            text = get(self.scrape_port, "/metrics")
            for series, value in re.findall(r"^(\w+_(?:total|count|bucket|sum)(?:{.*})?) (\S+)$", text, re.MULTILINE):
                if float(value) < self._highest.get(series, 0.0):
                    self.fell.append(f"{series} from {self._highest[series]} to {value}")
                self._highest[series] = max(float(value), self._highest.get(series, 0.0))
        return Samples.of_text(text)

    def counted(self) -> float | None:
        """Return how many requests the scrape shows; None while nobody serves it."""
        with suppress(*FAILURES):
            return self.scrape().sum(COUNTED)
        return None

    def states(self) -> dict[str, float]:
        with suppress(*FAILURES):
            found = self.scrape().series(STATES)
            return {dict(labels)["state"]: value for labels, value in found.items()}
        return {}

    @contextmanager
    def scraped(self) -> Generator[None]:
        """Scrape all the time during the block."""
        stop = threading.Event()

        def scrape() -> None:
            while not stop.wait(0.05):
                self.counted()

        scraper = threading.Thread(target=scrape)
        scraper.start()
        try:
            yield
        finally:
            stop.set()
            scraper.join()

    def holder(self) -> int | None:
        """Return the process that has the scrape port."""
        root = psutil.Process(self.process.pid)
        for one in (root, *root.children(recursive=True)):
            with suppress(psutil.Error):
                if any(
                    found.status == psutil.CONN_LISTEN and found.laddr.port == self.scrape_port
                    for found in one.net_connections("tcp")
                ):
                    return one.pid
        return None

    def said(self) -> str:
        return self.log.read_text()

    def end(self) -> None:
        """End it, politely first."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(20)
        self.kill()

    def kill(self) -> None:
        """Kill all of it at once."""
        left: list[psutil.Process] = []
        with suppress(psutil.Error):
            root = psutil.Process(self.process.pid)
            left = [root, *root.children(recursive=True)]
        for one in left:
            with suppress(psutil.Error):
                one.kill()
        self.process.wait(20)


def until(condition: Callable[[], bool], what: Callable[[], str], *, seconds: float = 25) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what()
        time.sleep(0.05)


@contextmanager
def running(
    command: str, directory: Path, *, name: str = "counting", start_seconds: float = 25, **variables: str
) -> Generator[Service]:
    """Run a service, from when it answers to the end of the block; its first call is counted."""
    service = Service(command, name, directory, **variables)
    try:

        def answers() -> bool:
            assert service.process.poll() is None, service.said()
            return service.answers()

        until(answers, service.said, seconds=start_seconds)
        yield service
    finally:
        service.end()
