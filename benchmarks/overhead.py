"""CPU that the telemetry adds to a gateway, for each request.

Two gateways run side by side, the demo's FastAPI application on ``litellm.Router``: one as it is, one
under ``opentelemetry-instrument`` with everything on (metrics on both doors, three spans for each
request, log events). Rounds of equal requests alternate between them (A B A B ...), one request at a
time, so that a drift of the machine meets both. The figure is user and system CPU time of the gateway's
process for each request, from the operating system's accounting; the client, the upstreams and the OTLP
receiver are other processes or threads and not in it.

    python benchmarks/overhead.py
    python benchmarks/overhead.py --rounds 8 --requests 400 --json
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import psutil

from otel_llm_router.cli.demo import command
from otel_llm_router.cli.demo._delivery import in_process
from otel_llm_router.cli.demo._processes import Processes

WARM_UP = 100
UPSTREAMS = ("alpha", "beta", "gamma")


def body(kind: str, number: int) -> dict[str, object]:
    """Return a request that every upstream answers at once, and no cache knows."""
    answer = [{"completion_tokens": 20 if kind == "plain" else 100}]
    content = {"id": f"benchmark-{kind}-{number}", "upstreams": dict.fromkeys(UPSTREAMS, answer)}
    request: dict[str, object] = {"model": "smart", "messages": [{"role": "user", "content": json.dumps(content)}]}
    if kind == "stream":
        request |= {"stream": True, "stream_options": {"include_usage": True}}
    return request


def cpu_seconds(process: psutil.Process) -> float:
    """Return the CPU time that a process has used."""
    times = process.cpu_times()
    return times.user + times.system


def measure(client: httpx.Client, process: psutil.Process, kind: str, requests: int, begin: int) -> float:
    """Send ``requests`` requests and return the CPU microseconds that each took of ``process``."""
    before = cpu_seconds(process)
    for number in range(begin, begin + requests):
        answer = client.post("/v1/chat/completions", json=body(kind, number))
        answer.raise_for_status()
    return (cpu_seconds(process) - before) / requests * 1e6


def run(kind: str, rounds: int, requests: int) -> dict[str, Any]:
    """Measure one kind of request; return the figures of each round and their medians."""
    figures: dict[str, list[float]] = {"without": [], "with": []}
    with tempfile.TemporaryDirectory() as directory, in_process() as delivery, Processes(Path(directory)) as processes:
        upstreams = {name: processes.serve(name, "upstream", name, environment={}) for name in UPSTREAMS}
        environment = command.gateway_environment(upstreams, delivery, scrape_port=0)
        plain = {**environment, "OTEL_SDK_DISABLED": "true"}
        gateways = {
            "without": processes.serve("without", "gateway", environment=plain),
            "with": processes.serve("with", "gateway", environment=environment, instrumented=True),
        }
        own = {name: psutil.Process(processes.pid(name)) for name in gateways}
        clients = {name: httpx.Client(base_url=url, timeout=60) for name, url in gateways.items()}
        for name, client in clients.items():
            measure(client, own[name], kind, WARM_UP, begin=-WARM_UP)
        for number in range(rounds):
            for name, client in clients.items():
                figures[name].append(measure(client, own[name], kind, requests, begin=number * requests))
                say(f"{kind}, round {number + 1} of {rounds}, {name}: {figures[name][-1]:.0f} us")
        for client in clients.values():
            client.close()
    added = [after - before for before, after in zip(figures["without"], figures["with"], strict=True)]
    return {
        "kind": kind,
        "requests_per_round": requests,
        "without_us": [round(value) for value in figures["without"]],
        "with_us": [round(value) for value in figures["with"]],
        "added_us": [round(value) for value in added],
        "median_without_us": round(statistics.median(figures["without"])),
        "median_with_us": round(statistics.median(figures["with"])),
        "median_added_us": round(statistics.median(added)),
        "ratio": round(statistics.median(figures["with"]) / statistics.median(figures["without"]), 3),
    }


def say(text: str) -> None:
    """Show progress, out of the way of the result."""
    print(text, file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark and print its result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=6, help="rounds of each gateway (default 6)")
    parser.add_argument("--requests", type=int, default=300, help="requests of each round (default 300)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args(arguments)
    results = [run(kind, options.rounds, options.requests) for kind in ("plain", "stream")]
    if options.json:
        print(json.dumps(results, indent=2))
        return
    print("CPU of the gateway for each request, us: median over rounds (lowest to highest)")
    for result in results:
        for name in ("without_us", "with_us", "added_us"):
            values: list[int] = result[name]
            spread = f"({min(values)} to {max(values)})"
            print(f"{result['kind']:<7} {name.removesuffix('_us'):<8} {statistics.median(values):6.0f}   {spread}")
        print(f"{result['kind']:<7} ratio    {result['ratio']}")


if __name__ == "__main__":
    main()
