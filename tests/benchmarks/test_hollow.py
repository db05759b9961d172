from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

from benchmarks.hollow._callbacks import Recording
from benchmarks.processes import ANSWER, ROOT, environ_of

PLAIN, STREAMS = 7, 3


class Base:
    def before(self, details: dict[str, Any]) -> None: ...

    async def after(self, details: dict[str, Any]) -> None: ...


class Marking(Base):
    """As LiteLLM's own callbacks do, it leaves a mark in the dictionaries that it gets, and counts what has none."""

    def __init__(self) -> None:
        self.counted = 0

    def before(self, details: dict[str, Any]) -> None:
        details["begun"] = True

    async def after(self, details: dict[str, Any]) -> None:
        if not details["litellm_params"]["metadata"].setdefault("done", False):
            self.counted += 1
        details["litellm_params"]["metadata"]["done"] = True


async def test_a_callback_gets_again_what_it_got_as_if_for_the_first_time():
    callback = Marking()
    details: dict[str, Any] = {"litellm_params": {"metadata": {}}}
    with Recording([callback], Base) as recording:
        callback.before(details)
        recording.answered()
        await callback.after(details)
        played = recording.played()
    assert callback.counted == 1
    assert (len(played.before), len(played.after)) == (1, 1)
    for _ in range(5):
        for call in (*played.before, *played.after):
            await call.again()
    assert callback.counted == 6
    assert not vars(callback).keys() - {"counted"}


def test_every_request_of_the_hollow_router_is_recorded_once():
    """In processes of their own: the hollow Router is LiteLLM's, emptied."""
    commands = (
        {"do": "block", "kind": "plain", "concurrency": 1, "requests": PLAIN},
        {"do": "block", "kind": "stream", "concurrency": 1, "requests": STREAMS},
        {"do": "end"},
    )
    instrument = Path(sys.executable).with_name("opentelemetry-instrument")
    sink = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.sink"], cwd=ROOT, env=environ_of(), stdout=subprocess.PIPE, text=True
    )
    try:
        assert sink.stdout is not None
        url = f"http://127.0.0.1:{json.loads(sink.stdout.readline())['port']}/run"
        worker = subprocess.run(
            [str(instrument), sys.executable, "-m", "benchmarks.worker", "own", "isolated"],
            cwd=ROOT,
            env=environ_of({"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_LLM_ROUTER_SCRAPE_PORT": "0"}, _coverage()),
            input="".join(json.dumps(command) + "\n" for command in commands),
            stdout=subprocess.PIPE,
            text=True,
            timeout=120,
            check=True,
        )
        answers = [json.loads(line.removeprefix(ANSWER)) for line in worker.stdout.splitlines()]
        assert answers[-1]["sent"] == PLAIN + STREAMS
        with urllib.request.urlopen(url, timeout=30) as response:
            counts = json.load(response)
    finally:
        sink.terminate()
        sink.wait(10)
        if sink.stdout is not None:
            sink.stdout.close()
    assert counts["spans"] == {"otel_llm_router": 2 * (PLAIN + STREAMS)}
    metrics = counts["metrics"]
    for name in ("llm_router.inference", "llm_router.attempts", "llm_router.decisions"):
        assert metrics[name] == PLAIN + STREAMS
    assert metrics["llm_router.time_to_first_token"] == STREAMS


def _coverage() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if key.startswith("COV")}
