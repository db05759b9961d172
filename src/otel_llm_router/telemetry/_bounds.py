"""Bounds on label values, so that no client can mint series.

Room: `telemetry`. Raw values of declared attributes come in, values that may become labels go
out. Beyond a bound a value is ``other`` and counted. Where clients choose the values, half the
slots are kept for values that the router vouched for (it has them in its configuration, or they
answered): a flood of junk fills the other half and nothing else.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from otel_llm_router import _sanitize
from otel_llm_router.signals import Attribute
from otel_llm_router.signals.attributes import OTHER, UNKNOWN

_FREE: Final = frozenset({"", OTHER, UNKNOWN})


class _Slots:
    """A bounded set of values. A slot is taken for good: a series, once there, is kept by the SDK for good."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.used: set[str] = set()

    def admit(self, value: str) -> bool:
        if value not in self.used and len(self.used) >= self.size:
            return False
        self.used.add(value)
        return True


class _Pool:
    """The slots of one domain: those anyone may take, and those kept for vouched-for values."""

    def __init__(self, bound: int, *, reserve: bool) -> None:
        kept = bound // 2 if reserve else 0
        self.open = _Slots(bound - kept)
        self.kept = _Slots(kept)


class LabelBounds:
    """Holds the slots of every attribute.

    Args:
        limit: Replaces every declared bound when positive (option ``label_limit``).
        on_overflow: Called with the key of an attribute whose value became ``other``.
    """

    def __init__(self, *, limit: int = 0, on_overflow: Callable[[str], None]) -> None:
        self._limit = limit
        self._on_overflow = on_overflow
        self._pools: dict[str, _Pool] = {}
        self.overflows = 0
        """How often a value became ``other``."""
        self._lock = threading.RLock()  # a finaliser may come by in the thread that holds it

    def limit(self, limit: int) -> None:
        """Replace every declared bound that has not been used yet; 0 keeps them."""
        self._limit = limit

    def _pool(self, attribute: Attribute) -> _Pool:
        pool = self._pools.get(attribute.slots)
        if pool is None:
            bound = self._limit or attribute.bound or 0
            pool = self._pools.setdefault(attribute.slots, _Pool(bound, reserve=attribute.client_chosen))
        return pool

    def vouch(self, attribute: Attribute, raw: object) -> None:
        """Give ``raw`` one of the kept slots: the router itself knows the value."""
        value = _sanitize.text(raw)
        if value in _FREE:
            return
        pool = self._pool(attribute)
        if value not in pool.kept.used:
            with self._lock:
                if pool.kept.admit(value):
                    pool.open.used.discard(value)

    def value(self, attribute: Attribute, raw: object) -> str:
        """Return the label value for ``raw``."""
        value = raw if type(raw) is str and raw in attribute.values else _sanitize.text(raw)
        if attribute.values:
            if value in attribute.values:
                return value
            return self._overflow(attribute)
        if value in _FREE:
            return value
        pool = self._pool(attribute)
        if value in pool.kept.used or value in pool.open.used:
            return value
        with self._lock:
            if pool.open.admit(value):
                return value
        return self._overflow(attribute)

    def _overflow(self, attribute: Attribute) -> str:
        self.overflows += 1
        self._on_overflow(attribute.key)
        return OTHER
