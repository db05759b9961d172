"""What a stack that was started consists of, from one command to the next.

Room: `cli`. Engines that were started come in; those that still run are told from those that do not, and from strangers
that were given the same process id.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import click
import psutil

_FILE: Final = "stack.json"
_SAME_SECONDS: Final = 2.0
"""How far two readings of a process's start may be apart: it is counted from the machine's start, which clocks move."""


class StateError(click.ClickException):
    """The state of a stack cannot be read or written."""


@dataclass(frozen=True)
class Running:
    """An engine that was started.

    Args:
        engine: Its name.
        version: As it states it.
        pid: Its process.
        started: When the process started, in seconds since 1970.
        digest: Of what it was started with.
        log: Its log file.
        ready: URL that answers 200 when it is ready.
        look: Where a user looks.
        send: How a user sends to it; empty if users do not.
        ports: Its listeners.
    """

    engine: str
    version: str
    pid: int
    started: float
    digest: str
    log: str
    ready: str
    look: str
    send: str
    ports: Mapping[str, int]

    def process(self) -> psutil.Process | None:
        """The process, if it still runs and is the one that was started."""
        with suppress(psutil.Error):
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.started) < _SAME_SECONDS
            if same and process.status() != psutil.STATUS_ZOMBIE:
                return process
        return None


class State:
    """The engines of the stack in a directory.

    Args:
        directory: The stack's.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.engines: dict[str, Running] = {}

    @property
    def file(self) -> Path:
        """Where it is kept."""
        return self.directory / _FILE

    @classmethod
    def read(cls, directory: Path) -> State:
        """Read it; one that was never written has no engines.

        Raises:
            StateError: It cannot be read, or is none of ours.
        """
        state = cls(directory)
        try:
            content: Any = json.loads(state.file.read_text(encoding="utf-8"))
            state.engines = {entry["engine"]: Running(**entry) for entry in content["engines"]}
        except (FileNotFoundError, NotADirectoryError):
            return state
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StateError(
                f"{state.file} does not say which engines run: {error}. If none does, remove the file."
            ) from error
        return state

    def write(self) -> None:
        """Keep it, so that a command that ends in the middle leaves the old or the new one.

        Raises:
            StateError: It cannot be written.
        """
        try:
            if not self.engines:
                self.file.unlink(missing_ok=True)
                return
            content = {"engines": [asdict(engine) for engine in self.engines.values()]}
            unfinished = self.file.with_suffix(f".{os.getpid()}")
            unfinished.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
            unfinished.replace(self.file)
        except OSError as error:
            raise StateError(f"the stack's state cannot be written: {error}") from error

    def alive(self) -> dict[str, Running]:
        """The engines whose processes run."""
        return {name: engine for name, engine in self.engines.items() if engine.process() is not None}

    def keep(self, engine: Running) -> None:
        """Note an engine, and keep the state."""
        self.engines[engine.engine] = engine
        self.write()

    def restore(self, name: str, former: Running | None) -> None:
        """Note of an engine what was noted before, if anything was, and keep the state."""
        self.engines.pop(name, None)
        if former is not None:
            self.engines[name] = former
        self.write()

    def drop(self, name: str) -> None:
        """Forget an engine, and keep the state."""
        self.engines.pop(name, None)
        self.write()
