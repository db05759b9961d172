"""Metrics on their way to the collector.

Room: `export`. What a reader has collected comes in and is sent at once. Cumulative values make up for an export that
failed. Delta values do not: they are kept and go first the next time, unless they may have arrived, since nobody
could tell the copy from new ones.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    MetricExporter,
    MetricExportResult,
    MetricsData,
    ResourceMetrics,
    ScopeMetrics,
)

from otel_llm_router import _otel_compat
from otel_llm_router.export import _redacting, _requests
from otel_llm_router.export._delivery import FIRST_PAUSE, Sender
from otel_llm_router.export._ending import Ending
from otel_llm_router.export._forks import restarted_in_children
from otel_llm_router.export._metric_spool import MetricSpool
from otel_llm_router.export._outcome import Outcome
from otel_llm_router.export._reporter import Reporter

if TYPE_CHECKING:
    from otel_llm_router.export._spool import Spool

_logger = logging.getLogger("otel_llm_router")

MAX_KEPT: Final = 4 * 1024 * 1024
"""Bytes of delta values that are kept."""


class PushingMetricExporter(MetricExporter):
    """Sends metrics to one destination.

    Args:
        inner: The standard exporter, for its preferences.
        sender: Sends requests.
        reporter: Told what becomes of them.
        ending: When the process ends.
        timeout: Seconds that an export may take.
        destination: Where they are sent, for people.
        spool: Where the last ones wait that were not taken.
    """

    def __init__(
        self,
        inner: Any,
        sender: Sender,
        reporter: Reporter,
        ending: Ending,
        *,
        timeout: float,
        destination: str,
        spool: Spool | None = None,
    ) -> None:
        preferences = _otel_compat.metric_preferences(inner)
        super().__init__(**preferences)
        temporalities: dict[Any, Any] = preferences["preferred_temporality"] or {}
        self._keeps = AggregationTemporality.DELTA in temporalities.values()
        self._sender = sender
        self._reporter = reporter
        self._ending = ending
        self._timeout = timeout
        self._destination = destination
        self._kept: deque[bytes] = deque()
        self._disk = None if spool is None else MetricSpool(spool)
        self._stopped = threading.Event()
        restarted_in_children(self)

    def restart(self) -> None:
        """Begin again without a connection; for a forked process."""
        self._kept.clear()
        self._stopped = threading.Event()
        self._sender.close()
        if self._disk is not None:
            self._disk.restart()

    def export(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **_kwargs: Any) -> MetricExportResult:
        """Send ``metrics_data`` within ``timeout_millis``; never raises."""
        deadline = self._ending.within(min(self._timeout, timeout_millis / 1000))
        self._kept.append(self._encoded(_redacting.metrics(metrics_data)))
        if self._disk is not None and not self._keeps and self._ending.deadline is not None:
            self._disk.leave(self._kept)  # there may be no time for it when nobody answers
        while self._kept:
            outcome = self._deliver(self._kept[0], deadline)
            if outcome.kind == "split":
                parts = _requests.halves("metrics", self._kept.popleft())
                if len(parts) > 1:
                    self._kept.extendleft(content for content, _ in reversed(parts))
                else:
                    self._reporter.refused("metrics", self._destination, outcome.reason, outcome.code, 0)
            elif outcome.kind == "again":
                self._keep(unknown=outcome.unknown)
                return MetricExportResult.FAILURE
            else:
                self._kept.popleft()
                if self._disk is not None:
                    self._disk.leave(self._kept)
                if outcome.kind == "never":
                    self._reporter.refused("metrics", self._destination, outcome.reason, outcome.code, 0)
                    return MetricExportResult.FAILURE
                if outcome.rejected:
                    self._reporter.refused("metrics", self._destination, "rejected", "partial success", 0)
        self._reporter.delivered(self._destination)
        if self._disk is not None:
            self._disk.deliver(self._sender, deadline)
        return MetricExportResult.SUCCESS

    def _deliver(self, content: bytes, deadline: float) -> Outcome:
        """Send one request until it is taken or there is no time to send it again."""
        if len(content) > _requests.MAX_REQUEST and len(_requests.halves("metrics", content)) > 1:
            return Outcome("split", "too_large")
        pause = FIRST_PAUSE
        while True:
            outcome = self._sender.send(content, deadline)
            if outcome.kind != "again":
                return outcome
            self._reporter.put_off("metrics", self._destination, outcome.reason, outcome.code)
            pause = pause if outcome.after is None else outcome.after
            final = self._keeps and outcome.unknown
            if final or time.monotonic() + pause >= self._ending.within(deadline - time.monotonic()):
                return outcome
            if self._stopped.wait(pause) and outcome.reason == "refused":
                return outcome
            pause *= 2

    def _keep(self, *, unknown: bool) -> None:
        if self._keeps and unknown:
            self._kept.popleft()
        if self._disk is not None:
            self._disk.leave(self._kept)
        if not self._keeps:
            self._kept.clear()
        while sum(map(len, self._kept)) > MAX_KEPT:
            self._kept.popleft()

    def _encoded(self, data: MetricsData) -> bytes:
        try:
            return encode_metrics(data).SerializeToString()
        except Exception:  # noqa: BLE001  # a value that no encoder takes; the others can go
            return b"".join(self._one_by_one(data))

    def _one_by_one(self, data: MetricsData) -> list[bytes]:
        encoded: list[bytes] = []
        for of in data.resource_metrics:
            for scope in of.scope_metrics:
                for metric in scope.metrics:
                    alone = ScopeMetrics(scope.scope, [metric], scope.schema_url)
                    try:
                        message = encode_metrics(MetricsData([ResourceMetrics(of.resource, [alone], of.schema_url)]))
                        encoded.append(message.SerializeToString())
                    except Exception:  # noqa: BLE001  # whatever the encoder raises
                        self._reporter.refused("metrics", self._destination, "encoding", "", 0)
        return encoded

    def stop_waiting(self) -> None:
        """Let an export that waits to try again try now, or give up."""
        self._stopped.set()

    def shutdown(self, timeout_millis: float = 30_000, **_kwargs: Any) -> None:  # noqa: ARG002  # the interface's
        """Stop; no export is under way."""
        self._stopped.set()
        self._sender.close()
        if self._disk is not None:
            self._disk.close()

    def force_flush(self, timeout_millis: float = 10_000) -> bool:  # noqa: ARG002  # the interface's
        """Nothing waits here that the next export does not take."""
        return True
