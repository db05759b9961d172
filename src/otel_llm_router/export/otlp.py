"""Other exporters than OTLP's, which say what becomes of what they are given.

Room: `export`. Exporters of the SDK's interfaces come in, and those of OTLP that are told what we do not know how to
do; exporters of the same interface go out that never raise, hide secrets, count what failed and what was lost, and say so once:
when a collector cannot be reached, and when it can again. See `_pushing` for the standard ones of OTLP.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult
from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult, MetricsData
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from otel_llm_router import _otel_compat
from otel_llm_router.export import _redacting
from otel_llm_router.export._reporter import Reporter

if TYPE_CHECKING:
    from otel_llm_router.export._span_encoding import SpanEncoding

Guard = Callable[[], AbstractContextManager[Any]]
"""Makes a guard."""

_logger = logging.getLogger("otel_llm_router")

_NOISY: Final = "opentelemetry.exporter.otlp"
"""The exporters' loggers: several lines for each failed batch, of which ours is the summary."""


def destination_of(exporter: Any) -> str:
    """Return scheme, host and port that an exporter sends to, without credentials, path or query."""
    endpoint = _otel_compat.endpoint_of(exporter)
    with contextlib.suppress(ValueError):
        parts = urlsplit(endpoint if "://" in endpoint else f"//{endpoint}")
        if parts.hostname:
            port = f":{parts.port}" if parts.port else ""
            return f"{parts.scheme}://{parts.hostname}{port}" if parts.scheme else f"{parts.hostname}{port}"
    return "the configured endpoint"


class _LastWords(logging.Handler):
    """Keeps each thread's last message of the exporters, in place of printing it."""

    def __init__(self) -> None:
        super().__init__()
        self._local = threading.local()

    def emit(self, record: logging.LogRecord) -> None:
        with contextlib.suppress(Exception):
            kept: list[str] = getattr(self._local, "words", [])
            self._local.words = [*kept[-3:], record.getMessage()]
            _logger.debug("%s: %s", record.name, record.getMessage())

    def take(self) -> str:
        """Return and forget what this thread's exporter said."""
        words: list[str] = getattr(self._local, "words", [])
        self._local.words = []
        return " | ".join(words)


_last_words = _LastWords()


def silence_exporters() -> None:
    """Take the exporters' own log lines; the reporter says what matters in them."""
    noisy = logging.getLogger(_NOISY)
    if _last_words not in noisy.handlers:
        noisy.addHandler(_last_words)
    noisy.propagate = False


class _Reporting:
    """What the three wrappers share."""

    def __init__(self, inner: Any, signal: str, reporter: Reporter) -> None:
        self._inner = inner
        self._signal = signal
        self._reporter = reporter
        self._destination = destination_of(inner)

    @contextlib.contextmanager
    def _accounted(self, lost: int) -> Generator[list[bool]]:
        """Report the outcome that the block puts into the list; an exception is a failure."""
        _last_words.take()
        success: list[bool] = []
        why = ""
        if lost:
            self._reporter.accounts.emitted(self._signal, lost)
        try:
            yield success
        except Exception as error:  # noqa: BLE001  # an exporter that raises has failed
            why = f"{type(error).__name__}: {error}"
        if success and success[-1]:
            self._reporter.delivered(self._destination)
            if lost:
                self._reporter.accounts.delivered(self._signal, lost)
        else:
            self._reporter.failed(self._signal, self._destination, why or _last_words.take(), lost)


