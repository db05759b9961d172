"""Work that must not be done where it is noticed.

Room: `telemetry`. A finaliser may run inside the cyclic garbage collector, in the middle of a lock
that the SDK holds in the same thread; recording there would deadlock. Finalisers leave their work
here: it is done at once when no collection is running in this thread, else at the next safe
moment, which is the start or end of a request or the next collection of metrics. The same holds for
whatever a generator does that the collector closes: every record goes through here.
"""

from __future__ import annotations

import gc
import os
import threading
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from otel_llm_router.telemetry import _guard

MAX_PENDING: Final = 10_000
"""Bound on waiting work; the oldest is lost beyond it."""

_pending: deque[Callable[[], None]] = deque(maxlen=MAX_PENDING)
_here = threading.local()


def _watch(phase: str, _info: Mapping[str, Any]) -> None:
    _here.collecting = phase == "start"


gc.callbacks.append(_watch)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pending.clear)  # the parent does its own


def collecting() -> bool:
    """Whether the garbage collector is running in this thread, and so, further down, is its caller."""
    return getattr(_here, "collecting", False)


def defer(work: Callable[[], None]) -> None:
    """Do ``work`` now, or at the next safe moment when the garbage collector is what calls."""
    if collecting():
        _pending.append(work)
    else:
        with _guard.guard("finaliser"):
            work()


def later(work: Callable[[], None]) -> None:
    """Do ``work`` at the next safe moment, never now."""
    _pending.append(work)


def drain() -> None:
    """Do the waiting work, unless the garbage collector is what calls."""
    while _pending and not collecting():
        try:
            work = _pending.popleft()
        except IndexError:  # another thread was faster
            return
        with _guard.guard("deferred work"):
            work()


def at_a_safe_moment(call: Callable[..., Any], *arguments: Any) -> None:
    """Call now, unless the garbage collector is what calls us."""
    if collecting():
        later(partial(call, *arguments))
    else:
        call(*arguments)
