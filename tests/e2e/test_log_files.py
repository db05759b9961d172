"""Log lines of real applications under the real ``opentelemetry-instrument``."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from otel_llm_router.cli.demo._receiver import Receiver
from running import Application

REQUESTS = 60
Lines = list[dict[str, Any]]


class Run:
    """What an application with two workers has written and sent.

    Args:
        files: Its lines, by stream.
        receiver: What it has sent.
        said: Its own output.
    """

    def __init__(self, files: dict[str, Lines], receiver: Receiver, said: str) -> None:
        self.files = files
        self.receiver = receiver
        self.said = said


@pytest.fixture(scope="module")
def run(lasting_application: Callable[..., Application], tmp_path_factory: pytest.TempPathFactory) -> Generator[Run]:
    """Two workers that have served, and were ended by a signal."""
    directory, receiver = tmp_path_factory.mktemp("lines"), Receiver()
    variables = {
        "WEB_CONCURRENCY": "2",
        "UVICORN_TIMEOUT_WORKER_HEALTHCHECK": "60",
        "LOG_FILE": f"{directory}/",
        "LOG_LEVEL": "info",
        "OTEL_LLM_ROUTER_LOG_INFERENCES": "all",
        "OTEL_LLM_ROUTER_LOG_MAX_BYTES": "15000",
        "OTEL_LLM_ROUTER_LOG_BACKUPS": "50",
        "OTEL_SERVICE_NAME": "shop",
        "OTEL_RESOURCE_ATTRIBUTES": "service.version=1.2,deployment.environment.name=test",
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.start(),
    }
    running = lasting_application("logging_app", variables=variables)
    with ThreadPoolExecutor(8) as pool:
        # A connection each, so that both workers serve.
        list(pool.map(httpx.get, [f"{running.base}/ask/{number}" for number in range(REQUESTS)]))
    running.stop()
    files = {
        stream: [
            json.loads(line)
            for path in sorted(directory.glob(f"{stream}.log*"))
            for line in path.read_bytes().decode().removesuffix("\n").split("\n")
        ]
        for stream in ("application", "access", "error", "metrics")
    }
    assert len(list(directory.glob("application.log*"))) > 2
    yield Run(files, receiver, running.said())
    receiver.stop()


def test_every_request_is_in_the_access_log_once_with_the_trace_of_its_span(run: Run) -> None:
    requests = [one for one in run.files["access"] if one.get("http.route") == "/ask/{number}"]
    numbers = Counter(one.get("http.request.header.x-request-id") for one in requests if "trace_id" in one)
    failed = [number for number in range(REQUESTS) if number % 10 == 9]
    # What fails is answered without the header that the application would have set.
    assert numbers == {**{str(n): 1 for n in range(REQUESTS) if n not in failed}, None: len(failed)}
    statuses = Counter(one["http.response.status_code"] for one in requests)
    assert statuses == {200: REQUESTS - len(failed), 502: len(failed)}
    spans = {
        one.span_id.hex(): one.trace_id.hex() for one in run.receiver.kept_spans if one.name == "GET /ask/{number}"
    }
    assert {one["span_id"]: one["trace_id"] for one in requests} == spans
    assert len(spans) == REQUESTS


def test_every_record_of_the_application_once_and_nothing_secret(run: Run) -> None:
    warned = [one for one in run.files["application"] if one.get("logger") == "shop"]
    routed = [one for one in run.files["application"] if one.get("logger") == "structlog"]
    assert Counter(one["message"] for one in warned) == {
        f"asked {number}\nwith [REDACTED]": 1 for number in range(REQUESTS)
    }
    assert sorted(one["number"] for one in routed) == list(range(REQUESTS))
    traces = {one["trace_id"] for one in run.files["access"]}
    assert {one["trace_id"] for one in warned + routed} <= traces
    assert len({one["trace_id"] for one in warned}) == REQUESTS


def test_requests_that_begin_and_end_have_a_record_each(run: Run) -> None:
    ours = [one for stream in ("application", "error") for one in run.files[stream] if one.get("event_type")]
    names = Counter(one["event_name"] for one in ours if one["event_name"].startswith("llm_router.inference."))
    failed = REQUESTS // 10
    assert names == {
        "llm_router.inference.started": REQUESTS,
        "llm_router.inference.completed": REQUESTS - failed,
        "llm_router.inference.error": failed,
    }
    completed = [one for one in ours if one["event_name"] == "llm_router.inference.completed"]
    assert {(one["model_name"], one["tokens_generated"], one["performance_category"]) for one in completed} == {
        ("gpt-4o", 3, "fast")
    }
    routes = {one.span_id.hex() for one in run.receiver.kept_spans if one.name == "route smart"}
    assert {one["inference_id"] for one in completed} < routes
    assert {one["error_name"] for one in run.files["error"]} == {"server_error"}


def test_the_summaries_of_all_workers_add_up(run: Run) -> None:
    summaries = run.files["metrics"]
    assert sum(one["llm_router.summary.requests"] for one in summaries) == REQUESTS
    assert sum(one["llm_router.summary.errors"] for one in summaries) == REQUESTS // 10
    assert sum(one["llm_router.summary.tokens_generated"] for one in summaries) == 3 * (REQUESTS - REQUESTS // 10)


def test_every_line_says_who_wrote_it(run: Run) -> None:
    lines = [one for found in run.files.values() for one in found]
    assert {(one["service"], one["version"], one["environment"]) for one in lines} == {("shop", "1.2", "test")}
    assert all(one["host"] and one["pid"] and one["timestamp"].endswith("Z") and one["level"] for one in lines)
    assert {one["stream"] for one in run.files["error"]} == {"error"}


def test_the_applications_messages_go_to_the_files_alone_and_its_own_output_stays(run: Run) -> None:
    scopes = {scope for scope, _ in run.receiver.kept_logs}
    assert scopes == {"otel_llm_router"}  # events of ours; the option that exports the application's is off
    assert run.said.count("asked ") == REQUESTS
    assert '"stream":' not in run.said


SETTINGS = """
import logging, os
logging.basicConfig(level=logging.DEBUG, format="%(levelname)s %(message)s")
before = (logging.root.level, list(logging.root.handlers))
logging.getLogger("app").debug("details")
logging.getLogger("app").info("fine")
logging.getLogger("app").error("bad")
assert (logging.root.level, logging.root.handlers) == before
if os.environ.get("EXIT") == "fork":
    child = os.fork()
    if child == 0:
        logging.getLogger("app").error("child")
    else:
        os.waitpid(child, 0)
