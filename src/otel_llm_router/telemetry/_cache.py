"""Look-ups in the router's caches, and what the caches hold.

Room: `telemetry`. Hits and misses are counted where they happen; size and entries are read at
collection, from what was last said or from a function.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from otel_llm_router import _sanitize
from otel_llm_router.signals import attributes, spans
from otel_llm_router.signals.instruments import resources
from otel_llm_router.telemetry import _context, _guard, _usage
from otel_llm_router.telemetry._block import Block

if TYPE_CHECKING:
    from otel_llm_router.telemetry._holdings import Holdings

T = TypeVar("T")


class Cache(Block):
    """One cache of the router's.

    As a context manager it is one look-up, which missed unless `hit` was called inside.

    Args:
        telemetry: What it was made on.
        name: Which cache, in words of which there are few: it is the label ``cache_type``.
    """

    def __init__(self, telemetry: Holdings, name: str) -> None:
        self._telemetry = telemetry
        self._name = name
        self._answered = False

    def hit(
        self,
        value: T = None,
        *,
        model: str | None = None,
        similarity: float | None = None,
        saved_usd: float | None = None,
    ) -> T:
        """Count a look-up that found ``value``, and return it.

        The request in flight, if there is one, is answered from the cache.

        Args:
            value: What was found; token usage is read from it when it has some.
            model: Model that had answered; read from ``value`` when left out.
            similarity: Of a semantic cache, from 0 to 1.
            saved_usd: What the answer would have cost.
        """
        with _guard.guard("cache.hit"):
            self._count(hit=True, similarity=similarity)
            request = _context.current_request()
            if request is not None:
                request.hit(value, model=model)
            self._telemetry.saved(saved_usd, by="cache", model=model or _usage.get(value, "model"))
        return value

    def miss(self, *, similarity: float | None = None) -> None:
        """Count a look-up that found nothing; ``similarity`` is that of the nearest entry."""
        with _guard.guard("cache.miss"):
            self._count(hit=False, similarity=similarity)

    def _count(self, *, hit: bool, similarity: float | None) -> None:
        self._answered = True
        recorder = self._telemetry.recorder
        recorder.record(resources.CACHE_HITS if hit else resources.CACHE_MISSES, 1, self._name)
        near = _sanitize.finite(similarity)
        if near is not None and near >= 0:
            recorder.record(resources.CACHE_SIMILARITY, near, self._name, "hit" if hit else "miss")
        request = _context.current_request()
        if request is not None:
            request.event(spans.CACHE_EVENT, {attributes.CACHE_TYPE_SPAN: self._name, attributes.CACHE_HIT: hit})

    def evicted(self, entries: int = 1) -> None:
        """Count entries that were thrown out to make room."""
        with _guard.guard("cache.evicted"):
            self._telemetry.recorder.record(resources.CACHE_EVICTIONS, entries, self._name)

    def set_size(self, size_bytes: float | None = None, *, entries: float | None = None) -> None:
        """State what the cache holds now."""
        with _guard.guard("cache.set_size"):
            gauges = self._telemetry.gauges
            gauges.set(resources.CACHE_SIZE, size_bytes, self._name)
            gauges.set(resources.CACHE_ENTRIES, entries, self._name)

    def _finish(self, error: BaseException | None) -> None:
        if error is None and not self._answered:
            self.miss()
