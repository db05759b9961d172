"""What is logged on the way out never feeds the way out (batches, refused connections, level DEBUG everywhere)."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Generator, Sequence
from typing import Any

import pytest
import urllib3
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.sdk._logs import LoggerProvider, ReadableLogRecord
from opentelemetry.sdk._logs.export import (
    BatchLogRecordProcessor,
    LogRecordExporter,
    LogRecordExportResult,
    SimpleLogRecordProcessor,
)

Instrument = Callable[..., None]


class Talking(LogRecordExporter):
    """Logs on each export, by a logger of nobody's, and another one in a thread of its own as gRPC does."""

    def __init__(self) -> None:
        self.bodies: list[Any] = []

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        self.bodies += [one.log_record.body for one in batch]
        if len(self.bodies) > 20:  # it feeds itself: the test has failed, and comes to an end
            return LogRecordExportResult.SUCCESS
        logging.getLogger("exporter").warning("exporting")
        thread = threading.Thread(target=lambda: logging.getLogger("grpc._channel").warning("from a thread"))
        thread.start()
        thread.join()
        logging.getLogger("otel_llm_router").warning("of ours")
        return LogRecordExportResult.SUCCESS

    def shutdown(self) -> None:
        pass

    def force_flush(self, timeout_millis: int = 10_000) -> bool:
        return True


@pytest.mark.parametrize("processor", [SimpleLogRecordProcessor, BatchLogRecordProcessor])
def test_an_exporter_that_logs(processor: Any, instrument: Instrument, kept: Any) -> None:
    exporter = Talking()
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(processor(exporter))
    instrument(logger_provider=provider)
    logging.root.addHandler(kept)
    logging.getLogger("app").info("one")
    for _ in range(3):
        provider.force_flush()
    logging.getLogger("app").info("two")
    provider.shutdown()
    assert exporter.bodies == ["one", "two"]
    # The application's own handlers see all of it.
    assert {one.name for one in kept.records} >= {"app", "exporter", "grpc._channel", "otel_llm_router"}


@pytest.fixture
def refusing() -> Generator[str]:
    """An address where nobody listens, and nobody will."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}/v1/logs"


class Counting:
    """Counts what becomes an OpenTelemetry record."""

    def __init__(self) -> None:
        self.bodies: list[Any] = []

    def on_emit(self, record: Any) -> None:
        self.bodies.append(record.log_record.body)

    def shutdown(self) -> None:
        pass

    def force_flush(self, timeout_millis: int = 0) -> bool:
        return True


def test_a_collector_that_refuses(instrument: Instrument, kept: Any, refusing: str) -> None:
    counting: Any = Counting()
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter(endpoint=refusing, timeout=1)))
    provider.add_log_record_processor(counting)
    instrument(logger_provider=provider)
    logging.root.addHandler(kept)
    quiet = [logging.getLogger(name) for name in ("opentelemetry.exporter", "opentelemetry.exporter.otlp.proto")]
    before = [(one.propagate, one.level) for one in quiet]
    for one in quiet:  # whatever a test before has made of them
        one.propagate = True
    try:
        logging.getLogger("app").info("one")
        provider.force_flush()
        logging.getLogger("app").info("two")
        provider.shutdown()
    finally:
        for one, (propagate, level) in zip(quiet, before, strict=True):
            one.propagate = propagate
            one.setLevel(level)
    assert counting.bodies == ["one", "two"]
    assert {one.name.partition(".")[0] for one in kept.records} >= {"app", "urllib3"}


def test_the_same_library_used_by_the_application_is_heard(
    instrument: Instrument, exported: Any, refusing: str
) -> None:
    instrument()
    with pytest.raises(urllib3.exceptions.HTTPError), urllib3.PoolManager() as pool:
        pool.request("GET", refusing, retries=False)
    assert "urllib3.connectionpool" in exported.scopes()


class LogsItself:
    def __str__(self) -> str:
        logging.getLogger("app.inner").info("from __str__")
        return "text"


def test_what_a_message_logs_while_it_is_written(instrument: Instrument, exported: Any, kept: Any) -> None:
    logging.root.handlers[:] = [kept]
    instrument()
    logging.getLogger("app").info("%s", LogsItself())
    assert exported.bodies() == ["text"]
    kept.records[-1].getMessage()
    assert exported.bodies() == ["text", "from __str__"]
