"""Lock files: one for each thing that only one process may have.

Room: `export`. A lock belongs to what was opened, not to a process number that another process may get: a
lock that can be had is a process that is gone. A forked child has its parent's: it must close it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from otel_llm_router._file_locks import take

WAIT_SECONDS: Final = 3.0
"""How long to wait for a lock that is held for moments only; a machine that is overloaded makes seconds of them."""
_LOOK_SECONDS: Final = 0.005


def hold(path: Path) -> int | None:
    """Return a descriptor that holds the lock file at ``path`` until it is closed, or None if somebody else does.

    Raises:
        OSError: the file cannot be made.
    """
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if not take(descriptor):
            os.close(descriptor)
            return None
        with suppress(OSError):
            if os.stat(path).st_ino == os.fstat(descriptor).st_ino:  # noqa: PTH116  # of a descriptor too
                return descriptor
        os.close(descriptor)  # the file was removed meanwhile: it is another's by now


@contextmanager
def locked(path: Path) -> Generator[None]:
    """Hold the lock file at ``path``.

    Raises:
        OSError: the file cannot be made, or somebody holds it for longer than `WAIT_SECONDS`.
    """
    deadline = time.monotonic() + WAIT_SECONDS
    while (descriptor := hold(path)) is None:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{path} is held by another process")
        time.sleep(_LOOK_SECONDS)
    try:
        yield
    finally:
        os.close(descriptor)


def is_held(path: Path) -> bool:
    """Return whether a process holds the lock file at ``path``; one that is not there is held by nobody."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return not take(descriptor, shared=True)
    finally:
        os.close(descriptor)
