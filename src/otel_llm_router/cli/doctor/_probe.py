"""One test record by a real OTLP exporter, and what came of it.

Room: `cli`. The exporter is the application's: the same endpoint, headers, certificates and compression. It runs in
a thread that is not waited for longer than a few seconds, since an exporter tries again and a server may trickle.
"""

from __future__ import annotations

import logging
import re
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

from opentelemetry._logs import SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics.export import MetricsData, ResourceMetrics
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON

from otel_llm_router.export.otlp import destination_of, silence_exporters

Signal = Literal["traces", "metrics", "logs"]
SIGNALS: Final[tuple[Signal, ...]] = ("traces", "metrics", "logs")

SERVICE: Final = "otel-llm-router doctor"
"""Service name of the test records."""

TIMEOUT_SECONDS: Final = 3.0
"""What the exporter gives the collector."""
WAIT_SECONDS: Final = 4.0
"""What is waited for an exporter, from its start."""

_loggers_lock = threading.Lock()

_CODE: Final = re.compile(r"StatusCode\.([A-Z_]+)|code: ([1-5]\d\d)")


@dataclass(frozen=True)
class Answer:
    """What came of a test record.

    Args:
        what: ``HTTP`` or ``gRPC`` and a code, or a word for why there is none.
        arrived: Whether it was accepted.
    """

    what: str
    arrived: bool = False


class Probe:
    """Sends one test record.

    Args:
        signal: Of which signal.
        made_by: Class of the exporter.
    """

    def __init__(self, signal: Signal, made_by: Any) -> None:
        self.signal: Signal = signal
        silence_exporters()
        over_http = ".proto.http." in f"{made_by.__module__}."
        self._over_http = over_http
        self._answer: Answer | None = None
        self._done = threading.Event()
        arguments: dict[str, Any] = {"session": _session(self._note)} if over_http else {}
        self._exporter = made_by(timeout=TIMEOUT_SECONDS, **arguments)
        self.destination = destination_of(self._exporter)
        self._began = 0.0

    def start(self) -> None:
        """Begin to send."""
        self._began = time.monotonic()
        threading.Thread(target=self._send, name="otel-llm-router-doctor", daemon=True).start()

    def answer(self) -> Answer:
        """Return what came of it, after a few seconds at most."""
        self._done.wait(max(0.0, self._began + WAIT_SECONDS - time.monotonic()))
        return self._answer or Answer("timeout")

    def _note(self, answer: Answer) -> None:
        """Keep the first answer: what the exporter does about it does not matter here."""
        if self._answer is None:
            self._answer = answer
            self._done.set()

    def _send(self) -> None:
        listening = _Words(threading.get_ident(), self._note)
        loggers = [logging.getLogger(cls.__module__) for cls in type(self._exporter).__mro__]
        with _loggers_lock:
            for logger in loggers:
                # Ahead of the exporters' own filter, which takes another signal's message for the same one again.
                # A new list: another thread may be in the middle of the old one.
                logger.filters = [listening, *logger.filters]
        try:
            arrived = "SUCCESS" in str(self._exporter.export(_record(self.signal)))
            what = "HTTP 200" if self._over_http else "gRPC OK"
            self._note(Answer(what, arrived=True) if arrived else Answer("no answer that the exporter understands"))
        except Exception as error:  # noqa: BLE001  # any exporter; its words may repeat a secret
            self._note(Answer(f"the exporter failed ({type(error).__name__})"))
        finally:
            with _loggers_lock:
                for logger in loggers:
                    logger.filters = [one for one in logger.filters if one is not listening]


class _Words(logging.Filter):
    """Takes the code out of what one thread's exporter says, and lets everything pass."""

    def __init__(self, thread: int, note: Callable[[Answer], None]) -> None:
        super().__init__()
        self._thread = thread
        self._note = note

    def filter(self, record: logging.LogRecord) -> bool:
        """Take one message."""
        found = _CODE.search(record.getMessage()) if record.thread == self._thread else None
        if found is not None:
            self._note(Answer(f"gRPC {found[1]}" if found[1] else f"HTTP {found[2]}"))
        return True


def _session(note: Callable[[Answer], None]) -> Any:
    """Return a session for exporters over HTTP that notes what comes of a request."""
    import requests  # noqa: PLC0415  # comes with that exporter

    class Session(requests.Session):
        def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
            try:
                response = super().send(request, **kwargs)
            except Exception as error:
                note(Answer(_why(error)))
                raise
            note(Answer(f"HTTP {response.status_code}", arrived=response.ok))
            return response

    return Session()


def _why(error: BaseException) -> str:
    """Return a word for why there was no answer."""
    import requests  # noqa: PLC0415  # see above

    causes = _causes(error)
    if isinstance(error, requests.exceptions.SSLError):
        return "tls"
    if isinstance(
        error, (requests.exceptions.InvalidSchema, requests.exceptions.InvalidURL, requests.exceptions.MissingSchema)
    ):
        return "endpoint"
    if any(isinstance(one, socket.gaierror) for one in causes):
        return "unresolved"
    if any(isinstance(one, ConnectionRefusedError) for one in causes):
        return "refused"
    if isinstance(error, requests.exceptions.Timeout):
        return "timeout"
    if isinstance(error, requests.exceptions.ConnectionError):
        return "reset"
    return f"the request failed ({type(error).__name__})"


def _causes(error: BaseException) -> list[BaseException]:
    """Return an error and all that it came from, also what it carries as an argument or ``reason``."""
    found: list[BaseException] = []
    waiting: list[Any] = [error]
    while waiting:
        one = waiting.pop()
        if isinstance(one, BaseException) and all(one is not other for other in found):
            found.append(one)
            waiting += [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]
    return found


def _record(signal: Signal) -> Any:
    """Return what an exporter of the signal takes: one record that says who sends it."""
    resource = Resource({"service.name": SERVICE})
    if signal == "metrics":
        # No metric: a backend would keep its series.
        return MetricsData(resource_metrics=[ResourceMetrics(resource=resource, scope_metrics=[], schema_url="")])
    if signal == "traces":
        spans = InMemorySpanExporter()
        tracing = TracerProvider(resource=resource, sampler=ALWAYS_ON, shutdown_on_exit=False)
        tracing.add_span_processor(SimpleSpanProcessor(spans))
        tracing.get_tracer("otel_llm_router.doctor").start_span("test record").end()
        return spans.get_finished_spans()
    records = InMemoryLogRecordExporter()
    logs = LoggerProvider(resource=resource, shutdown_on_exit=False)
    logs.add_log_record_processor(SimpleLogRecordProcessor(records))
    now = time.time_ns()
    logs.get_logger("otel_llm_router.doctor").emit(
        timestamp=now,
        observed_timestamp=now,
        severity_number=SeverityNumber.INFO,
        body="test record of otel-llm-router doctor",
    )
    return records.get_finished_logs()
