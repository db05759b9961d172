"""The relay's HTTP server.

Room: `cli`. Requests of Alertmanager come in; answers of a `Relay` go out. It listens on this machine alone, or asks
for a token. It is a process of its own, so the standard library's server does: bodies, time and threads are bounded.
"""

from __future__ import annotations

import hmac
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, Final

from otel_llm_router.cli.alerts._relay import Relay

MAX_BODY: Final = 1024 * 1024
MAX_REQUESTS: Final = 32
"""Requests that are answered at one time; who comes then is hung up on, and Alertmanager comes again."""
HEALTH: Final = "/health"


class RelayServer(ThreadingHTTPServer):
    """Serves a relay on ``host:port``.

    Args:
        address: Host and port.
        relay: Takes what is posted.
        token: What a client has to bring; empty for nothing.

    Raises:
        OSError: The address cannot be listened on.
    """

    daemon_threads = True
    # A service that is restarted takes its port at once; on Windows it would take somebody else's.
    allow_reuse_address = hasattr(socket, "AF_UNIX")

    def __init__(self, address: tuple[str, int], relay: Relay, *, token: str = "") -> None:
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        self.relay: Final = relay
        self.token: Final = token
        self._room = threading.BoundedSemaphore(MAX_REQUESTS)
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread, if there is room."""
        if not self._room.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer, and make room."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that go away."""


class _Handler(BaseHTTPRequestHandler):
    server: RelayServer  # pyright: ignore[reportIncompatibleVariableOverride]  # it is what makes them
    server_version = "otel-llm-router"
    sys_version = ""
    timeout: ClassVar[float | None] = 10.0

    def do_GET(self) -> None:
        """Say that the relay is there."""
        self._answer(*((200, "ok") if self.path == HEALTH else (404, "post alerts to any path")))

    def do_POST(self) -> None:
        """Deliver alerts."""
        if not self._is_allowed():
            self._answer(401, "a token is needed")
            return
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()):
            self._answer(411, "a length is needed")
        elif int(length) > MAX_BODY:
            self._answer(413, f"at most {MAX_BODY} bytes")
        else:
            self._answer(*self.server.relay.take(self.rfile.read(int(length))))

    def _is_allowed(self) -> bool:
        if not self.server.token:
            return True
        given = self.headers.get("Authorization", "").encode("utf-8", "replace")
        return hmac.compare_digest(given, f"Bearer {self.server.token}".encode())

    def _answer(self, status: int, text: str) -> None:
        body = f"{text}\n".encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Write no line for each request."""
