"""What the Collector costs: CPU and memory at a steady rate, and the most that it takes, by what it writes to."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from http.client import HTTPConnection
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import psutil
from typing_extensions import Self

from benchmarks.collector.backends import Unread
from benchmarks.collector.running import running, settings
from benchmarks.collector.sending import RECORDS, request

RATES: Final = (1_000, 5_000, 20_000)
SHAPES: Final = {
    "received and thrown away": (),
    "to Loki, from a queue on disk": ("loki",),
    "to Elasticsearch, from a queue on disk": ("elasticsearch",),
    "to Loki and Elasticsearch": ("loki", "elasticsearch"),
    "to files": ("files",),
}


def run(directory: Path, *, seconds: float = 10.0, rates: tuple[int, ...] = RATES) -> list[dict[str, Any]]:
    """Send log records of about 450 bytes at each rate, over one connection in a loop, to each shape.

    The back ends are a process of their own that reads and answers. What the Collector costs is its process' own CPU time.

    Returns:
        For each shape and rate: records/s that were acknowledged, cores that the Collector used, cores for 1,000 records/s,
        and its resident memory at the end in MB.
    """
    found: list[dict[str, Any]] = []
    # Bodies are made beforehand: what is measured is the Collector, and not who sends.
    bodies = [("/v1/logs", request([f"{number}-{one}" for one in range(RECORDS)])) for number in range(100)]
    with Backends() as backends:
        for shape, names in SHAPES.items():
            for rate in rates:
                chosen = settings(
                    directory / f"{len(found)}",
                    names,
                    {
                        "LLM_ROUTER_COLLECTOR_LOKI": backends.url,
                        "LLM_ROUTER_COLLECTOR_ELASTICSEARCH": backends.url,
                    },
                )
                with running(chosen, directory / f"{len(found)}.log") as collector:
                    figures = measure(chosen.otlp_http, collector, bodies, RECORDS, rate, seconds)
                    found.append({"shape": shape, "rate": rate, **figures})
    return found


def measure(
    address: str,
    collector: psutil.Process,
    bodies: Sequence[tuple[str, bytes]],
    records: int,
    rate: int,
    seconds: float,
    headers: Mapping[str, str] | None = None,
) -> dict[str, float]:
    """Send requests one after the other at a rate, and read what the Collector used.

    Args:
        address: The Collector's OTLP over HTTP, as ``host:port``.
        collector: Its process.
        bodies: Path and body of each request, taken in turn.
        records: Records in a request, on average over all of them.
        rate: Records in a second.
        seconds: How long.
        headers: Sent with each request.
    """
    sent = refused = 0
    before = _cpu(collector)
    began = due = time.monotonic()
    with contextlib.closing(HTTPConnection(address, timeout=30)) as connection:
        while (now := time.monotonic()) < began + seconds:
            if now < due:
                time.sleep(due - now)
            path, body = bodies[sent % len(bodies)]
            connection.request("POST", path, body, {"content-type": "application/x-protobuf", **(headers or {})})
            answer = connection.getresponse()
            answer.read()
            sent += 1
            refused += answer.status != 200  # noqa: PLR2004
            due += records / rate
    took = time.monotonic() - began
    cores = (_cpu(collector) - before) / took
    done = (sent - refused) * records / took
    return {
        "records/s": round(done),
        "refused": refused * records,
        "cores": round(cores, 3),
        "cores for 1,000 records/s": round(cores / done * 1_000, 4) if done else 0.0,
        "memory, MB": round(collector.memory_info().rss / 1e6),
    }


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


class Backends:
    """A process that takes everything and looks at nothing."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.collector.throughput"], stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self.url = f"http://127.0.0.1:{int(self._process.stdout.readline())}"
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()


def _serve() -> None:
    """Answer 200 to any request, as OTLP or as a bulk request in which everything was created."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Unread)
    print(server.server_address[1], flush=True)
    threading.Thread(target=server.serve_forever).start()


if __name__ == "__main__":
    _serve()
