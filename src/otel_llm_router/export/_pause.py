"""A collection that no fork falls into.

Room: `export`. The SDK's locks are not made anew in a forked child: one that is held at that moment is held for
ever there, by nobody, and the child would hang at its next record. So a fork waits for a collection of ours, which
takes milliseconds, and goes on when it takes longer.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Final

from otel_llm_router.aggregation import Aggregation
from otel_llm_router.export._fork_gate import ForkGate
from otel_llm_router.export._late import importing

FORK_SECONDS: Final = 0.5
"""How long a fork waits at most: a callback of the application's may hang."""


class _Pause(ForkGate):
    """A gate for which forks do not wait again when one has waited in vain: it is the same collection still."""

    def __init__(self) -> None:
        self.hanging = False
        super().__init__(lambda: 0 if self.hanging else FORK_SECONDS)

    def _before(self) -> None:
        super()._before()
        self.hanging = not self._held

    def _in_child(self) -> None:
        super()._in_child()
        self.hanging = False


_EARLIER: Final = (Aggregation, importing)
"""What is registered before us: a fork takes our lock before theirs, and in the child theirs are made anew first."""

_pause: Final = _Pause()


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
