"""`otel-llm-router demo` as people run it: real processes, real sockets, and every number held against the truth."""

from __future__ import annotations

import contextlib
import os
import re
import signal
from collections.abc import Callable, Generator
from typing import Any

import httpx
import psutil
import pytest

from demo_command import EVENTFUL, FIGURES, SOME_FIGURES, Demo, Ended, port

Start = Callable[..., Demo]

ROWS = [
    "requests",
    "requests over HTTP",
    "requests that succeeded",
    "requests that failed",
    "streams that clients abandoned",
    "answers from the cache",
    "cache hits",
    "attempts at alpha",
    "attempts at beta",
    "attempts at gamma",
    "attempts that succeeded",
    "attempts that failed",
    "attempts abandoned",
    "attempts refused with 429",
    "streams cut by an upstream",
    "input tokens reported",
    "output tokens reported",
    "cache_read tokens reported",
    "reasoning tokens reported",
    "answers without usage",
    "spans of requests",
    "spans of attempts",
    "spans of HTTP requests",
]
BY_CHANCE = {"requests that failed", "attempts refused with 429", "streams cut by an upstream"}
"""They depend on which deployment the router picks, and may be none in a short run."""


@pytest.fixture
def start() -> Generator[Start]:
    """Start demos, and end what a failed test leaves of them."""
    started: list[Demo] = []

    def one(*arguments: str, **variables: str) -> Demo:
        started.append(Demo(*arguments, **variables))
        return started[-1]

    yield one
    for demo in started:
        # Not killed: it would leave its processes behind.
        demo.process.terminate()
        demo.process.communicate(timeout=60)


@pytest.fixture(scope="module")
def sixty() -> Ended:
    """A demo of sixty requests that has run to its end."""
    return Demo("--requests", "60", "--seed", EVENTFUL, "--json").finish()


def numbers(answer: Any) -> dict[str, int]:
    return {row["what"]: row["upstream"] for row in answer["reconciliation"]}


def test_every_number_agrees(sixty: Ended) -> None:
    assert sixty.code == 0, sixty.stderr
    assert (sixty.answer["equal"], sixty.answer["seed"], sixty.answer["collector"]) == (True, int(EVENTFUL), False)
    rows = sixty.answer["reconciliation"]
    assert [row["what"] for row in rows] == ROWS
    for row in rows:
        assert set(row) == {"what", "upstream", "scrape", "otlp", "equal"}
        assert row["upstream"] == row["scrape"] == row["otlp"]
        assert row["equal"] is True


def test_everything_that_a_router_goes_through_happened(sixty: Ended) -> None:
    found = numbers(sixty.answer)
    assert found["requests"] == found["requests over HTTP"] == found["spans of requests"] == 60
    assert [what for what, number in found.items() if not number and what not in BY_CHANCE] == []
    ways = ("requests that succeeded", "requests that failed", "streams that clients abandoned")
    assert sum(found[way] for way in ways) == 60
    attempts = sum(found[f"attempts at {name}"] for name in ("alpha", "beta", "gamma"))
    assert attempts == found["spans of attempts"]
    assert attempts == sum(found[f"attempts {end}"] for end in ("that succeeded", "that failed", "abandoned"))
    assert attempts > 60 - found["cache hits"], "nothing was tried again"


def test_progress_and_the_table_go_to_stderr_when_stdout_is_json(sixty: Ended) -> None:
    assert "starting three upstream providers ..." in sixty.message
    assert f"metrics {sixty.answer['metrics_url']}" in " ".join(sixty.message)
    assert re.search(SOME_FIGURES, sixty.stderr)
    assert "What happened, and what the telemetry says" in sixty.stderr
    assert sixty.message[-1] == f"All {len(ROWS)} numbers agree."


def test_two_at_once_do_not_read_each_others_numbers(start: Start) -> None:
    # What a shell says for other applications would lead the demo astray.
    elsewhere = {"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://127.0.0.1:1"}
    elsewhere |= dict.fromkeys(("HTTP_PROXY", "http_proxy"), "http://127.0.0.1:1")
    first_demo, second_demo = start("--requests", "30", "--json"), start("--requests", "25", **elsewhere)
    first, second = first_demo.finish(), second_demo.finish()
    assert (first.code, second.code) == (0, 0), first.stderr + second.stdout + second.stderr
    assert numbers(first.answer)["requests"] == 30
    assert re.search(r"│ requests +│ +25 │ +25 │ +25 │ equal │", second.stdout)
    assert second.stdout.endswith(f"All {len(ROWS)} numbers agree.\n")
    url = re.search(r"metrics\s+(http://127\.0\.0\.1:\d+/metrics)", second.stdout)
    assert url is not None
    assert url[1] != first.answer["metrics_url"]


