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
            environment: Environment variables to add to our own.
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
                env={**os.environ, **environment},
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
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
            raise click.ClickException(f"{name} did not start; the end of {log}:\n{tail}") from None

    def stop(self) -> None:
        """End every child: politely, then by force."""
        for _, child in self._children:
            child.terminate()
        deadline = time.monotonic() + _STOP_SECONDS
        for _, child in self._children:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(max(0.1, deadline - time.monotonic()))
            if child.poll() is None:
                child.kill()
                child.wait()
            if child.stdout is not None:
                child.stdout.close()
        self._children.clear()

    def pid(self, name: str) -> int:
        """Return the process id of the child called ``name``."""
        return next(child.pid for known, child in self._children if known == name)

    def dead(self) -> list[str]:
        """Return the names of children that have ended on their own."""
        return [name for name, child in self._children if child.poll() is not None]


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
