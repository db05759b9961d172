"""Engines as processes that outlive the command: started, waited for, ended.

Room: `cli`. Launches come in; processes that are ready, and that end in bounded time, go out.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

import click
import psutil

from otel_llm_router.cli._answers import answers, last_lines
from otel_llm_router.cli.stack._engine import Launch
from otel_llm_router.cli.stack._state import Running

_START_SECONDS: Final = 90.0
_STOP_SECONDS: Final = 15.0
_KILL_SECONDS: Final = 5.0
_POLL_SECONDS: Final = 0.1
_ANSWER_SECONDS: Final = 3.0
_LAST_LINES: Final = 15


class StartError(click.ClickException):
    """An engine ended, did not become ready, or could not be started."""


def start(launch: Launch, ports: dict[str, int], log: Path) -> Running:
    """Start an engine, detached from this command; it is not ready yet.

    Raises:
        StartError: Its files cannot be written, or its program does not run.
    """
    try:
        for directory in (*launch.directories, *(path.parent for path in launch.files), log.parent):
            # What routers log about their users is not for other users of the machine.
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path, text in launch.files.items():
            path.write_text(text, encoding="utf-8")
        with log.open("wb") as out:
            process = subprocess.Popen(  # noqa: S603
                launch.command,
                cwd=log.parent,
                env=os.environ | launch.variables,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                # Out of the terminal's group: Ctrl-C, and the end of the terminal, are not for it.
                start_new_session=sys.platform != "win32",
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
            )
    except OSError as error:
        raise StartError(f"{launch.engine} cannot be started: {error}") from error
    started = time.time()
    with suppress(psutil.Error):
        started = psutil.Process(process.pid).create_time()
    return Running(
        engine=launch.engine,
        version=launch.version,
        pid=process.pid,
        started=started,
        digest=launch.digest,
        log=str(log),
        ready=launch.ready,
        look=launch.look,
        send=launch.send,
        ports=ports,
    )


def wait_ready(engine: Running, *, seconds: float = _START_SECONDS) -> None:
    """Wait until an engine says that it is ready.

    Raises:
        StartError: It ended, or the time is up; the message has the end of its log.
    """
    deadline = time.monotonic() + seconds
    while not is_ready(engine):
        if engine.process() is None:
            raise StartError(f"{engine.engine} ended before it was ready{_last_lines(engine)}")
        if time.monotonic() > deadline:
            raise StartError(
                f"{engine.engine} was not ready after {seconds:g} s: {engine.ready} did not answer 200"
                f"{_last_lines(engine)}"
            )
        time.sleep(_POLL_SECONDS)


def is_ready(engine: Running) -> bool:
    """Whether an engine answers that it is ready."""
    return answers(engine.ready, seconds=_ANSWER_SECONDS)


def stop(engines: Iterable[Running], ended: Callable[[Running, bool], None], *, seconds: float = _STOP_SECONDS) -> None:
    """End engines one after the other: politely, then by force.

    Args:
        engines: In the order in which they end.
        ended: Told of each, and whether it took force.
        seconds: How long one may take to end by itself.
    """
    for engine in engines:
        process = engine.process()
        forced = False
        if process is not None:
            with suppress(psutil.NoSuchProcess):
                process.terminate()
                forced = not _gone(process, seconds)
                if forced:
                    process.kill()
                    _gone(process, _KILL_SECONDS)
        ended(engine, forced)


def _gone(process: psutil.Process, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def _last_lines(engine: Running) -> str:
    with suppress(OSError):
        text = Path(engine.log).read_text(encoding="utf-8", errors="replace")
        return last_lines(text, _LAST_LINES) or f"; {engine.log} is empty"
    return ""