"""


def test_common_variables_alone_open_nothing(
    python: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    done = python(SETTINGS, LOG_LEVEL="debug", LOG_FORMAT="json", DEBUG="true")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert done.stderr.splitlines() == ["DEBUG details", "INFO fine", "ERROR bad"]
    assert not list(tmp_path.iterdir())


def test_a_file_by_its_common_name_and_a_process_that_ends_with_a_child(
    python: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    done = python(SETTINGS, LOG_FILE="all.log", LOG_LEVEL="error", LOG_FORMAT="%(message)s", DEBUG="1", EXIT="fork")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert done.stderr.splitlines()[:3] == ["DEBUG details", "INFO fine", "ERROR bad"]
    lines = [json.loads(line) for line in (tmp_path / "all.log").read_text().splitlines()]
    assert sorted(one["message"] for one in lines) == ["bad", "child", "details", "fine"]
    assert len({one["pid"] for one in lines}) == 2


def test_text_for_people(python: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    done = python(SETTINGS, OTEL_LLM_ROUTER_LOG_FILE="stdout", OTEL_LLM_ROUTER_LOG_FORMAT="pretty")
    assert [line.split()[1:] for line in done.stdout.splitlines()] == [
        ["INFO", "app", "fine"],
        ["ERROR", "app", "bad", "event_type=error", "error_message=bad"],
    ]
