"""Imports that wait until they are needed, in a thread of ours.

Room: `export`. A process that forks while another thread imports would give its child half a module and a
lock that nobody opens: the child's own import of it would wait for ever. So a fork waits for our imports,
which take a fraction of a second.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

FORK_SECONDS: Final = 5.0
"""How long a fork waits at most: longer only when our import waits for one that the forking thread is in."""


class _Imports:
    """The lock that a thread holds while it imports, and that a fork takes."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._held = False

    def before(self) -> None:
        self._held = self.lock.acquire(timeout=FORK_SECONDS)

    def in_parent(self) -> None:
        if self._held:
            self.lock.release()

    def in_child(self) -> None:
        self.lock = threading.RLock()


_imports = _Imports()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_imports.before, after_in_parent=_imports.in_parent, after_in_child=_imports.in_child)


@contextmanager
def importing() -> Generator[None]:
    """Hold forks up while the block imports."""
    with _imports.lock:
        yield
