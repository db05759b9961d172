"""What observable instruments ask when metrics are collected.

Room: `telemetry`. Functions that answer with values and raw labels come in; observations with bounded labels go out.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from opentelemetry.metrics import CallbackOptions, Observation

from otel_llm_router import _sanitize
from otel_llm_router.signals import Instrument
from otel_llm_router.telemetry import _deferred, _guard

if TYPE_CHECKING:
    from otel_llm_router.telemetry._recorder import Recorder

Label = str | None

Source = Callable[[], Iterable[tuple[float, tuple[Label, ...]]]]
"""What an observable instrument asks at collection: (value, labels in declared order)."""


class Sources:
    """The sources of one recorder's observable instruments.

    Args:
        recorder: Bounds their labels.
    """

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._sources: dict[Instrument, dict[object, Source]] = {}
        self._lock = threading.Lock()

    def set(self, instrument: Instrument, key: object, source: Source) -> None:
        """Ask ``source`` at each collection; ``key`` replaces an earlier one."""
        with self._lock:
            self._sources.setdefault(instrument, {})[key] = source

    def remove(self, instrument: Instrument, key: object) -> None:
        """Stop asking the source registered under ``key``."""
        with self._lock:
            self._sources.get(instrument, {}).pop(key, None)

    def callback(self, instrument: Instrument) -> Callable[[CallbackOptions], Iterable[Observation]]:
        """Return what the SDK calls at each collection."""

        def collect(_options: CallbackOptions) -> list[Observation]:
            _deferred.drain()
            with self._lock:
                sources = list(self._sources.get(instrument, {}).values())
            merged: dict[tuple[tuple[str, str], ...], float] = {}
            for source in sources:
                with _guard.guard(f"observe {instrument.name}"):
                    for value, raw in source():
                        number = _sanitize.finite(value)
                        if number is not None:
                            labels = self._recorder.labels(instrument.attributes, raw)
                            # Two raw values may become one label (``other``): they are one series.
                            key = tuple(labels.items())
                            merged[key] = merged.get(key, 0) + number
            return [Observation(value, dict(key)) for key, value in merged.items()]

        return collect
