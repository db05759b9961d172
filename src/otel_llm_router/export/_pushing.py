"""Puts together what delivers the signals over OTLP.

Room: `export`. The standard exporters come in, which the SDK has made of the variables or of a configuration file;
processors and a reader of the SDK's interfaces go out, in the exporters' place.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.metrics.export import MetricReader

from otel_llm_router import _otel_compat
from otel_llm_router.export._batching import batching, milliseconds
from otel_llm_router.export._delivery import Sender
from otel_llm_router.export._destination import Destination, Said, Signal, find
from otel_llm_router.export._ending import Ending
from otel_llm_router.export._http_sender import HttpSender
from otel_llm_router.export._queue import DEFAULT_BYTES, Budget
from otel_llm_router.export._reporter import Reporter
from otel_llm_router.export._worker import Batching, Encode, Worker
from otel_llm_router.export.otlp import destination_of

if TYPE_CHECKING:  # with a spool only
    from otel_llm_router.export._spool import Spool

NamedGuard = Callable[[str], AbstractContextManager[Any]]
"""Makes a guard for a place in our code."""


@dataclass(frozen=True)
class Asked:
    """What a configuration file asks of one way out, in place of the variables.

    Args:
        said: Of its exporter.
        batching: How records become batches.
        interval: Seconds between two exports of metrics.
        timeout: Seconds that an export of metrics may take.
        limits: How many series each kind of instrument has at most, as the SDK's readers take it.
        spooled: Whether what cannot be delivered waits on disk, where there is one.
    """

    said: Said = field(default_factory=Said)
    batching: Batching = field(default_factory=Batching)
    interval: float = 60.0
    timeout: float = 30.0
    limits: Any = None
    spooled: bool = True


class Pushing:
    """What the signals share, and the making of each.

    Args:
        reporter: Told what becomes of records.
        guard: Makes guards for errors of ours.
        ending: When the process ends.
        limit: Bytes that may wait in memory, of all signals together.
        spool: Where they go that cannot be delivered.
    """

    def __init__(
        self,
        reporter: Reporter,
        guard: NamedGuard,
        ending: Ending | None = None,
        limit: int = DEFAULT_BYTES,
        spool: Spool | None = None,
    ) -> None:
        self._reporter = reporter
        self._guard = guard
        self._ending = ending or Ending()
        self._budget = Budget(limit)
        self._spool = spool

    def spans(self, exporter: Any, problems: list[str], scope: str | None = None, *, asked: Asked | None = None) -> Any:
        """Return the span processor in the place of an exporter, or None for one that has to do its own work.

        Args:
            exporter: As the SDK has made it.
            problems: Where to say what is wrong with the variables.
            scope: Name of the scope whose spans end off the request path; None for the stock encoder.
            asked: What a file asks, in place of the variables.
        """
        destination = find(exporter, "traces", asked and asked.said)
        if destination is None:
            return None
        from otel_llm_router.export._processors import PushingSpanProcessor  # noqa: PLC0415  # loads protobuf

        early, encode = None, _stock_spans
        if scope is not None:
            from otel_llm_router.export._span_encoding import SpanEncoding  # noqa: PLC0415  # same

            encoding = SpanEncoding(lambda: self._guard("span encoder"))
            early, encode = encoding.early, encoding.content
        worker = self._worker("traces", exporter, destination, encode, problems, asked)
        return PushingSpanProcessor(worker, lambda: self._guard("span export"), scope, early)

    def logs(self, exporter: Any, problems: list[str], *, asked: Asked | None = None) -> Any:
        """Return the log processor in the place of an exporter, or None for one that has to do its own work."""
        destination = find(exporter, "logs", asked and asked.said)
        if destination is None:
            return None
        from otel_llm_router.export._processors import PushingLogProcessor  # noqa: PLC0415  # loads protobuf

        return PushingLogProcessor(
            self._worker("logs", exporter, destination, _stock_logs, problems, asked),
            lambda: self._guard("log export"),
        )

    def metrics(self, exporter: Any, problems: list[str], *, asked: Asked | None = None) -> MetricReader | None:
        """Return the reader in the place of an exporter, or None for one that has to do its own work."""
        destination = find(exporter, "metrics", asked and asked.said)
        if destination is None:
            return None
        from otel_llm_router.export._metric_exporter import PushingMetricExporter  # noqa: PLC0415  # loads protobuf
        from otel_llm_router.export._periodic import PeriodicReader  # noqa: PLC0415  # same

        pushing = PushingMetricExporter(
            exporter,
            sender(destination),
            self._reporter,
            self._ending,
            timeout=destination.timeout,
            destination=destination_of(exporter),
            spool=self._disk(asked),
        )
        asked = asked or Asked(
            interval=milliseconds("OTEL_METRIC_EXPORT_INTERVAL", 60_000, problems),
            timeout=milliseconds("OTEL_METRIC_EXPORT_TIMEOUT", 30_000, problems),
        )
        reader = PeriodicReader(
            pushing, self._ending, interval=asked.interval, timeout=asked.timeout, limits=asked.limits
        )
        _let_go(exporter)
        return reader

    def _disk(self, asked: Asked | None) -> Spool | None:
        return self._spool if asked is None or asked.spooled else None

    def _worker(
        self,
        signal: Signal,
        exporter: Any,
        destination: Destination,
        encode: Encode,
        problems: list[str],
        asked: Asked | None,
    ) -> Worker:
        worker = Worker(
            signal,
            encode,
            sender(destination),
            self._budget,
            asked.batching if asked else batching(signal, problems),
            self._reporter,
            self._ending,
            timeout=destination.timeout,
            destination=destination_of(exporter),
            spool=self._disk(asked),
        )
        _let_go(exporter)
        return worker


def sender(destination: Destination) -> Sender:
    """Return what sends to a destination."""
    if destination.protocol == "http":
        return HttpSender(destination)
    from otel_llm_router.export._grpc_sender import GrpcSender  # noqa: PLC0415  # loads HTTP/2

    return GrpcSender(destination)


def _let_go(exporter: Any) -> None:
    """End an exporter that has said what it knows; a channel of grpcio's has threads that no fork should meet."""
    with contextlib.suppress(Exception):
        exporter.shutdown()


def _stock_spans(spans: list[Any]) -> bytes:
    from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans  # noqa: PLC0415  # loads protobuf

    from otel_llm_router.export import _redacting  # noqa: PLC0415  # with the first records

    return encode_spans([_redacting.span(span) for span in spans]).SerializePartialToString()


def _stock_logs(records: list[Any]) -> bytes:
    from otel_llm_router.export import _redacting  # noqa: PLC0415  # with the first records

    return _otel_compat.encode_logs([_redacting.log(record) for record in records]).SerializeToString()
