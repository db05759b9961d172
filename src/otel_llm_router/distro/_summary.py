"""The stream of metrics: what a process has counted, in a log record every so often.

Room: `distro`. It reads what a scrape of this process alone would; a process that has served nothing says nothing.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from typing import Final

from otel_llm_router.signals import Attribute, Instrument, attributes, events
from otel_llm_router.signals.instruments import requests
from otel_llm_router.telemetry.instrumenting import guard, recorder

Points = Mapping[str, "list[tuple[dict[str, str], float]]"]

_CHANGES: Final = (
    attributes.SUMMARY_REQUESTS,
    attributes.SUMMARY_ERRORS,
    attributes.SUMMARY_ABORTED,
    attributes.SUMMARY_TOKENS,
    attributes.SUMMARY_HTTP,
)


class Summary:
    """Says every so often what was counted.

    Args:
        read: Returns the points that there are now, by the instrument's name.
        interval: Seconds between two summaries.
    """

    def __init__(self, read: Callable[[], Points], interval: float) -> None:
        self._read = read
        self._interval = interval
        self._begin()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._in_child)

    def _begin(self) -> None:
        self._before: dict[Attribute, float] = {}
        self._at = time.monotonic()
        self._turn = threading.Lock()

    def start(self) -> None:
        """Begin, in a thread of its own."""
        threading.Thread(target=self._work, name="otel-llm-router-summary", daemon=True).start()

    def _in_child(self) -> None:
        self._begin()
        with guard("summaries"):
            self.start()

    def _work(self) -> None:
        while True:
            time.sleep(self._interval)
            self.say()

    def say(self) -> None:
        """Say what was counted since the last time, if anything ever was."""
        with guard("summaries"), self._turn:
            now, at = self._counted(), time.monotonic()
            if not any(now.values()):
                return
            values: dict[Attribute, object] = {one: int(now[one] - self._before.get(one, 0)) for one in _CHANGES}
            values[attributes.SUMMARY_SECONDS] = round(at - self._at, 3)
            values[attributes.SUMMARY_IN_FLIGHT] = int(now[attributes.SUMMARY_IN_FLIGHT])
            values[attributes.SUMMARY_TOTAL_REQUESTS] = int(now[attributes.SUMMARY_REQUESTS])
            values[attributes.SUMMARY_TOTAL_TOKENS] = int(now[attributes.SUMMARY_TOKENS])
            self._before, self._at = now, at
            recorder().emit(events.METRICS_SUMMARY, values)

    def _counted(self) -> dict[Attribute, float]:
        points = self._read()
        status = attributes.STATUS.key
        return {
            attributes.SUMMARY_REQUESTS: _total(points, requests.INFERENCE),
            attributes.SUMMARY_ERRORS: _total(points, requests.INFERENCE, status, attributes.ERROR),
            attributes.SUMMARY_ABORTED: _total(points, requests.INFERENCE, status, attributes.ABORTED),
            attributes.SUMMARY_TOKENS: _total(points, requests.TOKENS_GENERATED),
            attributes.SUMMARY_HTTP: _total(points, requests.HTTP_REQUESTS),
            attributes.SUMMARY_IN_FLIGHT: _total(points, requests.REQUESTS_IN_FLIGHT),
        }


def _total(points: Points, instrument: Instrument, label: str = "", value: str = "") -> float:
    found = points.get(instrument.name, ())
    return sum(number for labels, number in found if not label or labels.get(label) == value)
