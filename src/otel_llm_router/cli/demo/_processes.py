"""The demonstration's processes: started, asked for their port, and ended whatever happens.

Room: `cli`. Commands come in; base URLs go out.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Final

import click
from typing_extensions import Self

_START_SECONDS: Final = 90.0
"""A gateway imports LiteLLM, which takes seconds, and ten times that on a busy machine."""
_STOP_SECONDS: Final = 8.0
_POLL_SECONDS: Final = 0.05
_SERVE: Final = "otel_llm_router.cli.demo._serve"


class Processes:
    """Child processes that end with the ``with`` block.

    Args:
        logs: Directory for what they print.
    """

    def __init__(self, logs: Path) -> None:
        self.logs = logs
        self._children: list[tuple[str, subprocess.Popen[bytes]]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.stop()

    def serve(self, name: str, *arguments: str, environment: Mapping[str, str], instrumented: bool = False) -> str:
        """Start one of the applications of `_serve` and return its base URL.

        Args:
            name: Name in messages, and of the log file.
            arguments: What to serve.
            environment: Environment variables to add to our own, which leave theirs of OpenTelemetry out.
            instrumented: Start it under ``opentelemetry-instrument``.

        Raises:
            ClickException: it ended, or did not say its port in time.
        """
        command = [sys.executable, "-m", _SERVE, *arguments]
        if instrumented:
            command = [str(Path(sys.executable).with_name("opentelemetry-instrument")), *command]
        log = self.logs / f"{name}.log"
        # An ended terminal's Ctrl-C reaches the whole group: the children end when we say so.
        with log.open("wb") as errors:
            child = subprocess.Popen(  # noqa: S603
                command,
                env={**_surroundings(), **environment},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
            )
        self._children.append((name, child))
        assert child.stdout is not None  # noqa: S101  # PIPE was asked for
        line = _first_line(child.stdout, time.monotonic() + _START_SECONDS)
        try:
            return f"http://127.0.0.1:{json.loads(line)['port']}"
        except (ValueError, KeyError, TypeError):
            raise click.ClickException(f"{name} did not start{self._last_lines(name)}") from None

    def stop(self) -> None:
        """End every child, the last one first: what the gateway still waits for comes from the others."""
        deadline = time.monotonic() + _STOP_SECONDS
        while self._children:
            self._end(self._children[-1][1], deadline)
            self._children.pop()

    def end(self, name: str) -> None:
        """End the child called ``name``."""
        for one in [one for one in self._children if one[0] == name]:
            self._end(one[1], time.monotonic() + _STOP_SECONDS)
            self._children.remove(one)

    def pid(self, name: str) -> int:
        """Return the process id of the child called ``name``."""
        return next(child.pid for known, child in self._children if known == name)

    def said(self, name: str) -> str:
        """Return what the child called ``name`` has printed on stderr."""
        return (self.logs / f"{name}.log").read_text(errors="replace")

    def ended(self, within: float = 0.0) -> str:
        """Say which children have ended on their own; nothing when none has.

        Args:
            within: Seconds to wait for one: connections close a moment before their process has ended.
        """
        deadline = time.monotonic() + within
        while not (dead := [(name, child.returncode) for name, child in self._children if child.poll() is not None]):
            if time.monotonic() >= deadline:
                return ""
            time.sleep(_POLL_SECONDS)
        return "\n".join(
            f"{name} ended during the run with exit code {128 - code if code < 0 else code}{self._last_lines(name)}"
            for name, code in dead
        )

    def _last_lines(self, name: str) -> str:
        lines = self.said(name).splitlines()[-15:]
        return "\n".join(["; the end of its log:", *lines]) if lines else ""

    @staticmethod
    def _end(child: subprocess.Popen[bytes], deadline: float) -> None:
        """End a child: politely, then by force."""
        child.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(max(0.1, deadline - time.monotonic()))
        if child.poll() is None:
            child.kill()
            child.wait()
        if child.stdout is not None:
            child.stdout.close()


def _surroundings() -> dict[str, str]:
    """Return our environment without what a user has told OpenTelemetry: it is meant for other applications."""
    return {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}


def _first_line(stream: IO[bytes], deadline: float) -> bytes:
    line = b""
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        while not line.endswith(b"\n") and selector.select(max(0.0, deadline - time.monotonic())):
            piece = os.read(stream.fileno(), 1)
            if not piece:
                break
            line += piece
    return line
