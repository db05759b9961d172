"""A router's log records, sent at a steady rate; what the Collector acknowledged is remembered."""

# protobuf's messages have no types.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from http.client import HTTPConnection, HTTPException
from typing import Any, Final

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from benchmarks.collector.backends import ID

RECORDS: Final = 50
"""Records in one request."""
_TEXT: Final = "the answer was given after one retry; " * 5


def request(ids: list[str]) -> bytes:
    """Encode one request of records as a router makes them, about 500 bytes each."""
    message: Any = ExportLogsServiceRequest()
    resource = message.resource_logs.add()
    resource.resource.attributes.extend([_attribute("service.name", "router"), _attribute("service.instance.id", "1")])
    scope = resource.scope_logs.add()
    scope.scope.name = "otel_llm_router"
    now = time.time_ns()
    for number, one in enumerate(ids):
        record: Any = LogRecord(
            time_unix_nano=now + number,
            observed_time_unix_nano=now + number,
            severity_number=9,  # pyright: ignore[reportArgumentType]  # INFO
            severity_text="INFO",
            event_name="llm_router.inference.completed",
            trace_id=now.to_bytes(16, "big"),
            span_id=number.to_bytes(7, "big") + b"\x01",
        )
        record.body.string_value = _TEXT
        record.attributes.extend(
            [_attribute(ID, one), _attribute("llm_router.request.model", "smart"), _attribute("error.type", "timeout")]
        )
        record.attributes.add(key="inference_latency").value.double_value = 0.25 * (number % 60)
        scope.log_records.append(record)
    return message.SerializeToString()


def _attribute(key: str, text: str) -> Any:
    item: Any = KeyValue(key=key)
    item.value.string_value = text
    return item


class Sender:
    """A thread that sends records until it is stopped, and sends again what was not acknowledged.

    Args:
        address: The Collector's OTLP over HTTP, as ``host:port``.
        rate: Records in a second.
    """

    def __init__(self, address: str, rate: int) -> None:
        self.acknowledged: set[str] = set()
        self.answers: Counter[str] = Counter()
        self._address = address
        self._pause = RECORDS / rate
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End, and wait for the last answer."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        connection = HTTPConnection(self._address, timeout=5)
        due = time.monotonic()
        for number in itertools.count():
            ids = [f"{number}-{one}" for one in range(RECORDS)]
            body = request(ids)
            while not self._sent(connection, body):
                if self._stop.wait(0.02):
                    return
            self.acknowledged.update(ids)
            due += self._pause
            if self._stop.wait(max(0.0, due - time.monotonic())):
                return
            # After an outage it goes on at its rate, as routers do, and does not catch up.
            due = max(due, time.monotonic() - self._pause)

    def _sent(self, connection: HTTPConnection, body: bytes) -> bool:
        try:
            connection.request("POST", "/v1/logs", body, {"content-type": "application/x-protobuf"})
            answer = connection.getresponse()
            answer.read()
        except (OSError, HTTPException) as error:
            connection.close()
            self.answers[type(error).__name__] += 1
            return False
        self.answers[str(answer.status)] += 1
        return answer.status == 200  # noqa: PLR2004
