"""OTLP over HTTP: one request after the other on a connection that is kept.

Room: `export`. A request's bytes and a deadline come in; an `Outcome` goes out, and never an exception.
Redirects are not followed, of an answer no more than `MAX_ANSWER` is read, and what it says is not decompressed.
"""

from __future__ import annotations

import contextlib
import gzip
import time
import zlib
from typing import Final

import h11

from otel_llm_router.export import _outcome
from otel_llm_router.export._destination import Destination
from otel_llm_router.export._exchange import Exchange
from otel_llm_router.export._failures import Progress, of_error
from otel_llm_router.export._outcome import Outcome
from otel_llm_router.export._wire_socket import Wire, connect

MAX_ANSWER: Final = 64 * 1024
"""Bytes of an answer that are read."""
ANSWER_SECONDS: Final = 2.0
"""How long the rest of an answer may take once its status is there."""
_MAX_HEADERS: Final = 16 * 1024
_LEVEL: Final = 6


class HttpSender:
    """Sends requests to one destination.

    Args:
        destination: Where to.
    """

    def __init__(self, destination: Destination) -> None:
        self._destination = destination
        self._wire: Wire | None = None
        self._http: h11.Connection | None = None

    def send(self, content: bytes, deadline: float) -> Outcome:
        """Send one request.

        Args:
            content: The request, as protobuf.
            deadline: When to give up, on the monotonic clock.
        """
        body = _compressed(content, self._destination.compression)
        for fresh in (False, True):
            progress = Progress()
            reused = self._usable() and not fresh
            try:
                if not reused:
                    self.close()
                    self._wire = connect(self._destination, deadline)
                    self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=_MAX_HEADERS)
                progress.connected = True
                return self._exchange(body, deadline, progress)
            except Exception as error:  # noqa: BLE001  # whatever comes from the other side
                self.close()
                # A connection that had been idle and that the other side was about to close is nobody's failure.
                if reused and not progress.answered and isinstance(error, (ConnectionError, h11.RemoteProtocolError)):
                    continue
                return of_error(error, progress)
        return Outcome("again", "other")

    def _usable(self) -> bool:
        return self._wire is not None and not self._wire.has_news()

    def _exchange(self, body: bytes, deadline: float, progress: Progress) -> Outcome:
        wire, http = self._wire, self._http
        if wire is None or http is None:
            raise ConnectionError
        exchange = Exchange(wire, http, progress)
        event = exchange.post(self._destination, self._headers(len(body)), body, deadline)
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in event.headers}
        answer = b""
        # What became of the request is known by now; the rest of the answer says little and is not waited for long.
        with contextlib.suppress(OSError, h11.RemoteProtocolError):
            until = min(deadline, time.monotonic() + ANSWER_SECONDS)
            while len(answer) <= MAX_ANSWER:
                more = exchange.following(until)
                if not isinstance(more, h11.Data):
                    break
                answer += more.data
        if http.our_state is h11.DONE and http.their_state is h11.DONE:
            http.start_next_cycle()
        else:
            self.close()
        return _outcome.of_http(event.status_code, headers, answer)

    def _headers(self, length: int) -> dict[str, str]:
        destination = self._destination
        headers = {
            "host": destination.authority,
            "content-type": "application/x-protobuf",
            "content-length": str(length),
            **({} if destination.compression == "none" else {"content-encoding": destination.compression}),
        }
        own = {name: value for name, value in destination.headers.items() if name not in headers}
        return {**headers, **own}

    def close(self) -> None:
        """End the connection; the next request makes another. In a forked child it is left to the parent."""
        wire, self._wire, self._http = self._wire, None, None
        if wire is not None:
            wire.close()


def _compressed(content: bytes, compression: str) -> bytes:
    if compression == "gzip":
        return gzip.compress(content, _LEVEL)
    return zlib.compress(content, _LEVEL) if compression == "deflate" else content
