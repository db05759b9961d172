"""How tests start `otel-llm-router demo` as a process of its own, watch it, and see what it leaves behind."""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass
from subprocess import PIPE, Popen
from typing import Any

import psutil
import pytest

from tests.e2e.running import BIN, environment

CHILDREN = {"alpha", "beta", "gamma", "gateway"}
EVENTFUL = "330"
"""A seed whose first sixty requests have everything; some repeat long after the first time, and so from the cache."""
FIGURES = " s: requests "
SOME_FIGURES = " s: requests [1-9]"
"""Progress that says that requests have been answered, as a regular expression."""


@dataclass(frozen=True)
class Ended:
    """A demo that has ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def answer(self) -> Any:
        """The one JSON object on stdout."""
        return json.loads(self.stdout)

    @property
    def message(self) -> list[str]:
        """What it said on stderr beside the live figures."""
        return [line for line in self.stderr.splitlines() if FIGURES not in line]


class Demo:
    """A running demo.

    Args:
        arguments: Options of the command.
        variables: Its environment, beside ours without anything of OpenTelemetry.
    """

    def __init__(self, *arguments: str, **variables: str) -> None:
        command = [BIN / "otel-llm-router", "demo", *arguments]
        self.process = Popen(command, env=environment(**variables), stdout=PIPE, stderr=PIPE, text=True)

    def wait_for(self, expression: str) -> str:
        """Read stderr up to the first line that has the expression, and return that line."""
        assert self.process.stderr is not None
        seen: list[str] = []
        for line in self.process.stderr:
            if re.search(expression, line):
                return line
            seen.append(line)
        pytest.fail(f"it ended without {expression!r}:\n{''.join(seen)}")

    def children(self) -> dict[str, psutil.Process]:
        """Every process that it started, by the name of what each serves, once all are there."""
        deadline = time.monotonic() + 60
        found: dict[str, psutil.Process] = {}
        while set(found) != CHILDREN and time.monotonic() < deadline:
            time.sleep(0.01)
            found = {(child.cmdline() or [""])[-1]: child for child in psutil.Process(self.process.pid).children()}
        assert set(found) == CHILDREN
        return found

    def finish(self) -> Ended:
        """Wait for its end."""
        stdout, stderr = self.process.communicate(timeout=120)
        return Ended(self.process.returncode, stdout, stderr)


def port(process: psutil.Process) -> int:
    """The port that a process listens on; its name for that differs between psutil's versions."""
    connections: Any = getattr(process, "net_connections", None) or getattr(process, "connections")  # noqa: B009
    return next(one.laddr.port for one in connections(kind="tcp") if one.status == psutil.CONN_LISTEN)
