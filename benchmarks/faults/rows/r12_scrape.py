"""R12: the scrape endpoint under attack."""

from __future__ import annotations

import itertools
import json
import resource
import subprocess
import sys
import threading
import time
from typing import Final

from benchmarks.faults.rows import Figures
from benchmarks.faults.scraped import Serving, serving
from benchmarks.faults.subjects import ROOT

ID: Final = "R12"
TITLE: Final = "The scrape endpoint under attack"
HOW: Final = (
    "A histogram of 2,000 series in a process with an event loop of its own; for 20 s 2,000 clients that send half a request "
    "(and connect again 5 s after they were closed), 200 that never read their answer and 64 that scrape without a pause, "
    "from another process on the same two cores. Meanwhile one legitimate scrape a second, with Prometheus' time-out of 10 s. "
    "Stall: by how much a heartbeat of 10 ms in the application's event loop came late; without a server: in a process beside "
    "it that serves nothing. Idle: until a connection with half a "
    "request is closed, of those that were open at the end. Against `start_http_server` of prometheus_client"
)
PASS: Final = (
    "no legitimate scrape fails or takes longer than 1 s, 17 threads more at most (16 answers and the server), 32 MB at most, "
    "stall 20 ms at most, idle connections closed within 10.5 s"
)
SERIES: Final = 2000
LONGEST_IDLE: Final = 12.0

HEARTBEAT: Final = """
import asyncio, json, time

async def main():
    while True:
        late = []
        for _ in range(100):
            due = time.monotonic() + 0.01
            await asyncio.sleep(0.01)
            late.append(round((time.monotonic() - due) * 1000, 2))
        print(json.dumps(late), flush=True)

asyncio.run(main())
"""

HOST_PROGRAM: Final = (
    """
from benchmarks.faults import scraped
scraped.serve()
from opentelemetry import metrics
histogram = metrics.get_meter("faults").create_histogram("latency", unit="s")
for index in range(1990):
    histogram.record(index / 100, {"key": f"{index:06}"})
"""
    + HEARTBEAT
)

ATTACK: Final = """
import asyncio, resource, socket, sys, time
port, seconds, half_open, silent, scrapers, idle = (int(float(word)) for word in sys.argv[1:])
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 20000), hard))
began = time.monotonic()
over = began + seconds
held, left = [], [0]

async def half():
    while True:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /metrics HTTP/1.1\\r\\nhost: x\\r\\n")
            sent = time.monotonic()
        except OSError:
            await asyncio.sleep(1)
            if time.monotonic() > over:
                return
            continue
        try:
            await asyncio.wait_for(reader.read(), max(over - sent, 0) + idle)
        except asyncio.TimeoutError:
            left[0] += 1
        except OSError:
            pass
        writer.transport.abort()
        if time.monotonic() > over:
            held.append(time.monotonic() - sent)
            return
        await asyncio.sleep(min(5, max(0, over - time.monotonic())))
        if time.monotonic() >= over:
            return

async def never():
    loop = asyncio.get_running_loop()
    while time.monotonic() < over:
        one = socket.socket()
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        one.setblocking(False)
        try:
            await loop.sock_connect(one, ("127.0.0.1", port))
            await loop.sock_sendall(one, b"GET /metrics HTTP/1.1\\r\\nhost: x\\r\\n\\r\\n")
            await asyncio.sleep(min(12, max(0, over - time.monotonic())))
        except OSError:
            await asyncio.sleep(1)
        one.close()

answers = [0]
async def scraper():
    while time.monotonic() < over:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
            writer.write(b"GET /metrics HTTP/1.1\\r\\nhost: x\\r\\nconnection: close\\r\\n\\r\\n")
            size = 0
            while time.monotonic() < over and (part := await reader.read(1 << 20)):
                size += len(part)
            answers[0] += size > 100_000
            writer.transport.abort()
        except OSError:
            await asyncio.sleep(0.1)

async def main():
    attackers = [half() for _ in range(half_open)] + [never() for _ in range(silent)] + [scraper() for _ in range(scrapers)]
    tasks = [asyncio.ensure_future(one) for one in attackers]
    await asyncio.wait(tasks, timeout=seconds + idle + 2)  # some wait to be accepted for ever
    for task in tasks:
        task.cancel()

asyncio.run(main())
print(max(held, default=0), left[0], answers[0])
"""


