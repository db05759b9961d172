"""One process at a time, over a file.

Room: `cli`. The system drops the lock when its holder ends, however it ends.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

_RETRY_SECONDS = 0.2

if sys.platform == "win32":
    import msvcrt

    def _try_lock(descriptor: int) -> bool:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
else:
    from otel_llm_router._file_locks import take as _try_lock


@contextmanager
def exclusive(path: Path, on_wait: Callable[[], None]) -> Generator[None]:
    """Hold the lock file at a path; wait while another process holds it.

    Args:
        path: The lock file; it stays, because removing it would race with the next holder.
        on_wait: Called once if another process holds the lock.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if not _try_lock(descriptor):
            on_wait()
            while not _try_lock(descriptor):
                time.sleep(_RETRY_SECONDS)
        yield
    finally:
        os.close(descriptor)
