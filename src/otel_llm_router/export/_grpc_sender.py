"""OTLP over gRPC: one call after the other on a connection that is kept.

Room: `export`. The calls are plain HTTP/2, by `h2`: a channel of grpcio's has threads of its own that a forked
process does not have, and that its locks wait for.
"""

from __future__ import annotations

import base64
import gzip
import logging
import threading
import zlib
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote

import h2.config
import h2.connection
import h2.events
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from otel_llm_router.export import _outcome
from otel_llm_router.export._destination import Destination
from otel_llm_router.export._failures import Progress, of_error
from otel_llm_router.export._outcome import Outcome
from otel_llm_router.export._wire_socket import Wire, connect, left

MAX_ANSWER: Final = 64 * 1024
"""Bytes of an answer that are read."""
_PREFIX: Final = 5
"""Bytes before a message: whether it is compressed, and its length."""
_LEVEL: Final = 6
_BINARY: Final = "-bin"
_UNAVAILABLE, _UNAUTHENTICATED, _PERMISSION_DENIED, _UNIMPLEMENTED, _UNKNOWN = 14, 16, 7, 12, 2
_OF_HTTP: Final = {400: 13, 401: _UNAUTHENTICATED, 403: _PERMISSION_DENIED, 404: _UNIMPLEMENTED} | dict.fromkeys(
    (429, 502, 503, 504), _UNAVAILABLE
)
"""gRPC's table for answers of what is no gRPC server."""

_here: Final = threading.local()


def _not_ours(_record: logging.LogRecord) -> bool:
    """Keep what HPACK says of our own calls from the application's handlers.

    At level DEBUG that is each header with its value, keys of a collector too; exported, it would make the next call.
    """
    return not getattr(_here, "sending", False)


for _name in ("hpack.hpack", "hpack.table"):
    logging.getLogger(_name).addFilter(_not_ours)


@dataclass
class _Call:
    """A call under way, and what was answered to it."""

    stream: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict[str, str])
    trailers: dict[str, str] = field(default_factory=dict[str, str])
    answer: bytes = b""
    ended: bool = False


class _RefusedError(ConnectionError):
    """The other side says that it did not look at the call."""


class GrpcSender:
    """Calls ``Export`` at one destination.

    Args:
        destination: Where to.
    """

    def __init__(self, destination: Destination) -> None:
        self._destination = destination
        self._wire: Wire | None = None
        self._http: h2.connection.H2Connection | None = None
        self._last = False

    def send(self, content: bytes, deadline: float) -> Outcome:
        """Make one call.

        Args:
            content: The request, as protobuf.
            deadline: When to give up, on the monotonic clock.
        """
        _here.sending = True
        try:
            return self._send(content, deadline)
        finally:
            _here.sending = False

    def _send(self, content: bytes, deadline: float) -> Outcome:
        body = _message(content, compressed=self._destination.compression == "gzip")
        for fresh in (False, True):
            progress = Progress()
            reused = not fresh and self._usable(deadline)
            try:
                if not reused:
                    self._connect(deadline)
                progress.connected = True
                return self._exchange(body, deadline, progress)
            except Exception as error:  # noqa: BLE001  # whatever comes from the other side
                self.close()
                if isinstance(error, _RefusedError):
                    progress.sent = False
                if reused and not progress.answered and isinstance(error, ConnectionError):
                    continue
                return of_error(error, progress)
        return Outcome("again", "other")

    def _connect(self, deadline: float) -> None:
        self.close()
        self._wire = connect(self._destination, deadline, alpn="h2")
        self._http = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self._last = False
        self._http.initiate_connection()
        self._wire.send(self._http.data_to_send(), deadline)

    def _usable(self, deadline: float) -> bool:
        """Whether the connection that is there can take another call, after all that has come meanwhile."""
        if self._wire is None or self._http is None:
            return False
        try:
            while self._wire.has_news():
                more = self._wire.receive(deadline)
                if not more or self._received(more, None):
                    return False
            self._wire.send(self._http.data_to_send(), deadline)
        except Exception:  # noqa: BLE001  # whatever comes from the other side
            return False
        return not self._last

    def _exchange(self, body: bytes, deadline: float, progress: Progress) -> Outcome:
        wire, http = self._wire, self._http
        if wire is None or http is None:
            raise ConnectionError
        call = _Call(http.get_next_available_stream_id(), body)
        http.send_headers(call.stream, self._headers(deadline))
        while not call.ended:
            self._send_some(http, call)
            wire.send(http.data_to_send(), deadline)
            progress.sent = progress.sent or not call.body
            if call.body and http.local_flow_control_window(call.stream) > 0:
                continue
            more = wire.receive(deadline)
            if not more:
                raise ConnectionResetError
            self._received(more, call)
            progress.answered = progress.answered or bool(call.headers or call.trailers)
            if len(call.answer) > MAX_ANSWER + _PREFIX:
                self._last = True
                break
        wire.send(http.data_to_send(), deadline)
        if self._last:
            self.close()
        return _result(call)

    def _headers(self, deadline: float) -> list[tuple[str, str]]:
        destination = self._destination
        own = {name: value for name, value in destination.headers.items() if not name.startswith(("grpc-", ":"))}
        return [
            (":method", "POST"),
            (":scheme", "https" if destination.tls else "http"),
            (":path", destination.path),
            (":authority", destination.authority),
            ("te", "trailers"),
            ("content-type", "application/grpc"),
            ("grpc-timeout", f"{max(1, int(left(deadline) * 1000))}m"),
            *([("grpc-encoding", "gzip")] if destination.compression == "gzip" else []),
            *((name, _metadata(name, value)) for name, value in own.items()),
        ]

    @staticmethod
    def _send_some(http: h2.connection.H2Connection, call: _Call) -> None:
        """Give as much of the call's body to the connection as the other side has room for."""
        while call.body:
            room = min(http.local_flow_control_window(call.stream), http.max_outbound_frame_size)
            if room <= 0:
                return
            part, call.body = call.body[:room], call.body[room:]
            http.send_data(call.stream, part, end_stream=not call.body)

    def _received(self, data: bytes, call: _Call | None) -> bool:
        """Take what has come; return whether the connection is at its end.

        Raises:
            ConnectionError: the call was reset, or the connection ends without it.
        """
        http = self._http
        if http is None:
            return True
        for event in http.receive_data(data):
            if isinstance(event, h2.events.ConnectionTerminated):
                self._last = True
                if call is not None and (event.last_stream_id or 0) < call.stream:
                    raise _RefusedError
                if call is None or event.error_code:
                    return True
            elif call is None or getattr(event, "stream_id", None) != call.stream:
                continue
            else:
                _take(http, call, event)
        return False

    def close(self) -> None:
        """End the connection; the next call makes another. In a forked child it is left to the parent."""
        wire, self._wire, self._http = self._wire, None, None
        if wire is not None:
            wire.close()


