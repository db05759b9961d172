"""A process under ``opentelemetry-instrument`` before anybody scrapes: what is not loaded, and what does not wake up."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import pytest

from running import free_port

SERVING = """
import json, sys, urllib.request
LATE = ("asyncio", "h11", "prometheus_client", "opentelemetry.exporter.prometheus")
LATE += ("otel_llm_router.export._http", "otel_llm_router.export._families")
LATE += tuple(f"otel_llm_router.instrumentation.{name}._hooks" for name in ("asgi", "litellm"))

def loaded():
    return [name for name in LATE if name in sys.modules]

def scraped(url):
    return urllib.request.urlopen(url, timeout=30).read().decode()

before = loaded()
text = scraped("http://127.0.0.1:PORT/metrics")
print(json.dumps([before, loaded(), "llm_router_process_cpu_seconds_total" in text, "target_info" in text]))
"""

IDLE = """
import json, threading, time, urllib.request
from otel_llm_router import telemetry

with telemetry.request(model="m"):
    pass
urllib.request.urlopen("http://127.0.0.1:PORT/metrics", timeout=30).read()

def wakes():
    found = {}
    for thread in threading.enumerate():
        if thread.name.startswith("otel-llm-router"):
            with open(f"/proc/self/task/{thread.native_id}/status") as status:
                (line,) = (line for line in status if line.startswith("voluntary_ctxt_switches"))
            found[f"{thread.name} {thread.native_id}"] = int(line.split()[1])
    return found

time.sleep(2)  # what the request and the scrape have set in motion comes to rest
first = wakes()
time.sleep(2)
print(json.dumps([first, wakes()]))
"""


SWITCHED_ON = {"OTEL_METRICS_EXPORTER": "prometheus", "OTEL_LLM_ROUTER_SCRAPE": "true"}


def test_what_only_a_scrape_needs_comes_with_the_first(python: Callable[..., Any]) -> None:
    port = str(free_port())
    done = python(SERVING.replace("PORT", port), OTEL_LLM_ROUTER_SCRAPE_PORT=port, **SWITCHED_ON)
    before, after, ours, target = json.loads(done.stdout)
    # The web framework's own instrumentation may bring asyncio, and with it its middleware and our hook there.
    assert set(before) <= {"asyncio", "otel_llm_router.instrumentation.asgi._hooks"}, done.stderr
    assert {"h11", "prometheus_client", "otel_llm_router.export._http"} <= set(after)
    assert ours
    assert target


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads how often a thread woke up from /proc")
def test_no_thread_of_ours_wakes_up_while_nothing_happens(python: Callable[..., Any]) -> None:
    port = str(free_port())
    done = python(IDLE.replace("PORT", port), OTEL_LLM_ROUTER_SCRAPE_PORT=port, **SWITCHED_ON)
    first, then = json.loads(done.stdout)
    # The last two have an interval; what they cost is in benchmarks/micro/idle.py.
    ours = {f"otel-llm-router-{name}" for name in ("exit", "pipeline", "scrape", "workers", "health")}
    assert {name.split()[0] for name in first} == ours
    woken = {name.split()[0] for name, count in first.items() if then[name] != count}
    assert woken <= {"otel-llm-router-workers", "otel-llm-router-health"}
