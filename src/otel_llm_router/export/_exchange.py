"""One HTTP request on a connection, and its answer.

Room: `export`. A request comes in; the answer's head goes out, and then, piece by piece, what follows it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import h11

from otel_llm_router.export._destination import Destination
from otel_llm_router.export._failures import Progress
from otel_llm_router.export._wire_socket import Wire


class Exchange:
    """What is sent and answered on one connection, one request after the other.

    Args:
        wire: The connection.
        http: Its state.
        progress: Is told how far it came.
    """

    def __init__(self, wire: Wire, http: h11.Connection, progress: Progress) -> None:
        self._wire = wire
        self._http = http
        self._progress = progress

    def post(self, destination: Destination, headers: Mapping[str, str], body: bytes, deadline: float) -> h11.Response:
        """Post a body before ``deadline`` on the monotonic clock, and return the head of what is answered to it.

        Raises:
            OSError: it cannot be sent, or there is no answer in time.
            h11.RemoteProtocolError: what comes is no HTTP.
        """
        wire, http = self._wire, self._http
        target = destination.path if wire.by_proxy is None else f"http://{destination.authority}{destination.path}"
        sent = {**headers, **(wire.by_proxy or {})}
        wire.send(http.send(h11.Request(method="POST", target=target, headers=list(sent.items()))), deadline)
        wire.send(http.send(h11.Data(data=body)), deadline)
        wire.send(http.send(h11.EndOfMessage()), deadline)
        self._progress.sent = True
        event = self.following(deadline)
        while isinstance(event, h11.InformationalResponse):
            event = self.following(deadline)
        if not isinstance(event, h11.Response):
            raise ConnectionResetError("the connection ended before an answer")
        return event

    def following(self, deadline: float) -> Any:
        """Return what comes next of an answer, before ``deadline``.

        Raises:
            OSError: nothing comes, or not in time.
            h11.RemoteProtocolError: what comes is no HTTP.
        """
        while True:
            event = self._http.next_event()
            if event is not h11.NEED_DATA:
                return event
            more = self._wire.receive(deadline)
            self._progress.answered = self._progress.answered or bool(more)
            self._http.receive_data(more)
