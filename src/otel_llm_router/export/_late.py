"""Imports that wait until they are needed, in a thread of ours.

Room: `export`. A process that forks while another thread imports would give its child half a module and a
lock that nobody opens: the child's own import of it would wait for ever. So a fork waits for our imports,
which take a fraction of a second.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from otel_llm_router.export._fork_gate import ForkGate

FORK_SECONDS: Final = 5.0
"""How long a fork waits at most: longer only when our import waits for one that the forking thread is in."""


_imports: Final = ForkGate(lambda: FORK_SECONDS)


@contextmanager
def importing() -> Generator[None]:
    """Hold forks up while the block imports."""
    with _imports.lock:
        yield
