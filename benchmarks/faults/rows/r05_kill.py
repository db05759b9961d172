"""R5: an application that is killed."""

from __future__ import annotations

import os
import random
import signal
import struct
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Final

from benchmarks.faults.collectors import GrpcCollector, HttpCollector
from benchmarks.faults.rows import Figures
from benchmarks.faults.services import serving
from benchmarks.faults.subjects import program

ID: Final = "R5"
TITLE: Final = "kill -9 of the application"
HOW: Final = (
    "A program that emits 100 or 1,000 spans, log records and counts a second, killed at a random moment between 4 and 9 s: what was emitted "
    "and had not arrived, in seconds of its data, the worst of 16 and of 4 kills. And gunicorn with two workers under load, one of "
    "which is killed five times: what the scrape misses of what was answered, in seconds of one worker's data for each kill"
)
PASS: Final = "at most 1 s of spans, of log records and of what the scrape shows; no sum of the scrape falls"

CODE: Final = """
import mmap, os, struct, time
from benchmarks.faults import emit
rate = float(emit.os.environ["FAULTS_RATE"])
kept = mmap.mmap(os.open(emit.os.environ["FAULTS_FILE"], os.O_RDWR), 8)
emit.say(ready=1)
began, number = time.monotonic(), 0
while True:
    while number < (time.monotonic() - began) * rate:
        emit.one(str(number))
        number += 1
        kept[:8] = struct.pack("q", number)
    time.sleep(min(0.01, 1 / rate))
"""


def run(subject: str, quick: bool) -> Figures:
    """Measure."""
    figures: Figures = {}
    for protocol in ("http",) if quick else ("http", "grpc"):
        worst: dict[str, float] = {}
        threads = [
            threading.Thread(target=_killed, args=(subject, protocol, rate, seed, worst))
            for rate, kills in ((100, 2 if quick else 8), (1000, 1 if quick else 2))
            for seed in range(kills)
        ]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        figures |= {f"{protocol}, {name}": round(value, 2) for name, value in sorted(worst.items())}
    return figures | _workers(subject, 2 if quick else 5)


_lock: Final = threading.Lock()


def _killed(subject: str, protocol: str, rate: int, seed: int, worst: dict[str, float]) -> None:
    collector: Any = HttpCollector() if protocol == "http" else GrpcCollector()
    with tempfile.TemporaryDirectory() as directory:
        kept = Path(directory) / "emitted"
        kept.write_bytes(bytes(8))
        variables = {"FAULTS_RATE": str(rate), "FAULTS_FILE": str(kept)}
        with program(subject, CODE, collector.start(), protocol, **variables) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(random.Random(seed).uniform(4, 9))  # a moment
            process.kill()
            process.wait()
        emitted = struct.unpack("q", kept.read_bytes())[0]
    time.sleep(0.5)  # what is under way arrives
    collector.stop()
    taken = collector.taken
    arrived = {"spans": len(taken.span_names()), "log records": len(taken.log_bodies())}
    with _lock:
        for name, number in arrived.items():
            what = f"{rate}/s: {name} lost (s)"
            worst[what] = max(worst.get(what, 0.0), (emitted - number) / rate)


def _workers(subject: str, kills: int) -> Figures:
    command = [
        "gunicorn",
        "--workers",
        "2",
        "--worker-class",
        "gthread",
        "--threads",
        "4",
        "--preload",
        "application:wsgi",
    ]
    with serving(subject, command) as service:
        service.traffic(100)
        service.settled()
        stop = threading.Event()

        def load() -> None:
            while not stop.is_set():
                service.traffic(20)
                service.counted()

        before, began = service.answered, time.monotonic()
        loading = threading.Thread(target=load)
        loading.start()
        for seed in range(kills):
            time.sleep(random.Random(seed).uniform(1, 2))  # a moment
            living = sorted(service.traffic(8))
            if living:
                os.kill(living[0], signal.SIGKILL)
        time.sleep(1)
        stop.set()
        loading.join()
        rate = max(1.0, (service.answered - before) / (time.monotonic() - began) / 2)
        missing = max(0, service.answered - service.settled())
        return {
            f"scrape: missing after {kills} kills": missing,
            "scrape: missing for each (s)": round(missing / kills / rate, 2),
            "scrape: showed less than before": service.fell,
        }


def reached(figures: Figures) -> bool:
    """Whether it passes."""
    return figures["scrape: showed less than before"] == 0 and all(
        float(value) <= 1 for name, value in figures.items() if name.endswith("(s)")
    )
