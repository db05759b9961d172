"""R10: one scrape of many workers."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import Final

from benchmarks.faults.rows import Figures
from benchmarks.faults.services import Service, serving, waited

ID: Final = "R10"
TITLE: Final = "Many workers, one scrape"
HOW: Final = (
    "400 requests of four clients while a scraper looks 20 times a second; the stock SDK with its Prometheus exporter under "
    "`opentelemetry-instrument`. Missing: requests that were answered and that the scrape does not show 3 s later. Recycling: gunicorn with "
    "--max-requests 4. Then, in gunicorn with four workers, kill -9 of a worker that does not hold the scrape port, and of the one that does, "
    "each under load and once all is counted"
)
PASS: Final = (
    "nothing missing but at most what a worker counted in the second before it was killed under load; no sum ever falls; a new "
    "holder within 2 s; the median scrape within 100 ms"
)
REQUESTS: Final = 400
_GUNICORN: Final = ["gunicorn", "--workers", "4", "--worker-class"]
_UVICORN_WORKER: Final = [*_GUNICORN, "uvicorn_worker.UvicornWorker", "application:asgi"]
SERVERS: Final = {
    "uvicorn": ["uvicorn", "application:asgi", "--workers", "4", "--no-access-log"],
    "gunicorn sync": [*_GUNICORN, "sync", "application:wsgi"],
    "gunicorn sync --preload": [*_GUNICORN, "sync", "--preload", "application:wsgi"],
    "gunicorn gthread --preload": [*_GUNICORN, "gthread", "--threads", "4", "--preload", "application:wsgi"],
    "gunicorn UvicornWorker": _UVICORN_WORKER,
    "gunicorn UvicornWorker --preload": [*_UVICORN_WORKER, "--preload"],
    "gunicorn, recycling": [*_GUNICORN, "sync", "--preload", "--max-requests", "4", "application:wsgi"],
}
KILLED: Final = "gunicorn gthread --preload"


def run(subject: str, quick: bool) -> Figures:
    """Measure."""
    figures: Figures = {}
    times: list[float] = []
    fell = 0
    for name in ("gunicorn sync --preload", KILLED) if quick else tuple(SERVERS):
        with serving(subject, SERVERS[name]) as service:
            _loaded(service, lambda one=service: one.traffic(REQUESTS))
            shown = service.settled()
            figures[f"{name}: missing of {REQUESTS + 1}"] = max(0, service.answered - shown)
            figures[f"{name}: too many"] = max(0, shown - service.answered - service.failed)
            if name == KILLED:
                figures |= _killed(service)
            fell += service.fell
            times += service.scrapes
    figures["scrapes that showed less than before"] = fell
    times.sort()
    figures["median scrape (ms)"] = round(1000 * times[len(times) // 2], 1) if times else "none"
    figures["slowest scrape (ms)"] = round(1000 * times[-1], 1) if times else "none"
    return figures


def _loaded(service: Service, work: object) -> None:
    """Scrape during some work."""
    stop = threading.Event()

    def scrape() -> None:
        while not stop.wait(0.05):
            service.counted()

    scraper = threading.Thread(target=scrape)
    scraper.start()
    try:
        work()  # type: ignore[operator]  # pyright: ignore[reportCallIssue, reportUnknownVariableType]
    finally:
        stop.set()
        scraper.join()


def _killed(service: Service) -> Figures:
    figures: Figures = {}
    workers = sorted(service.traffic(200))
    before = service.settled()
    holder = service.holder()
    victim = next(one for one in workers if one != holder)
    os.kill(victim, signal.SIGKILL)
    time.sleep(1)
    figures["kill -9 of a worker, all counted: missing"] = max(0, before - service.settled())
    if holder in workers:
        os.kill(holder, signal.SIGKILL)
        new = waited(lambda: service.holder() not in {None, holder}, 10)
        figures["kill -9 of the holder: new one after (s)"] = round(new, 2) if new is not None else "never"
        figures["kill -9 of the holder, all counted: missing"] = max(0, service.answered - service.settled())
    else:
        figures["kill -9 of the holder: new one after (s)"] = "the master holds it"
    missing = max(0, service.answered - service.settled())
    answered, loaded, kills = service.answered, 0.0, 0
    for which in ("worker", "holder"):
        load = threading.Thread(target=service.traffic, args=(2 * REQUESTS,))
        began = time.monotonic()
        load.start()
        time.sleep(0.3)
        now = service.holder()
        living = sorted(service.traffic(16) - {now})
        target = now if which == "holder" and now != service.process.pid else living[0] if living else None
        if target is not None:
            os.kill(target, signal.SIGKILL)
            kills += 1
        load.join()
        loaded += time.monotonic() - began
        time.sleep(0.5)
    rate = (service.answered - answered) / loaded
    lost = max(0, service.answered - service.settled() - missing)
    figures[f"{kills} kills -9 under load: missing"] = lost
    figures["the same, in seconds of one worker's data for each kill"] = round(
        lost * 4 / max(rate, 1) / max(kills, 1), 2
    )
    return figures


def reached(figures: Figures) -> bool:
    """Whether it passes."""
    exact = [
        value
        for name, value in figures.items()
        if "under load" not in name and ("missing" in name or "too many" in name)
    ]
    new, median = figures["kill -9 of the holder: new one after (s)"], figures["median scrape (ms)"]
    return (
        not any(exact)
        and float(figures["the same, in seconds of one worker's data for each kill"]) <= 1
        and figures["scrapes that showed less than before"] == 0
        and isinstance(new, float)
        and new <= 2  # noqa: PLR2004  # of PASS
        and isinstance(median, float)
        and median <= 100  # noqa: PLR2004  # of PASS
    )
