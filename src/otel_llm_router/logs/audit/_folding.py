"""The same over and over: one record at once, and one with a count for what follows.

Room: `logs`. Events come in; those to be written at once go out, and later what they came to. A client that fails to
authenticate a thousand times a second fills no disk.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from otel_llm_router.logs.audit._event import Event
from otel_llm_router.signals import attributes as a

SECONDS: Final = 60.0
"""Seconds of which failures and refusals make one record."""
SUCCESS_SECONDS: Final = 300.0
"""Seconds of which successes make one record."""
BOUND: Final = 10_000
"""Different events that are told apart at once; those beyond are one for each name."""


class Folding:
    """Events that repeat themselves."""

    def __init__(self) -> None:
        self._open: dict[Any, tuple[Event, int, float]] = {}

    def take(self, event: Event, now: float) -> Event | None:
        """Return an event that is the first of its kind; None for one that is counted.

        Args:
            event: What happened.
            now: When, in seconds by any clock that does not go back.
        """
        key: Any = event.event.name, tuple(map(_alike, event.attributes.values()))
        if key not in self._open and len(self._open) >= BOUND:
            event = replace(event, attributes={})
            key = event.event.name, ()
        known = self._open.get(key)
        if known is not None:
            self._open[key] = event, known[1] + 1, known[2]
            return None
        success = event.attributes.get(a.AUDIT_OUTCOME) == "success"
        self._open[key] = event, 0, now + (SUCCESS_SECONDS if success else SECONDS)
        return event

    def due(self, now: float) -> list[Event]:
        """Return what has come together by now."""
        over = [key for key, (_, _, until) in self._open.items() if until <= now]
        return [counted for key in over if (counted := self._end(key)) is not None]

    def end(self) -> list[Event]:
        """Return all that has come together."""
        return [counted for key in list(self._open) if (counted := self._end(key)) is not None]

    def _end(self, key: Any) -> Event | None:
        event, count, _ = self._open.pop(key)
        return replace(event, attributes={**event.attributes, a.AUDIT_COUNT: count}) if count else None


def _alike(value: Any) -> Any:
    """Return what is the same for the same values: what the application gives may be a list."""
    return value if isinstance(value, (str, int, float, type(None))) else repr(value)
