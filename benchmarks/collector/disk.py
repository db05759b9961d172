"""Fill the disk that the queues are on, kill the Collector there, and see what becomes of what it acknowledged."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from benchmarks.collector.backends import Backend
from benchmarks.collector.running import eventually, kill, running, settings
from benchmarks.collector.sending import Sender

SIZE: Final = "32m"


class NoSmallDiskError(RuntimeError):
    """This machine lets us mount no file system."""


@contextmanager
def small_disk(directory: Path) -> Generator[list[str]]:
    """Mount a file system of 32 MB at a directory, in a mount namespace of its own.

    Yields:
        The command that a process is started with in order to see it.

    Raises:
        NoSmallDiskError: neither the user's rights nor user namespaces allow it.
    """
    directory.mkdir(parents=True)
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    join = [] if os.geteuid() == 0 else ["--user", "--preserve-credentials"]
    if not (shutil.which("unshare") and shutil.which("nsenter")):
        raise NoSmallDiskError("there is no unshare and nsenter")
    script = 'mount -t tmpfs -o size="$1" none "$2" && echo mounted && exec cat'
    holder = subprocess.Popen(
        ["unshare", "--mount", *user, "sh", "-c", script, "sh", SIZE, str(directory)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert holder.stdin is not None  # noqa: S101 - they are pipes
    assert holder.stdout is not None  # noqa: S101
    try:
        if holder.stdout.readline() != "mounted\n":
            raise NoSmallDiskError(holder.communicate()[1].strip())
        yield ["nsenter", f"--target={holder.pid}", "--mount", *join, "--"]
    finally:
        holder.stdin.close()
        holder.wait()


def run(directory: Path) -> dict[str, Any]:
    """Fill the disk while the back end is away, kill, start again, let the back end come back.

    Returns:
        The figures.

    Raises:
        NoSmallDiskError: see `small_disk`.
    """
    with small_disk(directory / "queues") as inside, Backend("otlp") as backend:
        backend.stop()
        chosen = settings(directory, ("loki",), {"LLM_ROUTER_COLLECTOR_LOKI": backend.url})
        sender = Sender(chosen.otlp_http, 10_000)
        with running(chosen, directory / "log", before=inside) as collector:
            refused = eventually(lambda: sender.answers["503"] >= 50, 60)  # noqa: PLR2004
            others = {code: count for code, count in sender.answers.items() if code not in {"200", "503"}}
            sender.stop()
            kill(collector)
        acknowledged = set(sender.acknowledged)
        backend.start()
        began = time.monotonic()
        with running(chosen, directory / "log2", before=inside):
            eventually(lambda: acknowledged <= backend.ids(), 30)
            drained = time.monotonic() - began
            later = Sender(chosen.otlp_http, 10_000)
            again = eventually(lambda: len(later.acknowledged) > 0, 30)
            later.stop()
        return {
            "disk": SIZE,
            "acknowledged before it was full": len(acknowledged),
            "answered 503 when it was full": refused,
            "other answers": others,
            "lost": len(acknowledged - backend.ids()),
            "delivered after, s": round(drained, 1),
            "takes records again": again,
        }
