"""Values that are read when a door collects: last said, or asked of the application.

Room: `telemetry`. Numbers and functions come in; sources of observable instruments go out. A
series exists from when it is first said until it is said to be gone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from otel_llm_router import _sanitize
from otel_llm_router.signals import Instrument
from otel_llm_router.telemetry._recorder import Recorder
from otel_llm_router.telemetry._sources import Label

MAX_SERIES = 2000
"""Series kept for one instrument; later ones are not kept."""


class Gauges:
    """Last values of observable gauges, by instrument and labels."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._values: dict[Instrument, dict[tuple[Label, ...], float]] = {}
        self._asked: dict[Instrument, set[tuple[Label, ...]]] = {}
        self._lock = threading.RLock()  # a finaliser may come by in the thread that holds it

    def set(self, instrument: Instrument, value: float | None, *labels: Label) -> None:
        """State the value of a series; None states nothing."""
        number, key = _sanitize.finite(value), _key(labels)
        if number is None:
            return
        with self._lock:
            series = self._series(instrument)
            if key in series or len(series) < MAX_SERIES:
                series[key] = number

    def add(self, instrument: Instrument, change: float, *labels: Label) -> None:
        """Change the value of a series, which begins at 0."""
        key = _key(labels)
        with self._lock:
            series = self._series(instrument)
            if key in series or len(series) < MAX_SERIES:
                series[key] = series.get(key, 0) + change

    def remove(self, instrument: Instrument, *labels: Label) -> None:
        """State that a series is gone."""
        with self._lock:
            self._series(instrument).pop(_key(labels), None)

    def ask(self, instrument: Instrument, question: Callable[[], float | None] | None, *labels: Label) -> None:
        """Ask ``question`` for the value of a series at each collection; None as an answer is no value.

        A series that is asked for is not also the one last said: both would be counted.
        """
        if question is None:
            return
        key = _key(labels)
        with self._lock:
            asked = self._asked.setdefault(instrument, set())
            if key not in asked and len(asked) >= MAX_SERIES:
                return
            asked.add(key)

        def source() -> list[tuple[float, tuple[Label, ...]]]:
            number = _sanitize.finite(question())
            return [] if number is None else [(number, key)]

        self._recorder.observe(instrument, key, source)

    def _series(self, instrument: Instrument) -> dict[tuple[Label, ...], float]:
        series = self._values.get(instrument)
        if series is None:
            series = self._values[instrument] = {}
            self._recorder.observe(instrument, "last said", lambda: self._read(instrument))
        return series

    def _read(self, instrument: Instrument) -> list[tuple[float, tuple[Label, ...]]]:
        with self._lock:
            asked = self._asked.get(instrument, ())
            return [(value, key) for key, value in self._values[instrument].items() if key not in asked]


def _key(labels: tuple[Label, ...]) -> tuple[Label, ...]:
    return tuple(None if label is None else _sanitize.text(label) for label in labels)