def _take(http: h2.connection.H2Connection, call: _Call, event: Any) -> None:
    if isinstance(event, h2.events.ResponseReceived):
        call.headers = _texts(event.headers)
    elif isinstance(event, h2.events.TrailersReceived):
        call.trailers = _texts(event.headers)
    elif isinstance(event, h2.events.DataReceived):
        call.answer += event.data
        http.acknowledge_received_data(event.flow_controlled_length, call.stream)
    elif isinstance(event, h2.events.StreamEnded):
        call.ended = True
    elif isinstance(event, h2.events.StreamReset):
        if call.headers or call.trailers:
            call.ended = True
        elif event.error_code == 7:  # noqa: PLR2004  # REFUSED_STREAM
            raise _RefusedError
        else:
            raise ConnectionResetError


def _texts(headers: Any) -> dict[str, str]:
    return {str(name): str(value) for name, value in headers or ()}


def _result(call: _Call) -> Outcome:
    said = {**call.headers, **call.trailers}
    status = said.get("grpc-status", "")
    if status.isdigit():
        number = int(status)
    else:
        http = said.get(":status", "")
        number = _OF_HTTP.get(int(http) if http.isdigit() else 0, _UNKNOWN)
    return _outcome.of_grpc(number, unquote(said.get("grpc-message", "")), _content(call.answer), _after(said))


def _message(content: bytes, *, compressed: bool) -> bytes:
    if compressed:
        content = gzip.compress(content, _LEVEL)
    return bytes([compressed]) + len(content).to_bytes(4, "big") + content


def _content(answer: bytes) -> bytes:
    content = answer[_PREFIX : _PREFIX + int.from_bytes(answer[1:_PREFIX], "big")]
    if answer[:1] != b"\1":
        return content
    try:
        return zlib.decompressobj(wbits=31).decompress(content, MAX_ANSWER)
    except zlib.error:
        return b""


def _after(said: dict[str, str]) -> float | None:
    """Return the seconds that the answer asks to be left alone for."""
    try:
        info = RetryInfo()
        if "google.rpc.retryinfo-bin" in said:
            info.ParseFromString(_binary(said["google.rpc.retryinfo-bin"]))
            return info.retry_delay.seconds + info.retry_delay.nanos / 1e9
        for detail in Status.FromString(_binary(said.get("grpc-status-details-bin", ""))).details:
            if detail.Unpack(info):
                return info.retry_delay.seconds + info.retry_delay.nanos / 1e9
    except Exception:  # noqa: BLE001  # anything can be written there
        return None
    return None


def _binary(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4))


def _metadata(name: str, value: str) -> str:
    return base64.b64encode(value.encode()).decode() if name.endswith(_BINARY) else value
