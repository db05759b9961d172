"""R15: clients that make names up."""

from __future__ import annotations

import http.client
import json
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from benchmarks.faults.rows import Figures
from benchmarks.faults.scraped import HOST, Serving, free_port, samples, serving, settled
from benchmarks.faults.subjects import BIN, ROOT

ID: Final = "R15"
TITLE: Final = "Names that clients make up"
HOW: Final = (
    "A FastAPI application under uvicorn, users and keys as labels too. 100,000 made-up values of model, route, user and key "
    "in 25,000 calls of the manual API, 25,000 more that cross 300 of each, and 4,000 requests over HTTP with models and paths "
    "that are not there; the provider knows none of these models. Then a model that answers is asked for the first time, three "
    "times. Totals: the sums over all series, against what was done. The stock SDK counts and measures with the same labels"
)
PASS: Final = (
    "10 MB at most, a scrape of 1 MB and 100 ms at most, the model has series of its own with all three, totals exact"
)

APPLICATION: Final = """
import asyncio, os, random
from fastapi import FastAPI
from benchmarks.faults import scraped
scraped.serve()
from opentelemetry import metrics

if os.environ["FAULTS_SUBJECT"] == "stock":
    meter = metrics.get_meter("faults")
    requests, attempts = meter.create_counter("routed"), meter.create_counter("attempts")
    duration, http = meter.create_histogram("duration", unit="s"), meter.create_counter("http")

    def routed(model, user, key, good):
        requests.add(1, {"model": model, "user": user, "key": key})
        attempts.add(1, {"model": model, "good": good})
        duration.record(0.1, {"model": model})

    def asked(route):
        http.add(1, {"route": route})
else:
    from otel_llm_router import telemetry as router

    def routed(model, user, key, good):
        try:
            with router.request(model, user=user, key=key), router.attempt("provider", model) as call:
                if not good:
                    raise LookupError("no such model")
                call.response({"model": model, "usage": {"prompt_tokens": 3, "completion_tokens": 5}})
        except LookupError:
            pass

    def asked(route):
        router.http_request("GET", route=route, status_code=200, seconds=0.1)

app = FastAPI()

@app.post("/v1/chat/completions")
async def complete(body: dict):
    routed(body["model"], body["user"], body["key"], body.get("good", False))
    return {}

@app.post("/flood")
async def flood(body: dict):
    chance = random.Random(15)
    for index in range(body["first"], body["first"] + body["number"]):
        numbers = [chance.randrange(300) for _ in range(4)] if body["crossing"] else [index] * 4
        model, user, key, route = (f"{kind}-{number:07}" for kind, number in zip(("m", "u", "k", "r"), numbers))
        routed(model, user, key, False)
        asked(f"/{route}")
    return {}
"""

TOTALS: Final = {
    "ours": ("llm_router_inference_total", "llm_router_attempts_total", "llm_router_attributed_requests_total"),
    "stock": ("routed_total", "attempts_total"),
}
"""Counters that count each call once, by subject."""
LEGITIMATE: Final = 3


def run(subject: str, quick: bool) -> Figures:
    """Measure."""
    number, real = (5000, 400) if quick else (25_000, 2000)
    port = free_port()
    with tempfile.TemporaryDirectory() as directory:
        (Path(directory) / "application.py").write_text(APPLICATION)
        variables = {"PYTHONPATH": f"{ROOT}:{directory}", "OTEL_LLM_ROUTER_ATTRIBUTION": "user,key"}
        command = [BIN / "uvicorn", "application:app", "--port", str(port), "--log-level", "critical"]
        with serving(subject, command, **variables) as served:
            return _flooded(served, _Client(port), subject, number, real)


class _Client:
    """Requests over one connection."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection(HOST, port, timeout=120)
        if not settled(self._there, 30):
            raise RuntimeError("the application does not answer")

    def _there(self) -> bool:
        try:
            self._connection.connect()
        except OSError:
            return False
        return True

    def ask(self, path: str, body: Mapping[str, Any] | None = None) -> None:
        """Ask for a path; with a body it is a POST."""
        content = None if body is None else json.dumps(body)
        headers = {"content-type": "application/json"}
        self._connection.request("GET" if body is None else "POST", path, content, headers)
        self._connection.getresponse().read()

    def complete(self, number: int, *, good: bool = False, model: str = "") -> None:
        """Ask for an answer of a model, made up unless it is said."""
        body = {"model": model or f"x-{number:07}", "user": f"y-{number:07}", "key": f"z-{number:07}", "good": good}
        self.ask("/v1/chat/completions", body)


def _flooded(served: Serving, client: _Client, subject: str, number: int, real: int) -> Figures:
    for index in range(200):
        client.complete(index % 5, good=True, model=f"known-{index % 5}")
        client.ask("/nowhere")
    for _ in range(3):
        served.scrape()
    before = served.status("VmRSS")
    for crossing in (False, True):
        for first in range(0, number, 1000):
            client.ask("/flood", {"first": first, "number": 1000, "crossing": crossing})
    for index in range(real):
        client.complete(number + index)
        client.ask(f"/made-up/{index}")
    after = served.status("VmRSS")
    for _ in range(LEGITIMATE):
        client.complete(0, good=True, model="legitimate")
    done = 200 + 2 * number + real + LEGITIMATE

    def exact() -> bool:
        text = served.scrape(timeout=60)[1].decode()
        return all(sum(samples(text, name).values()) == done for name in TOTALS[subject])

    is_exact = settled(exact, 5)
    took, size, text = [0.0], 0, ""
    for _ in range(5):
        time.sleep(1.1)  # nothing rendered is as old as that
        began = time.perf_counter()
        text = served.scrape(timeout=60)[1].decode()
        took.append(time.perf_counter() - began)
        size = len(text.encode())
    own = [
        sum(value for labels, value in samples(text, name).items() if 'model="legitimate"' in labels)
        for name in TOTALS[subject][:2]
    ]
    return {
        "values made up": 4 * number,
        "memory (MB)": round((after - before) / 1000, 1),
        "memory, scrapes included (MB)": round((served.status("VmRSS") - before) / 1000, 1),
        "scrape (MB)": round(size / 1e6, 2),
        "scrape, the slowest of 5 (ms)": round(max(took) * 1000),
        "series": sum(1 for line in text.splitlines() if not line.startswith("#")),
        "own series of the new model": "yes" if own == [LEGITIMATE] * 2 else "no",
        "totals exact": "yes" if is_exact else "no",
    }


def reached(figures: Figures) -> bool:
    """Whether it passes."""
    most = {"memory, scrapes included (MB)": 10, "scrape (MB)": 1, "scrape, the slowest of 5 (ms)": 100}
    within = all(float(figures[key]) <= limit for key, limit in most.items())
    return within and figures["own series of the new model"] == figures["totals exact"] == "yes"
