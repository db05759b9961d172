"""How many processes will serve, as far as variables say.

Room: `cli`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from otel_llm_router.cli.doctor._findings import Finding
from otel_llm_router.cli.doctor._situation import Situation
from otel_llm_router.export import workers

CHECK: Final = "workers"

_VARIABLES: Final = ("WEB_CONCURRENCY", "UVICORN_WORKERS", "GRANIAN_WORKERS", "NUM_WORKERS")
"""Of gunicorn and uvicorn, uvicorn, granian, LiteLLM's proxy."""

_ARGUMENTS: Final = "GUNICORN_CMD_ARGS"
_WORKERS: Final = re.compile(r"(?:^|\s)(?:--workers|-w)(?:=|\s*)(\d{1,6})\b")


def check(situation: Situation) -> Iterator[Finding]:
    """Say whose numbers are on /metrics where there are several processes."""
    asked = {name: _number(situation.environ.get(name, "")) for name in _VARIABLES}
    match = _WORKERS.search(situation.environ.get(_ARGUMENTS, ""))
    asked[_ARGUMENTS] = int(match[1]) if match else 0
    several = {name: number for name, number in asked.items() if number > 1}
    if several:
        told = ", ".join(f"{name} asks for {number}" for name, number in several.items())
        if situation.settings.workers and workers.AVAILABLE and situation.settings.scrape_port:
            yield _shared(f"{told} workers", situation)
            return
        yield Finding(
            CHECK,
            "warn",
            f"{told} workers: each counts for itself, and /metrics shows one process",
            "send OTLP to a Collector, where each worker's numbers are complete, and scrape that: "
            "otel-llm-router collector run",
        )
    else:
        yield Finding(
            CHECK, "ok", "no variable asks for more than one worker (--workers on a command line is not seen from here)"
        )


def _shared(told: str, situation: Situation) -> Finding:
    try:
        workers.private("doctor", situation.settings.runtime_dir).rmdir()
    except OSError as error:
        return Finding(
            CHECK,
            "warn",
            f"{told}: each will serve itself, and /metrics shows one process: {error}",
            "set OTEL_LLM_ROUTER_RUNTIME_DIR to a directory of this user's own, with a short path",
        )
    return Finding(CHECK, "ok", f"{told}, and /metrics shows all of them together")


def _number(text: str) -> int:
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 6 else 0  # noqa: PLR2004  # no more workers than that
