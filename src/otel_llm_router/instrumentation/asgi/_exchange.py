"""One HTTP request or WebSocket connection: its metrics, its connection, its route.

Room: `instrumentation`. Messages come in as they pass; HTTP and connection metrics go out. What the request asks
of the router is for its `Door`.
"""

from __future__ import annotations

import time
from typing import Any, Final

from otel_llm_router import telemetry
from otel_llm_router.instrumentation.asgi._door import Door

SEEN: Final = "otel_llm_router.seen"
"""Where a scope has its exchange: what is mounted deeper in the application has the same one."""
_REQUEST_ID: Final = b"x-request-id"


class Exchange:
    """One request and its response.

    Args:
        scope: The ASGI scope.
        receive: The server's.
        placed: Whether it is ours that the middleware is there, which sees it first.
    """

    def __init__(self, scope: Any, receive: Any, *, placed: bool) -> None:
        self.http = scope["type"] == "http"
        self.placed = placed
        self.route = ""
        self.span: Any = None
        self._method: str = scope.get("method", "")
        self._asked: Any = scope if telemetry.default.access is not None else None
        self._id = b""
        self._began = time.perf_counter_ns()
        self._status: int | None = None
        self._over = False
        version = scope.get("http_version", "1.1")
        self._connection = telemetry.connection(
            "http" if self.http else "websocket", f"http/{version.removesuffix('.0') if version > '2' else version}"
        ).open()
        self.door = Door(scope, receive) if self.http else None

    def answering(self, message: Any) -> None:
        """Take the head of the response."""
        self._status = status = message["status"]
        content_type, encoded = b"", False
        for name, value in message.get("headers", ()):
            lower = name.lower()
            if lower == b"content-type":
                content_type = value.lower()
            elif lower == b"content-encoding":
                encoded = True
            elif lower == _REQUEST_ID:
                self._id = value
        if content_type.startswith(b"text/event-stream"):
            self._connection.become("sse")
        if self.door is not None:
            self.door.answering(status, content_type, encoded=encoded)

    def sent(self, message: Any) -> None:
        """Take a part of the response's body, which has gone to the server."""
        door, body, more = self.door, message.get("body", b""), message.get("more_body", False)
        if more and door is not None and door.take is not None:
            if body:
                door.take(body)
            return
        if door is not None:
            door.sent(body, more=more)
        if not more:
            self._record()

    def over(self, error: BaseException | None) -> None:
        """End, when the application has returned or raised."""
        if self.door is not None:
            self.door.over(error)
        if self._status is None and isinstance(error, Exception):
            self._status = 500  # what the server answers when the application raised without answering
        self._record()

    def _record(self) -> None:
        """Record the exchange; every call but the first does nothing."""
        if self._over:
            return
        self._over = True
        self._connection.close()
        if self.http:
            telemetry.http_request(
                self._method,
                route=self.route,
                status_code=self._status,
                seconds=(time.perf_counter_ns() - self._began) / 1e9,
                **(self._said() if self._asked is not None else {}),
            )

    def _said(self) -> dict[str, Any]:
        """Return what only the access log has."""
        client = self._asked.get("client")
        found = self._id or next((value for name, value in self._asked["headers"] if name == _REQUEST_ID), b"")
        return {
            "request_id": found.decode("latin-1"),
            "client_address": str(client[0]) if client else None,
            "span": self.span,
        }