def gone(children: dict[str, psutil.Process]) -> bool:
    return not any(child.is_running() for child in children.values())


SIGNALS = pytest.mark.parametrize(
    ("number", "code", "sentence"),
    [
        (signal.SIGINT, 130, "interrupted; everything that was started has been stopped"),
        (signal.SIGTERM, 143, "terminated; everything that was started has been stopped"),
    ],
)


@SIGNALS
def test_a_signal_during_the_traffic_ends_everything(
    start: Start, number: signal.Signals, code: int, sentence: str
) -> None:
    demo = start("--duration", "5m", "--json")
    demo.wait_for(SOME_FIGURES)
    children = demo.children()
    demo.process.send_signal(number)
    ended = demo.finish()
    assert (ended.code, ended.stdout, ended.message) == (code, "", [sentence])
    assert gone(children)


@SIGNALS
def test_a_signal_while_it_starts_ends_everything(
    start: Start, number: signal.Signals, code: int, sentence: str
) -> None:
    demo = start("--duration", "5m", "--json")
    demo.wait_for("starting the gateway")
    children = demo.children()
    # The last that is ended takes its time, and the second signal must not keep the demo from waiting for it.
    children["alpha"].suspend()
    demo.process.send_signal(number)
    others = [child for name, child in children.items() if name != "alpha"]
    assert psutil.wait_procs(others, timeout=60)[1] == []
    demo.process.send_signal(number)
    with contextlib.suppress(psutil.NoSuchProcess):  # on a slow machine it has been waited for long enough
        children["alpha"].resume()
    ended = demo.finish()
    assert (ended.code, ended.stdout, ended.message) == (code, "", [sentence])
    assert gone(children)


def test_kept_running_it_can_be_looked_at_until_ctrl_c(start: Start) -> None:
    demo = start("--requests", "5", "--keep", "--json")
    url = re.search(r"metrics (http://\S+/metrics)", demo.wait_for("gateway .*metrics"))
    assert url is not None
    demo.wait_for("Everything is still running")
    children = demo.children()
    assert "llm_router_inference_total" in httpx.get(url[1]).text
    demo.process.send_signal(signal.SIGINT)
    ended = demo.finish()
    assert ended.code == 0
    assert ended.answer["equal"] is True
    assert ended.message[-1] == "stopping"
    assert gone(children)


@pytest.mark.parametrize("name", ["beta", "gateway"])
def test_what_ends_on_its_own_is_named(start: Start, name: str) -> None:
    demo = start("--duration", "2s", "--json")
    demo.wait_for(FIGURES)
    children = demo.children()
    os.kill(children[name].pid, signal.SIGKILL)
    ended = demo.finish()
    assert (ended.code, ended.stdout) == (1, "")
    assert f"Error: {name} ended during the run with exit code 137" in ended.message
    assert "Traceback" not in ended.stderr
    assert gone(children)


def test_a_call_past_the_gateway_is_a_difference(start: Start) -> None:
    demo = start("--requests", "10", "--json")
    demo.wait_for(FIGURES)
    gamma = port(demo.children()["gamma"])
    body = {"model": "text-embedding-3-small", "input": ["nobody knows of this one"]}
    assert httpx.post(f"http://127.0.0.1:{gamma}/v1/embeddings", json=body).status_code == 200
    ended = demo.finish()
    assert ended.code == 1
    assert ended.answer["equal"] is False
    different = [row["what"] for row in ended.answer["reconciliation"] if not row["equal"]]
    assert different == ["attempts at gamma", "attempts that succeeded", "input tokens reported", "spans of attempts"]
    assert f"4 of {len(ROWS)} numbers differ: {', '.join(different)}" in " ".join(ended.message)
    assert ended.stderr.count("DIFFERENT") == 4
