"""Bounds on label values, so that no client can mint series.

Room: `telemetry`. Raw values of declared attributes come in, values that may become labels go
out. Beyond a bound a value is ``other`` and counted. Where clients choose the values, half the
slots are kept for values that the router vouched for (it has them in its configuration, or they
answered): a flood of junk fills the other half and nothing else. Where series can end, a
value that was not seen for long makes room when a new one comes, so that the flood passes.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import monotonic
from typing import Final

from otel_llm_router import _sanitize, redaction
from otel_llm_router.signals import Attribute, options
from otel_llm_router.signals.attributes import OTHER, UNKNOWN

IDLE: Final = float(options.LABEL_IDLE.default)
"""Seconds after which a value that was not seen makes room for a new one, unless told otherwise."""

REMEMBERED: Final = 60.0
"""Seconds for which a caller may use an answer again without asking."""

NOTED: Final = 30.0
"""Seconds in which a value that is seen again is not noted again: most uses write nothing."""

_FREE: Final = frozenset({"", OTHER, UNKNOWN})


class _Slots:
    """A bounded set of values, and when each was last noted, the longest ago first."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.used: dict[str, float] = {}

    def admit(self, value: str, now: float) -> bool:
        if self.used.pop(value, None) is None and len(self.used) >= self.size:
            return False
        self.used[value] = now
        return True

    def idle_since(self, moment: float) -> str | None:
        """Return the value noted longest ago, if that was before ``moment``."""
        oldest = next(iter(self.used.items()), None)
        return oldest[0] if oldest is not None and oldest[1] < moment else None


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
        idle: Seconds after which a value that was not seen makes room for a new one, once the slots are
            full; 0 for never (option ``label_idle``). A kept slot is for good.
        on_overflow: Called with the key of an attribute whose value became ``other``.
        reclaim: Called with the domain of a value that loses its slot and the value; its series end,
            and what comes late goes on under ``other``. Without it a slot is for good: so is a series that the SDK keeps.
        clock: What the seconds are measured with.
    """

    def __init__(
        self,
        *,
        limit: int = 0,
        idle: float = IDLE,
        on_overflow: Callable[[str], None],
        reclaim: Callable[[str, str], None] | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._limit = limit
        self._idle = idle
        self._on_overflow = on_overflow
        self._reclaim = reclaim
        self._clock = clock
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
            value = redaction.text(value)
            with self._lock:
                if pool.kept.admit(value, 0):
                    pool.open.used.pop(value, None)

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
        if value in pool.kept.used:
            return value
        now = self._clock()
        noted = pool.open.used.get(value)
        if noted is not None and now < noted + NOTED:
            return value
        value = redaction.text(value)
        with self._lock:
            # Looked up again: another thread may have been faster, with either.
            if value in pool.kept.used or pool.open.admit(value, now):
                return value
            if self._make_room(attribute.slots, pool.open, now) and pool.open.admit(value, now):
                return value
        return self._overflow(attribute)

    def _make_room(self, domain: str, slots: _Slots, now: float) -> bool:
        """Take the slot of a value that nobody has used for the idle time, remembered answers included."""
        if not self._idle or self._reclaim is None:
            return False
        value = slots.idle_since(now - self._idle - REMEMBERED - NOTED)
        if value is None:
            return False
        del slots.used[value]
        self._reclaim(domain, value)
        return True

    def _overflow(self, attribute: Attribute) -> str:
        self.overflows += 1
        self._on_overflow(attribute.key)
        return OTHER
