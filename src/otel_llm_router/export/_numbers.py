"""The current points of an instrument, for those who look at the numbers inside the process.

Room: `export`. Health checks ask several times in a row; they all see one look.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from otel_llm_router.signals import Instrument

KEPT: Final = 1.0
"""Seconds for which a look is good."""

Points = Mapping[str, "list[tuple[dict[str, str], float]]"]
"""By an instrument's name in OpenTelemetry: labels and value of each point."""


class Numbers:
    """Reads points of sums and gauges.

    Args:
        read: Returns the points that there are now.
    """

    def __init__(self, read: Callable[[], Points]) -> None:
        self._read = read
        self._points: Points = {}
        self._at = float("-inf")
        self._lock = threading.Lock()

    def __call__(self, instrument: Instrument) -> Iterable[tuple[Mapping[str, str], float]]:
        """Return the points of ``instrument`` as of at most `KEPT` seconds ago."""
        with self._lock:
            now = time.monotonic()
            if now - self._at > KEPT:
                self._points = self._read()
                self._at = now
            return self._points.get(instrument.name, ())
