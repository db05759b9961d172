"""R4: a collector that is away for long, an application that is killed meanwhile, and a disk."""

from __future__ import annotations

import os
import signal
import struct
import tempfile
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Final

from benchmarks.faults.collectors import HttpCollector
from benchmarks.faults.rows import Figures
from benchmarks.faults.subjects import program

ID: Final = "R4"
TITLE: Final = "An outage of the collector, with a disk"
HOW: Final = (
    "500 spans and log records a second; the collector refuses for 10 minutes, and the program is killed with -9 and begun again after a "
    "third and after two thirds of them. With OTEL_LLM_ROUTER_SPOOL_DIR, and the bound of the disk as it comes; the stock SDK has no disk. "
    "Lost: what was emitted and had not arrived when, after the collector's return, the disk was empty (5 minutes at most; the stock SDK: "
    "30 s); for each kill, in seconds of the data, what was "
    "emitted in the second before it and is lost. Twice: in percent of what was emitted"
)
PASS: Final = "nothing lost but at most 0.2 s for each kill, at most 1 % twice, the disk within its bound"
RATE: Final = 500
DRAINING: Final = 300.0
"""Seconds that the disk has to become empty."""
BOUND: Final = 256.0
"""MiB: the option's default."""

CODE: Final = """
import mmap, os, signal, struct, time
from benchmarks.faults import emit
ended = []
signal.signal(signal.SIGUSR1, lambda *_: ended.append(1))
kept = mmap.mmap(os.open(os.environ["FAULTS_FILE"], os.O_RDWR), 8)
rate, run = float(os.environ["FAULTS_RATE"]), os.environ["FAULTS_RUN"]
emit.say(ready=1)
began, number = time.monotonic(), 0
while not ended:
    while number < (time.monotonic() - began) * rate:
        emit.one(f"{run}-{number}")
        number += 1
        kept[:8] = struct.pack("q", number)
    time.sleep(0.01)
"""


def run(subject: str, quick: bool) -> Figures:
    """Measure."""
    part, after = (6.0, 5.0) if quick else (200.0, 30.0)
    collector = HttpCollector()
    endpoint = collector.start()
    emitted: list[int] = []
    with tempfile.TemporaryDirectory() as directory:
        spool = Path(directory) / "spool"
        stop, largest = threading.Event(), [0.0]
        watching = threading.Thread(target=_watch, args=(spool, stop, largest))
        watching.start()
        back = 0.0
        for number in range(3):
            kept = Path(directory) / f"emitted-{number}"
            kept.write_bytes(bytes(8))
            variables = {
                "FAULTS_FILE": str(kept),
                "FAULTS_RATE": str(RATE),
                "FAULTS_RUN": str(number),
                **({"OTEL_LLM_ROUTER_SPOOL_DIR": str(spool)} if subject == "ours" else {}),
            }
            with program(subject, CODE, endpoint, **variables) as process:
                assert process.stdout is not None
                process.stdout.readline()
                if not number:
                    time.sleep(2)
                    collector.stop()
                time.sleep(part)
                if number < 2:  # noqa: PLR2004  # the last one goes on
                    process.kill()
                else:
                    collector.start()
                    back = time.time()
                    time.sleep(after)
                    while _files(spool) and time.time() - back < DRAINING:
                        time.sleep(0.5)
                    process.send_signal(signal.SIGUSR1)
                process.wait(60)
            emitted.append(struct.unpack("q", kept.read_bytes())[0])
        stop.set()
        watching.join()
    time.sleep(0.5)  # what is under way arrives
    collector.stop()
    return _figures(collector, emitted, back, largest[0])


def _figures(collector: HttpCollector, emitted: list[int], back: float, largest: float) -> Figures:
    taken = collector.taken
    lost = twice = 0
    killed = 0.0
    for arrived in (taken.span_names(), taken.log_bodies()):
        for run, number in enumerate(emitted):
            missing = [index for index in range(number) if f"{run}-{index}" not in arrived]
            last = [index for index in missing if run < len(emitted) - 1 and index >= number - RATE]
            killed = max(killed, len(last) / RATE)
            lost += len(missing) - len(last)
        wanted = Counter(dict.fromkeys(arrived, 1))
        twice += sum((arrived - wanted).values())
    return {
        "emitted": 2 * sum(emitted),
        "lost": lost,
        "lost of the last second before a kill, the worst (s)": round(killed, 3),
        "twice (%)": round(100 * twice / max(1, 2 * sum(emitted)), 3),
        "drained (s)": round(max(0.0, taken.last_late(5.5) - back), 1),
        "disk, at its peak (MiB)": round(largest, 1),
    }


def _files(directory: Path) -> list[int]:
    """Return the bytes of disk of each request in a spool."""
    sizes: list[int] = []
    for place, _, names in os.walk(directory):
        for name in names:
            with suppress(OSError):  # it was delivered meanwhile
                sizes += [] if name == "lock" else [os.stat(f"{place}/{name}").st_blocks * 512]  # noqa: PTH116
    return sizes


def _watch(directory: Path, stop: threading.Event, largest: list[float]) -> None:
    while not stop.wait(1):
        largest[0] = max(largest[0], sum(_files(directory)) / 2**20)


def reached(figures: Figures) -> bool:
    """Whether it passes."""
    return (
        figures["lost"] == 0
        and float(figures["lost of the last second before a kill, the worst (s)"]) <= 0.2  # noqa: PLR2004  # of PASS
        and float(figures["twice (%)"]) <= 1
        and float(figures["disk, at its peak (MiB)"]) <= BOUND
    )
