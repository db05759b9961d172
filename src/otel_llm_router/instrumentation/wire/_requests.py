"""The hook on requests: ``Session.send``.

Room: `instrumentation`. An answer that requests reads itself is looked at when it is there; of one that the
application reads, urllib3's response tells of what is read from it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import wrapt

from otel_llm_router.instrumentation._protocols.recognition import possible
from otel_llm_router.instrumentation.wire import _exchanges
from otel_llm_router.instrumentation.wire._exchanges import Bystander, Exchange
from otel_llm_router.instrumentation.wire._taps import SyncTap
from otel_llm_router.telemetry.instrumenting import attached, guard

Wrapped = Callable[..., Any]


def send(wrapped: Wrapped, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """``Session.send``."""
    exchange: Exchange | Bystander | None = None
    with guard("wire.requests.begin"):
        exchange = _begin(args[0] if args else kwargs.get("request"))
    if exchange is None:
        return wrapped(*args, **kwargs)
    try:
        with attached(exchange.context):
            response = wrapped(*args, **kwargs)
    except BaseException as error:
        with guard("wire.requests.failed"):
            exchange.fail(error)
        raise
    with guard("wire.requests.answered"):
        content: Any = getattr(response, "_content", None)
        if isinstance(exchange, Bystander):
            exchange.answered(response.status_code, response.headers.get)
        elif isinstance(content, bytes):
            exchange.answered(response.status_code, response.headers.get, decoded=True, at_once=True)
            exchange.feed(content)
            exchange.finish()
        else:
            exchange.answered(response.status_code, response.headers.get, decoded=True)
            response.raw = _Raw(response.raw, exchange)
    return response


def _begin(request: Any) -> Exchange | Bystander | None:
    if getattr(request, "method", None) != "POST":
        return None
    url = urlsplit(str(request.url))
    if not possible(url.path):
        return None
    exchange = _exchanges.notice(url.path, url.hostname or "", url.port, lambda: request.body)
    if exchange is not None:
        with guard("wire.requests.inject"):
            exchange.inject(request.headers)
    return exchange


class _Raw(wrapt.ObjectProxy):  # pyright: ignore[reportMissingTypeArgument]  # generic in wrapt 2 only
    """urllib3's response with an eye on what is read from it, by requests or by the application itself.

    Args:
        raw: urllib3's response.
        exchange: Told of what passes.
    """

    def __init__(self, raw: Any, exchange: Exchange) -> None:
        super().__init__(raw)  # pyright: ignore[reportUnknownMemberType]
        self._self_raw: Any = raw
        self._self_exchange = exchange
        self._self_decoded: bool | None = None

    def stream(self, *args: Any, **kwargs: Any) -> Iterator[bytes]:
        """Read in pieces."""
        self._decoding(args[1] if len(args) > 1 else kwargs.get("decode_content"))
        pieces: Iterator[bytes] = iter(SyncTap(self._self_raw.stream(*args, **kwargs), self._self_exchange))
        yield from pieces

    def read(self, *args: Any, **kwargs: Any) -> bytes:
        """Read some or all."""
        self._decoding(args[1] if len(args) > 1 else kwargs.get("decode_content"))
        amount = args[0] if args else kwargs.get("amt")
        return self._told(self._self_raw.read, args, kwargs, to_the_end=amount is None or amount < 0)

    def read1(self, *args: Any, **kwargs: Any) -> bytes:
        """Read what is there."""
        self._decoding(args[1] if len(args) > 1 else kwargs.get("decode_content"))
        return self._told(self._self_raw.read1, args, kwargs, to_the_end=False)

    def __iter__(self) -> Iterator[bytes]:
        self._decoding(True)
        return iter(SyncTap(self._self_raw, self._self_exchange))

    def close(self) -> None:
        """Close the response."""
        try:
            self._self_raw.close()
        finally:
            with guard("wire.requests.close"):
                self._self_exchange.abort()

    def __del__(self) -> None:
        with guard("wire.requests.dropped"):
            if self._self_exchange.live:
                self._self_exchange.abort("stream_abandoned")

    def _decoding(self, asked: bool | None) -> None:
        with guard("wire.requests.decoding"):
            if self._self_decoded is None:
                self._self_decoded = bool(self._self_raw.decode_content if asked is None else asked)
                if not self._self_decoded:
                    self._self_exchange.comes_compressed()

    def _told(self, read: Callable[..., bytes], args: Any, kwargs: Any, *, to_the_end: bool) -> bytes:
        exchange = self._self_exchange
        try:
            data = read(*args, **kwargs)
        except BaseException as error:
            with guard("wire.requests.failed"):
                exchange.fail(error)
            raise
        with guard("wire.requests.chunk"):
            exchange.feed(data)
            if to_the_end or not data:
                exchange.finish()
        return data