def batching(exporter: SpanExporter, reporter: Reporter, scope: str | None = None, guard: Guard | None = None) -> Any:
    """Return the span processor that gives spans to an exporter in batches.

    Args:
        exporter: Any exporter of spans.
        reporter: Told what becomes of each batch.
        scope: Name of the scope whose spans end off the request path: those wait as bytes.
        guard: Makes the guard that errors of our encoder end in, which a standard OTLP exporter then uses.
    """
    encoding: SpanEncoding | None = None
    if guard is not None:
        with guard():
            encoding = encode_faster(exporter, guard)
    reporting = ReportingSpanExporter(exporter, reporter, redact=encoding is None)  # our encoder does it itself
    if encoding is None or scope is None:
        return BatchSpanProcessor(reporting)
    from otel_llm_router.export._span_batching import EarlyBatchSpanProcessor  # noqa: PLC0415  # with its encoder only

    return EarlyBatchSpanProcessor(reporting, scope, encoding.early)


def encode_faster(exporter: SpanExporter, guard: Guard) -> SpanEncoding | None:
    """Let a standard OTLP span exporter use our encoder, where it can be told to, and return the encoder.

    Args:
        exporter: Any exporter of spans.
        guard: Makes the guard that errors of our encoder end in; the stock one takes the batch.
    """
    method = _otel_compat.span_encoding_of(exporter)
    if method is None:
        return None
    from otel_llm_router.export._span_encoding import SpanEncoding  # noqa: PLC0415  # loads protobuf

    encoding = SpanEncoding(guard)
    _otel_compat.use_span_encoding(exporter, method, encoding.for_http if method == "export" else encoding.for_grpc)
    return encoding


class ReportingSpanExporter(SpanExporter, _Reporting):
    """A span exporter that reports its failures."""

    def __init__(self, inner: SpanExporter, reporter: Reporter, *, redact: bool = True) -> None:
        _Reporting.__init__(self, inner, "traces", reporter)
        self._redact = redact

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export ``spans``; never raises."""
        result = SpanExportResult.FAILURE
        with self._accounted(len(spans)) as success:
            result = self._inner.export([_redacting.span(span) for span in spans] if self._redact else spans)
            success.append(result is SpanExportResult.SUCCESS)
        return result

    def shutdown(self) -> None:
        """Stop; an export that waits to try again gives up."""
        self._inner.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Flush what the exporter itself holds."""
        return self._inner.force_flush(timeout_millis)


class ReportingLogExporter(LogRecordExporter, _Reporting):
    """A log exporter that reports its failures."""

    def __init__(self, inner: LogRecordExporter, reporter: Reporter) -> None:
        _Reporting.__init__(self, inner, "logs", reporter)

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        """Export ``batch``; never raises."""
        result = LogRecordExportResult.FAILURE
        with self._accounted(len(batch)) as success:
            result = self._inner.export([_redacting.log(record) for record in batch])
            success.append(result is LogRecordExportResult.SUCCESS)
        return result

    def shutdown(self) -> None:
        """Stop; an export that waits to try again gives up."""
        self._inner.shutdown()

    def force_flush(self, timeout_millis: int = 10_000) -> bool:
        """Flush what the exporter itself holds."""
        flush = getattr(self._inner, "force_flush", None)  # optional in the interface
        return True if flush is None else bool(flush(timeout_millis))


class ReportingMetricExporter(MetricExporter, _Reporting):
    """A metric exporter that reports its failures; cumulative values make up for a failed export."""

    def __init__(self, inner: MetricExporter, reporter: Reporter) -> None:
        MetricExporter.__init__(self, **_otel_compat.metric_preferences(inner))
        _Reporting.__init__(self, inner, "metrics", reporter)

    def export(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any) -> MetricExportResult:
        """Export ``metrics_data``; never raises."""
        result = MetricExportResult.FAILURE
        with self._accounted(0) as success:
            data = _redacting.metrics(metrics_data)
            result = self._inner.export(data, timeout_millis=timeout_millis, **kwargs)
            success.append(result is MetricExportResult.SUCCESS)
        return result

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        """Stop; an export that waits to try again gives up."""
        self._inner.shutdown(timeout_millis=timeout_millis, **kwargs)

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Flush what the exporter itself holds."""
        return self._inner.force_flush(timeout_millis)
