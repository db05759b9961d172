"""Back ends over real sockets that note the ids of what they took: OTLP over HTTP, and Elasticsearch's bulk API."""

# protobuf's messages have no types.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

import gzip
import json
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Final

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

ID: Final = "test_id"
"""Attribute that tells one record from all others."""


class Backend:
    """A back end on a port of its own, which can be stopped and comes back on the same port.

    Args:
        kind: ``otlp`` or ``elasticsearch``.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._taken: Counter[str] = Counter()
        self._documents: set[str] = set()
        self._lock = threading.Lock()
        self._server: ThreadingHTTPServer | None = None
        self._port = 0
        self.start()

    def __enter__(self) -> Backend:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Where it listens, or will."""
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Listen."""
        if self._server is not None:
            return
        self._server = _Server(("127.0.0.1", self._port), _HANDLERS[self.kind], self)
        self._port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        """Listen no longer; connections end with their next answer."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    @property
    def answering(self) -> bool:
        """Whether it listens."""
        return self._server is not None

    def took(self, ids: Iterator[str], documents: Iterator[str] = iter(())) -> None:
        """Note records, before they are acknowledged."""
        with self._lock:
            self._taken.update(ids)
            self._documents.update(documents)

    def ids(self) -> set[str]:
        """The ids of all records that arrived."""
        with self._lock:
            return set(self._taken)

    def repeated(self) -> int:
        """How many arrivals were of a record that had arrived before."""
        with self._lock:
            return self._taken.total() - len(self._taken)

    def documents(self) -> int:
        """How many documents an index would have: an id that is sent again replaces."""
        with self._lock:
            return len(self._documents)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler], backend: Backend) -> None:
        self.backend = backend
        super().__init__(address, handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server  # pyright: ignore[reportIncompatibleVariableOverride]

    def body(self) -> bytes:
        """The request's body, as it was before compression."""
        if self.headers.get("transfer-encoding") == "chunked":
            parts: list[bytes] = []
            while size := int(self.rfile.readline(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            raw = b"".join(parts)
        else:
            raw = self.rfile.read(int(self.headers.get("content-length", 0)))
        return gzip.decompress(raw) if self.headers.get("content-encoding") == "gzip" else raw

    def answer(self, body: bytes, content_type: str) -> None:
        """Answer 200, or end the connection when the back end has been stopped."""
        if not self.server.backend.answering:
            self.close_connection = True
            return
        self.send_response(200)
        self.send_header("content-type", content_type)
        self.send_header("x-elastic-product", "Elasticsearch")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # http.server's name
        """Stay silent."""


class _Otlp(_Handler):
    def do_POST(self) -> None:  # http.server's name
        body = self.body()
        if self.path.endswith("/v1/logs"):
            self.server.backend.took(_log_ids(ExportLogsServiceRequest.FromString(body)))
        elif self.path.endswith("/v1/traces"):
            self.server.backend.took(_span_ids(ExportTraceServiceRequest.FromString(body)))
        self.answer(b"", "application/x-protobuf")


class _Elasticsearch(_Handler):
    def do_POST(self) -> None:  # http.server's name
        lines = self.body().decode().splitlines()
        actions = [next(iter(json.loads(line).items())) for line in lines[0::2]]
        self.server.backend.took(
            (json.loads(line)[ID] for line in lines[1::2]), (action[1]["_id"] for action in actions)
        )
        items = [{kind: {"_index": meta["_index"], "_id": meta["_id"], "status": 201}} for kind, meta in actions]
        self.answer(json.dumps({"took": 1, "errors": False, "items": items}).encode(), "application/json")


_HANDLERS: Final = {"otlp": _Otlp, "elasticsearch": _Elasticsearch}


def _log_ids(request: Any) -> Iterator[str]:
    for resource in request.resource_logs:
        for scope in resource.scope_logs:
            for record in scope.log_records:
                yield from (item.value.string_value for item in record.attributes if item.key == ID)


def _span_ids(request: Any) -> Iterator[str]:
    for resource in request.resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield from (item.value.string_value for item in span.attributes if item.key == ID)
