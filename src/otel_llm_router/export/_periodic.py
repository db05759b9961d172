"""The reader that pushes: collects by the interval, and once more at the end.

Room: `export`. Forks wait for a collection, which takes milliseconds and holds locks of the SDK's that no child could
open; they do not wait for an export.
"""

from __future__ import annotations

import logging
import math
import os
import threading
import time
from typing import Any, Final

from opentelemetry.sdk.metrics.export import MetricReader, MetricsData

from otel_llm_router import _otel_compat
from otel_llm_router.export._ending import Ending
from otel_llm_router.export._fork_gate import ForkGate
from otel_llm_router.export._metric_exporter import PushingMetricExporter

_logger = logging.getLogger("otel_llm_router")

FORK_SECONDS: Final = 1.0
"""How long a fork waits for a collection: a callback of the application's may hang."""


_collecting: Final = ForkGate(lambda: FORK_SECONDS)
"""One for all readers of a process."""


class PeriodicReader(MetricReader):
    """Collects and exports every so often.

    Args:
        exporter: Sends what is collected.
        ending: When the process ends.
        interval: Seconds between two exports.
        timeout: Seconds that an export may take.
        limits: How many series each kind of instrument has at most, where the SDK's readers take that.
    """

    def __init__(
        self,
        exporter: PushingMetricExporter,
        ending: Ending,
        *,
        interval: float,
        timeout: float,
        limits: Any = None,
    ) -> None:
        of_sdk: dict[str, Any] = {"cardinality_limits": limits} if limits else {}
        super().__init__(**_otel_compat.metric_preferences(exporter), **of_sdk)
        self._exporter = exporter
        self._ending = ending
        self._interval = interval
        self._timeout = timeout
        self._data: MetricsData | None = None
        self._stopped = False
        self._begin()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._in_child)

    def _begin(self) -> None:
        self._turn = threading.Lock()
        self._stop = threading.Event()
        if not self._stopped and not math.isinf(self._interval):
            threading.Thread(target=self._work, name="otel-llm-router-send-metrics", daemon=True).start()

    def _in_child(self) -> None:
        self._data = None
        try:
            self._begin()
        except RuntimeError:
            _logger.debug("no thread for metrics in a forked process", exc_info=True)

    def _work(self) -> None:
        stop = self._stop
        while not stop.wait(self._interval):
            try:
                self._export(time.monotonic() + self._timeout)
            except Exception:  # noqa: PERF203  # a callback's: nobody else would hear of it
                _logger.debug("metrics cannot be collected", exc_info=True)

    def _export(self, deadline: float) -> bool:
        """Collect and export by ``deadline``; return whether it was done and has arrived."""
        if not self._turn.acquire(timeout=max(0.0, deadline - time.monotonic())):
            return False
        try:
            with _collecting.lock:
                self.collect(timeout_millis=max(1.0, (deadline - time.monotonic()) * 1000))
                data, self._data = self._data, None
            if data is None:
                return True
            rest = max(0.001, deadline - time.monotonic())
            return self._exporter.export(data, timeout_millis=rest * 1000).name == "SUCCESS"
        finally:
            self._turn.release()

    def _receive_metrics(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any) -> None:  # noqa: ARG002
        self._data = metrics_data

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Collect and export now, within ``timeout_millis``; return whether that has arrived."""
        return self._export(self._ending.within(timeout_millis / 1000))

    def shutdown(self, timeout_millis: float = 30_000, **_kwargs: Any) -> None:
        """Collect and export once more, and stop."""
        if self._stopped:
            return
        self._stopped = True
        self._stop.set()
        self._exporter.stop_waiting()
        self._export(self._ending.within(timeout_millis / 1000))
        if self._turn.acquire(blocking=False):  # one that hangs keeps its connection
            self._exporter.shutdown()
            self._turn.release()
