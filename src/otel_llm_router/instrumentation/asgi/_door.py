"""One HTTP request as a routed request: what it asks for, what its client is given, and how it ended.

Room: `instrumentation`. ASGI messages come in, in the order in which they pass; a `telemetry` request comes of
them where they ask for a model, or where calls to models are made inside.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from otel_llm_router.instrumentation.asgi import _visitor
from otel_llm_router.instrumentation.asgi._asked import Asked
from otel_llm_router.instrumentation.asgi._given import Given, stream_of
from otel_llm_router.signals import attributes
from otel_llm_router.telemetry.instrumenting import Attempt, classify, inbound, of_status

_ERROR: Final = 400
_SERVER_ERROR: Final = 500
_NOT_SERVED: Final = frozenset({404, 405})
_ABORTS: Final = frozenset({"cancelled", "client_disconnect", "stream_abandoned"})

Ended = tuple[str, str, str]
"""Outcome, error type, and the component whose fault it is."""

_SUCCESS: Final[Ended] = (attributes.SUCCESS, "", "router")
_ABORTED: Final[Ended] = (attributes.ABORTED, "client_disconnect", "router")


class Door:
    """One HTTP request on its way through the application.

    Args:
        scope: The ASGI scope.
        receive: The server's, which may know that the client has gone.
    """

    def __init__(self, scope: Any, receive: Any) -> None:
        self._asked = Asked(scope.get("path", "")) if scope.get("method") == "POST" else None
        self.inbound = inbound(
            self._asked.model if self._asked is not None else str,
            partial(_visitor.of, scope.get("client"), scope.get("headers", ())),  # not the scope, which has this
        )
        if self._asked is not None and self._asked.certain:
            self.inbound.recognise()
        self._server = receive
        self._gone = False
        self._status: int | None = None
        self._last_byte: int | None = None
        self._given: Given | None = None
        self._type: bytes | None = None
        self._streaming = False
        self.take: Callable[[bytes], None] | None = None
        """What takes the parts of a stream that has been looked at and goes on."""

    # --- messages -------------------------------------------------------------------------------

    def received(self, message: Any) -> None:
        """Take a message that the application has received."""
        kind = message["type"]
        if kind == "http.request":
            asked = self._asked
            if asked is not None and not self.inbound.taken:
                last = not message.get("more_body", False)
                if asked.take(message.get("body", b""), last=last):
                    self.inbound.recognise()
        elif kind == "http.disconnect" and self._last_byte is None:
            self._gone = True

    def answering(self, status: int, content_type: bytes, *, encoded: bool) -> None:
        """Take the head of the response."""
        self._status = status
        if status < _ERROR and not encoded:
            self._type = content_type

    def sent(self, body: bytes, *, more: bool) -> None:
        """Take a part of the response's body, which has gone to the server; `take` does for most of a stream's."""
        if self._type is not None and body and self.inbound.of_interest:
            self._look(body, more=more)
        if not more:
            self._last_byte = time.perf_counter_ns()
            # The exception that a status of 500 stands for comes behind the answer.
            if (self._status or 0) < _SERVER_ERROR:
                self.over(None)

    def _look(self, body: bytes, *, more: bool) -> None:
        if self._given is None:
            # Not before now: a stream may have begun before the first call is made inside.
            dialect = self._asked.dialect if self._asked is not None else None
            self._given = stream_of(self._type or b"", self.inbound.tally, dialect)
            if self._given is None:
                self._type = None
                return
        if more:
            self._streaming = True
            self.take = self._given.take
        self._given.take(body)

    def unsent(self) -> None:
        """Take that the server refused a message: nobody is there."""
        self._gone = self._gone or self._last_byte is None

    # --- the end --------------------------------------------------------------------------------

    def over(self, error: BaseException | None) -> None:
        """End; every call but the first does nothing."""
        entry = self.inbound
        if entry.ended:
            return
        if self._given is not None:
            self._given.end()
        if self._not_served():
            entry.drop()
            return
        outcome, error_type, component = self._judge(error) if entry.of_interest else _SUCCESS
        at = self._last_byte or time.perf_counter_ns()
        entry.end(outcome, error_type, at=at, streaming=self._streaming, component=component)

    def _not_served(self) -> bool:
        """Whether nothing is served here, so that who asks for it is no client of a router."""
        return self._status in _NOT_SERVED and (self._asked is None or self._asked.said() is None)

    def _judge(self, error: BaseException | None) -> Ended:
        if (self._gone or self._server_knows()) and not (self._given is not None and self._given.complete):
            return _ABORTED
        last = self.inbound.request.last_attempt if self.inbound.request is not None else None
        failed = last if last is not None and last.outcome == attributes.ERROR else None
        status = self._status or 0
        if error is not None:
            return _raised(error, failed)
        if self._last_byte is None and not self._gone:  # the server ends such an answer as an error
            return attributes.ERROR, failed.error_type if failed is not None else "internal", "router"
        if status >= _ERROR:
            return _refused(status, failed)
        if self._given is not None:
            said = self._given.error
            # A stream that has begun can only be broken off, or say what happened.
            if failed is not None and (said or failed.chunks or not self.inbound.tally.chunks):
                return attributes.ERROR, failed.error_type, "router"
            if said:
                return attributes.ERROR, said, "router"
        return _SUCCESS

    def _server_knows(self) -> bool:
        """Whether the server says that the client has gone, which an application need not ask for: uvicorn's does."""
        return getattr(getattr(self._server, "__self__", None), "disconnected", False) is True


def _raised(error: BaseException, failed: Attempt | None) -> Ended:
    kind = classify(error)
    if kind in _ABORTS:
        return attributes.ABORTED, kind, "router"
    return attributes.ERROR, failed.error_type if failed is not None else kind, "router"


def _refused(status: int, failed: Attempt | None) -> Ended:
    if status >= _SERVER_ERROR:
        return attributes.ERROR, failed.error_type if failed is not None else of_status(status), "router"
    if failed is not None and failed.http_status == status:  # what the provider said, handed on
        return attributes.ERROR, failed.error_type, "router"
    return attributes.ERROR, of_status(status), "client"
