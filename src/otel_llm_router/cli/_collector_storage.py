"""The directory of the Collector's queues, made fit for a start.

Room: `cli`. The directory comes in; files that would end the Collector are set aside, and room that a start needs on a full
disk is kept free.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Final

from otel_llm_router import _file_locks
from otel_llm_router.cli._bolt_file import fault

SUFFIX: Final = ".backup"
"""Ending of the names of files that were set aside; the Collector's own `recreate` uses it, and the alert counts them."""
_RESERVE: Final = "reserve"
_RESERVE_BYTES: Final = 32 << 20
_RESERVE_SHARE: Final = 4
"""The reserve is at most this part of the free space."""


@dataclass(frozen=True)
class SetAside:
    """A file that was set aside.

    Args:
        path: Where it is now.
        reason: What is wrong with it.
    """

    path: Path
    reason: str

    def __str__(self) -> str:
        return f"a queue file is damaged and was set aside, with what waited in it: {self.path} ({self.reason})"


def prepare(directory: Path) -> list[SetAside]:
    """Give the reserve back, and set damaged files aside.

    A damaged queue would end the Collector at its start or later. What it holds may be partly readable with bbolt's tools;
    it is kept, and never deleted. Files that a running Collector holds are left alone.

    Raises:
        OSError: The directory cannot be read, or a file cannot be renamed.
    """
    (directory / _RESERVE).unlink(missing_ok=True)
    found: list[SetAside] = []
    for path in sorted(directory.iterdir()):
        if not path.is_file() or path.suffix == SUFFIX or path.name.startswith("tempdb"):
            continue
        with _unused(path) as unused:
            reason = fault(path) if unused else None
        if reason is not None:
            now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H%M%S.%f")
            found.append(SetAside(path.rename(path.with_name(f"{path.name}.{now}{SUFFIX}")), reason))
    return found


def reserve(directory: Path) -> None:
    """Take some space of the disk, for the next start.

    A Collector that was killed writes what it was sending again when it starts; on a full disk it could not, and would lose
    that. Without room for it there is no reserve.
    """
    if not hasattr(os, "posix_fallocate"):
        return
    with suppress(OSError):
        size = min(_RESERVE_BYTES, shutil.disk_usage(directory).free // _RESERVE_SHARE)
        if size:
            with (directory / _RESERVE).open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, size)


@contextmanager
def _unused(path: Path) -> Generator[bool]:
    """Hold a file's lock, as the database does; yields False when a running Collector has it."""
    with path.open("rb") as file:
        yield not _file_locks.AVAILABLE or _file_locks.take(file.fileno(), shared=True)
