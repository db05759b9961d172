"""Caches of other people's that are asked about themselves.

Room: `telemetry`. A cache object, or a count that only grows, comes in; questions for collection go out.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from otel_llm_router import _sanitize
from otel_llm_router.telemetry import _deferred, _guard


def entries_of(cache: Any) -> Callable[[], float | None]:
    """Return a question for the entries of a cache that has a length, or a ``cache_info()`` as functions have.

    The cache is not kept alive for it, where it allows that.
    """
    found = _reference(cache)

    def entries() -> float | None:
        held = found()
        if held is None:
            return None
        info = getattr(held, "cache_info", None)
        return info().currsize if info is not None else len(held)

    return entries


def _reference(cache: Any) -> Callable[[], Any]:
    try:
        return weakref.ref(cache)
    except TypeError:  # a plain dictionary
        return lambda: cache


def growth(question: Callable[[], float | None], tell: Callable[[int], None]) -> Callable[[], None]:
    """Return what asks for a count that only grows, and tells by how much it grew.

    What had been counted before the first time is not ours. A count that fell began again from 0.
    """
    last: list[float] = []

    def ask() -> None:
        count = _sanitize.finite(question())
        if count is None:
            return
        before = last.pop() if last else count
        last.append(count)
        grown = int(count - before if count >= before else count)
        if grown > 0:
            _deferred.later(lambda: tell(grown))  # a collection is going on

    return ask


def asking(first: Callable[[], None], question: Callable[[], float | None] | None) -> Callable[[], float | None]:
    """Return ``question``, with ``first`` done whenever it is asked."""

    def both() -> float | None:
        with _guard.guard("observe_cache"):
            first()
        return question() if question is not None else None

    return both
