"""One HTTP request with one deadline, and what came back.

Room: `cli`. A URL and a body come in, the answer goes out. A redirect is not followed: it could lead out of TLS.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import h11

from otel_llm_router._version import DISTRIBUTION, __version__
from otel_llm_router.export import _wire_socket
from otel_llm_router.export._destination import Destination
from otel_llm_router.export._exchange import Exchange
from otel_llm_router.export._failures import Progress
from otel_llm_router.export._wire_socket import Wire

SECONDS: Final = 10.0
"""How long a whole request may take, but for the look-up of the name."""
_MAX_ANSWER: Final = 2_048


class NotDeliveredError(OSError):
    """Nothing came back."""


@dataclass(frozen=True)
class Answer:
    """What came back.

    Args:
        status: HTTP's number.
        text: The first two thousand bytes of the body, as text.
        retry_after: Seconds that the other side asks to wait; None when it does not say.
    """

    status: int
    text: str
    retry_after: float | None = None

    @property
    def accepted(self) -> bool:
        """Whether the message has arrived."""
        return 200 <= self.status < 300  # noqa: PLR2004 - HTTP's numbers

    @property
    def temporary(self) -> bool:
        """Whether the same request may be accepted later."""
        return self.status in {408, 425, 429} or self.status >= 500  # noqa: PLR2004 - HTTP's numbers


def post(url: str, body: bytes, *, headers: Mapping[str, str] | None = None, seconds: float = SECONDS) -> Answer:
    """Post JSON, through the proxy that the environment names if it names one.

    Args:
        url: Where to; certificates are checked when it is https.
        body: JSON.
        headers: Further headers.
        seconds: How long all of it may take.

    Raises:
        NotDeliveredError: Nothing came back, or not in time; the message says why, and does not show the URL's path.
    """
    parts = urlsplit(url)
    host, tls = parts.hostname or "", parts.scheme == "https"
    port = parts.port or (443 if tls else 80)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    destination = Destination("http", host, port, path, tls)
    deadline = time.monotonic() + seconds
    try:
        wire = _wire_socket.connect(destination, deadline)
        try:
            return _exchange(wire, destination, body, headers or {}, deadline)
        finally:
            wire.close()
    except TimeoutError as error:
        raise NotDeliveredError(f"{host}:{port} has not answered within {seconds:g} s") from error
    except (OSError, h11.ProtocolError, UnicodeError) as error:
        raise NotDeliveredError(f"{host}:{port}: {error or type(error).__name__}") from error


def _exchange(wire: Wire, destination: Destination, body: bytes, headers: Mapping[str, str], deadline: float) -> Answer:
    exchange = Exchange(wire, h11.Connection(h11.CLIENT), Progress())
    sent = {
        "host": destination.authority,
        "user-agent": f"{DISTRIBUTION}/{__version__}",
        "content-type": "application/json",
        "content-length": str(len(body)),
        "connection": "close",
        **headers,
    }
    response = exchange.post(destination, sent, body, deadline)
    text = b""
    while len(text) < _MAX_ANSWER and isinstance(event := exchange.following(deadline), h11.Data):
        text += event.data
    wait = dict(response.headers).get(b"retry-after", b"")
    return Answer(
        response.status_code,
        text[:_MAX_ANSWER].decode("utf-8", "replace").strip(),
        float(wait) if wait.isdigit() else None,
    )