def run(subject: str, quick: bool) -> Figures:
    """Measure."""
    seconds, half_open = (6, 500) if quick else (20, 2000)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # what is started inherits it
    try:
        with serving(subject, HOST_PROGRAM) as served:
            return _attacked(served, seconds, half_open)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class _Watch:
    """What is seen of the process from outside and of its heartbeat."""

    def __init__(self, served: Serving, process: subprocess.Popen[str] | None = None) -> None:
        self._served = served
        self._process = process or served.process
        self._ended = threading.Event()
        self.threads = self.resident = 0
        self.late: list[float] = []
        self._threads = [threading.Thread(target=one, daemon=True) for one in (self._look, self._listen)]
        for thread in self._threads:
            thread.start()

    def _look(self) -> None:
        while not self._ended.wait(0.1):
            self.threads = max(self.threads, self._served.status("Threads"))
            self.resident = max(self.resident, self._served.status("VmRSS"))

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if self._ended.is_set():
                return
            self.late += json.loads(line)

    def end(self) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(60)


def _attacked(served: Serving, seconds: int, half_open: int) -> Figures:
    for headers in ({}, {"accept-encoding": "gzip"}):
        served.scrape(timeout=60, headers=headers)
    threads, resident = served.status("Threads"), served.status("VmRSS")
    quiet = _Watch(served)
    time.sleep(2)
    quiet.end()
    watch = _Watch(served)
    arguments = (served.port, seconds, half_open, 200, 64, LONGEST_IDLE)
    with _started(HEARTBEAT) as beside, _started(ATTACK, *map(str, arguments)) as attack:
        other = _Watch(served, beside)
        took, failures = _scrapes(served, seconds)
        for one in (watch, other):
            one.end()
        beside.kill()
        held, left, answers = attack.communicate()[0].split()
    return {
        "legitimate scrapes": len(took) + failures,
        "legitimate scrapes that failed": failures,
        "legitimate scrape, the slowest (s)": round(max(took), 2) if took else "none came",
        "threads more": watch.threads - threads,
        "memory (MB)": round((watch.resident - resident) / 1000, 1),
        "stall, median (ms)": _quantile(watch.late, 0.5),
        "stall, 99th percentile (ms)": _quantile(watch.late, 0.99),
        "stall, longest (ms)": _quantile(watch.late, 1),
        "stall without an attack, longest (ms)": _quantile(quiet.late, 1),
        "stall without a server, longest (ms)": _quantile(other.late, 1),
        "idle, longest (s)": round(float(held), 1) if left == "0" else f"{left} open after {LONGEST_IDLE:g}",
        "answers to the 64": int(answers),
    }


def _started(code: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, text=True, cwd=ROOT)


def _quantile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


def _scrapes(served: Serving, seconds: int) -> tuple[list[float], int]:
    """Scrape once a second, each on a connection of its own; return the seconds of each, and how many failed."""
    took: list[float] = []
    failed: list[object] = []

    def scrape() -> None:
        began = time.monotonic()
        try:
            status, _ = served.scrape(headers={"accept-encoding": "gzip"})
        except Exception as error:  # noqa: BLE001  # whatever it is, the scrape failed
            failed.append(error)
        else:
            (took if status == 200 else failed).append(time.monotonic() - began)  # noqa: PLR2004

    threads: list[threading.Thread] = []
    began = time.monotonic()
    for number in itertools.count(1):
        time.sleep(max(0.0, began + number - time.monotonic()))
        if number >= seconds:
            break
        threads.append(threading.Thread(target=scrape))
        threads[-1].start()
    for thread in threads:
        thread.join()
    return took, len(failed)


def reached(figures: Figures) -> bool:
    """Whether it passes."""
    most = {
        "legitimate scrapes that failed": 0,
        "legitimate scrape, the slowest (s)": 1,
        "threads more": 17,
        "memory (MB)": 32,
        "stall, longest (ms)": 20,
        "idle, longest (s)": 10.5,
    }
    return all(not isinstance(figures[key], str) and float(figures[key]) <= limit for key, limit in most.items())
