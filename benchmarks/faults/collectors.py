"""Collectors that take OTLP over real sockets and misbehave as they are told to.

What they took is kept as it came and decoded when it is asked for. `mode` can be changed at any time, and a collector
can be stopped and begin again on the same port.
"""

# grpcio and protobuf's messages have no types.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false

from __future__ import annotations

import contextlib
import gzip
import socket
import struct
import threading
import time
import zlib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import h11
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

MESSAGES: dict[str, Any] = {
    "traces": ExportTraceServiceRequest,
    "logs": ExportLogsServiceRequest,
    "metrics": ExportMetricsServiceRequest,
}
_SERVICES = {"traces": "trace.v1.TraceService", "logs": "logs.v1.LogsService", "metrics": "metrics.v1.MetricsService"}


class Taken:
    """What a collector said that it took."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.bodies: list[tuple[str, bytes]] = []
        self.times: list[float] = []
        self.largest = 0

    def add(self, signal: str, body: bytes) -> None:
        """Keep a request."""
        with self.lock:
            self.bodies.append((signal, body))
            self.times.append(time.time())
            self.largest = max(self.largest, len(body))

    def last_late(self, seconds: float) -> float:
        """Return when a span last came more than ``seconds`` after its end, in seconds of the epoch; 0 for never."""
        with self.lock:
            came = [
                (at, body) for at, (signal, body) in zip(self.times, self.bodies, strict=True) if signal == "traces"
            ]
        for at, body in reversed(came):
            for of in ExportTraceServiceRequest.FromString(body).resource_spans:
                for scope in of.scope_spans:
                    if any(at - span.end_time_unix_nano / 1e9 > seconds for span in scope.spans):
                        return at
        return 0.0

    def messages(self, signal: str) -> list[Any]:
        """Return the requests of a signal."""
        with self.lock:
            return [MESSAGES[of].FromString(body) for of, body in self.bodies if of == signal]

    def spans(self) -> list[Any]:
        """Return all spans."""
        return [
            span
            for message in self.messages("traces")
            for of in message.resource_spans
            for scope in of.scope_spans
            for span in scope.spans
        ]

    def logs(self) -> list[Any]:
        """Return all log records."""
        return [
            record
            for message in self.messages("logs")
            for of in message.resource_logs
            for scope in of.scope_logs
            for record in scope.log_records
        ]

    def span_names(self) -> Counter[str]:
        """Return how often each name of a span came."""
        return Counter(span.name for span in self.spans())

    def log_bodies(self) -> Counter[str]:
        """Return how often each text of a log record came."""
        return Counter(record.body.string_value for record in self.logs())

    def sums(self, name: str, *labels: str) -> dict[tuple[str, ...], float]:
        """Return the last values of a counter by the values of ``labels`` and the sender, summed over the rest."""
        last: dict[tuple[tuple[str, ...], str], float] = {}
        for message in self.messages("metrics"):
            for of in message.resource_metrics:
                resource = {one.key: one.value.string_value for one in of.resource.attributes}
                for scope in of.scope_metrics:
                    for metric in scope.metrics:
                        if metric.name == name:
                            for point in metric.sum.data_points:
                                has = {one.key: one.value.string_value for one in point.attributes}
                                key = tuple(has.get(label, "") for label in labels)
                                rest = f"{resource.get('service.instance.id')} {sorted(has.items())}"
                                last[key, rest] = getattr(point, point.WhichOneof("value"))
        summed: dict[tuple[str, ...], float] = {}
        for (key, _), value in last.items():
            summed[key] = summed.get(key, 0.0) + value
        return summed


class HttpCollector:
    """OTLP over HTTP.

    Attributes:
        mode: ``ok``; a status such as ``503``; or what else `_misbehave` knows.
        headers: Sent with each answer.
        reject: Records that a success says it leaves out.
        corrupt: Requests that were none.
        connections: Connections so far.
    """

    def __init__(self, mode: str = "ok") -> None:
        self.mode = mode
        self.headers: dict[str, str] = {}
        self.reject = 0
        self.corrupt = 0
        self.connections = 0
        self.requests = 0
        self.taken = Taken()
        self.port = 0
        self._listening: socket.socket | None = None
        self._open: set[socket.socket] = set()
        self._ended = threading.Event()

    def start(self) -> str:
        """Begin to listen, on the port that it had; return the endpoint."""
        self._ended.clear()
        listening = socket.socket()
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", self.port))
        listening.listen(256)
        self.port = listening.getsockname()[1]
        self._listening = listening
        threading.Thread(target=self._accept, args=(listening,), daemon=True).start()
        return f"http://127.0.0.1:{self.port}"

    def stop(self) -> None:
        """Close every connection and the port."""
        self._ended.set()
        if self._listening is not None:
            with contextlib.suppress(OSError):
                self._listening.shutdown(socket.SHUT_RDWR)
            self._listening.close()
        for one in tuple(self._open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self, listening: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listening.accept()
                self.connections += 1
                self._open.add(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            while self._one(connection):
                pass
        except h11.RemoteProtocolError:
            self.corrupt += 1
        except OSError:
            pass
        finally:
            self._open.discard(connection)
            connection.close()

    def _one(self, connection: socket.socket) -> bool:
        """Serve the requests of one connection; return whether another may come."""
        http = h11.Connection(h11.SERVER)
        while True:
            target, encoding, body = "", "", b""
            while True:
                event = http.next_event()
                if event is h11.NEED_DATA:
                    if self.mode == "swallow":
                        self._ended.wait()
                    http.receive_data(connection.recv(65536))
                elif isinstance(event, h11.Request):
                    target = event.target.decode()
                    encoding = dict(event.headers).get(b"content-encoding", b"").decode()
                    if self.mode == "reset":
                        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                        return False
                elif isinstance(event, h11.Data):
                    body += event.data
                elif isinstance(event, h11.EndOfMessage):
                    break
                else:
                    return False
            self.requests += 1
            signal = target.rsplit("/", 1)[-1]
            if not self._answer(connection, http, signal, _decoded(encoding, body)):
                return False
            http.start_next_cycle()

    def _answer(self, connection: socket.socket, http: h11.Connection, signal: str, body: bytes) -> bool:
        mode = self.mode
        if mode in {"ok", "empty"}:
            message = MESSAGES[signal].FromString(body)
            if body:
                self.taken.add(signal, body)
            content = b""
            if self.reject and body and message.ByteSize():
                answer = ExportTraceServiceResponse()
                answer.partial_success.rejected_spans = self.reject
                content = answer.SerializeToString()
            self._send(connection, http, 200, content)
            return True
        if mode.isdigit():
            self._send(connection, http, int(mode), b"")
            return True
        self._misbehave(connection, mode)
        return False

    def _send(self, connection: socket.socket, http: h11.Connection, status: int, content: bytes) -> None:
        headers = {"content-type": "application/x-protobuf", "content-length": str(len(content)), **self.headers}
        data = http.send(h11.Response(status_code=status, headers=list(headers.items())))
        connection.sendall(data + http.send(h11.Data(data=content)) + http.send(h11.EndOfMessage()))

    def _misbehave(self, connection: socket.socket, mode: str) -> None:  # noqa: C901  # a list of faults
        start = b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\n"
        if mode == "hang":
            self._ended.wait()
        elif mode == "drip":
            connection.sendall(start + b"content-length: 1000000\r\n\r\n")
            while not self._ended.wait(0.05):
                connection.sendall(b"\0")
        elif mode == "huge":
            connection.sendall(start + b"content-length: 1500000000\r\n\r\n")
            for _ in range(1500):
                connection.sendall(bytes(1_000_000))
        elif mode == "headers":
            connection.sendall(start)
            while True:
                connection.sendall(b"x-more: " + b"y" * 1000 + b"\r\n")
        elif mode == "bomb":
            # A deflated stream of zeros is one block of bytes over and over.
            content = gzip.compress(bytes(10_000_000)) * 10
            length = f"content-encoding: gzip\r\ncontent-length: {len(content)}\r\n\r\n"
            connection.sendall(start + length.encode() + content)
        elif mode == "garbage":
            connection.sendall(b"\0\1\2 this is no HTTP\r\n\r\n" * 100)
        elif mode == "cut":
            connection.sendall(start + b"content-length: 100\r\n\r\nabc")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif mode == "http10":
            connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n")


def _decoded(encoding: str, body: bytes) -> bytes:
    return gzip.decompress(body) if encoding == "gzip" else zlib.decompress(body) if encoding == "deflate" else body


class GrpcCollector:
    """OTLP over gRPC, by grpcio's own server.

    Attributes:
        mode: ``ok``; ``hang``; or the name of a gRPC status.
        trailers: Sent with each status.
        reject: Records that a success says it leaves out.
    """

    def __init__(self, mode: str = "ok") -> None:
        self.mode = mode
        self.trailers: tuple[tuple[str, Any], ...] = ()
        self.reject = 0
        self.requests = 0
        self.metadata: list[dict[str, Any]] = []
        self.taken = Taken()
        self.port = 0
        self._ended = threading.Event()
        self._server: Any = None

    def start(self) -> str:
        """Begin to listen, on the port that it had; return the endpoint."""
        self._ended.clear()
        server = grpc.server(ThreadPoolExecutor(16), options=[("grpc.so_reuseport", 0)])
        for signal, service in _SERVICES.items():
            handler = grpc.unary_unary_rpc_method_handler(self._method(signal))
            name = f"opentelemetry.proto.collector.{service}"
            server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(name, {"Export": handler})])
        self.port = server.add_insecure_port(f"127.0.0.1:{self.port}")
        server.start()
        self._server = server
        return f"http://127.0.0.1:{self.port}"

    def stop(self) -> None:
        """Close every connection and the port."""
        self._ended.set()
        if self._server is not None:
            self._server.stop(grace=None).wait()
            self._server = None

    def _method(self, signal: str) -> Any:
        def export(body: bytes, context: Any) -> bytes:
            self.requests += 1
            self.metadata.append(dict(context.invocation_metadata()))
            if self.mode == "hang":
                self._ended.wait(60)
            if self.mode != "ok":
                context.set_trailing_metadata(self.trailers)
                context.abort(getattr(grpc.StatusCode, self.mode, grpc.StatusCode.UNKNOWN), "told to")
            if body:
                self.taken.add(signal, body)
            answer = ExportTraceServiceResponse()
            if self.reject and body:
                answer.partial_success.rejected_spans = self.reject
            return answer.SerializeToString()

        return export


class SilentPort:
    """A port whose backlog is full: no connection to it is ever answered."""

    def __init__(self) -> None:
        self._sockets: list[socket.socket] = []

    def start(self) -> str:
        """Fill the backlog; return the endpoint."""
        listening = socket.socket()
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        self._sockets.append(listening)
        port = listening.getsockname()[1]
        for _ in range(8):
            filler = socket.socket()
            filler.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                filler.connect(("127.0.0.1", port))
            self._sockets.append(filler)
        time.sleep(0.2)  # what is not answered by then stays so
        return f"http://127.0.0.1:{port}"

    def stop(self) -> None:
        """Let go of the port."""
        for one in self._sockets:
            one.close()
