"""A collection that no fork falls into.

Room: `export`. The SDK's locks are not made anew in a forked child: one that is held at that moment is held for
ever there, by nobody, and the child would hang at its next record. So a fork waits for a collection of ours, which
takes milliseconds, and goes on when it takes longer.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Final

from otel_llm_router.aggregation import Aggregation
from otel_llm_router.export._late import importing

FORK_SECONDS: Final = 0.5
"""How long a fork waits at most: a callback of the application's may hang."""


class _Pause:
    """The lock that a thread holds while it collects, and that a fork takes."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.hanging = False
        """Whether a fork has waited in vain; the next ones do not wait for the same collection again."""
        self._held = False

    def before(self) -> None:
        self._held = self.lock.acquire(timeout=0 if self.hanging else FORK_SECONDS)
        self.hanging = not self._held

    def in_parent(self) -> None:
        if self._held:
            self.lock.release()

    def in_child(self) -> None:
        self.lock = threading.RLock()
        self.hanging = False


_EARLIER: Final = (Aggregation, importing)
"""What is registered before us: a fork takes our lock before theirs, and in the child theirs are made anew first."""

_pause = _Pause()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_pause.before, after_in_parent=_pause.in_parent, after_in_child=_pause.in_child)


@contextmanager
def forks_wait() -> Generator[None]:
    """Hold forks up while the block collects."""
    with _pause.lock:
        yield
        _pause.hanging = False


def in_forked_child(call: Callable[[], None]) -> None:
    """Make ``call`` in each forked child, when all that a thread of ours needs there is made anew."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=call)
