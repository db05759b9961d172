"""The hook on aiohttp: ``ClientSession._request``, and the reader of each answer that is watched.

Room: `instrumentation`. aiohttp's parser hands the body to a reader as it arrives from the network; of a
watched answer that reader becomes one of a class of ours with the same layout, which looks at what it is
handed. Readers of other answers stay what they are.
"""

from __future__ import annotations

import asyncio
import importlib
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from otel_llm_router.instrumentation._protocols.recognition import possible
from otel_llm_router.instrumentation.wire import _exchanges
from otel_llm_router.instrumentation.wire._exchanges import Bystander, Exchange
from otel_llm_router.telemetry.instrumenting import attached, guard

Wrapped = Callable[..., Any]


class Hooks:
    """The hooks on aiohttp.

    Args:
        module: ``aiohttp``.
    """

    def __init__(self, module: Any) -> None:
        self._reader_class: Any = module.StreamReader
        self._headers: Any = importlib.import_module("multidict").CIMultiDict
        self._exchanges: dict[int, Exchange] = {}
        exchanges, base = self._exchanges, self._reader_class

        class WatchedReader(module.StreamReader):
            """A reader whose exchange is told of what it is handed."""

            __slots__ = ()

            def feed_data(self, data: bytes, *args: Any, **kwargs: Any) -> Any:
                exchange = exchanges.get(id(self))
                if exchange is not None:
                    with guard("wire.aiohttp.chunk"):
                        exchange.feed(bytes(data))
                return base.feed_data(self, data, *args, **kwargs)

            def feed_eof(self) -> None:
                exchange = exchanges.pop(id(self), None)
                if exchange is not None:
                    with guard("wire.aiohttp.end"):
                        exchange.finish()
                base.feed_eof(self)

            def set_exception(self, exc: Any, *args: Any, **kwargs: Any) -> None:
                exchange = exchanges.pop(id(self), None)
                if exchange is not None:
                    with guard("wire.aiohttp.failed"):
                        _ended_early(exchange, exc)
                base.set_exception(self, exc, *args, **kwargs)

            def __del__(self) -> None:
                exchange = exchanges.pop(id(self), None)
                if exchange is not None:
                    with guard("wire.aiohttp.dropped"):
                        exchange.abort("stream_abandoned")

        self._reader: Any = WatchedReader

    def request(self, wrapped: Wrapped, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Awaitable[Any]:
        """``ClientSession._request``."""
        with guard("wire.aiohttp.begin"):
            exchange = self._begin(instance, args, kwargs)
            if exchange is not None:
                with guard("wire.aiohttp.inject"):
                    headers = self._headers(kwargs.get("headers") or ())
                    exchange.inject(headers)
                    kwargs = {**kwargs, "headers": headers}
                return self._request(wrapped, instance, exchange, args, kwargs)
        return wrapped(*args, **kwargs)

    def _begin(self, session: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Exchange | Bystander | None:
        given = dict(zip(("method", "str_or_url"), args, strict=False))
        method: Any = given.get("method", kwargs.get("method"))
        url: Any = given.get("str_or_url", kwargs.get("str_or_url"))
        if not isinstance(method, str) or method.upper() != "POST":
            return None
        if not possible(str(url).partition("?")[0]):
            return None
        url = session._build_url(url)  # noqa: SLF001  # the URL that it will use
        return _exchanges.notice(url.path, url.host or "", url.explicit_port, lambda: _body(kwargs))

    async def _request(
        self,
        wrapped: Wrapped,
        session: Any,
        exchange: Exchange | Bystander,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        try:
            with attached(exchange.context):
                response = await wrapped(*args, **kwargs)
        except BaseException as error:
            with guard("wire.aiohttp.failed"):
                status = getattr(error, "status", None)  # of an answer that raise_for_status turned into an error
                if isinstance(exchange, Exchange) and isinstance(status, int) and status:
                    exchange.answered(status, _header(getattr(error, "headers", None)))
                    exchange.finish()
                else:
                    exchange.fail(error)
            raise
        with guard("wire.aiohttp.answered"):
            if isinstance(exchange, Bystander):
                exchange.answered(response.status, response.headers.get)
                return response
            decoded = kwargs.get("auto_decompress")
            if decoded is None:
                decoded = getattr(session, "_auto_decompress", True)
            exchange.answered(response.status, response.headers.get, decoded=bool(decoded))
            self._watch(response.content, exchange)
        return response

    def _watch(self, reader: Any, exchange: Exchange) -> None:
        for chunk in list(getattr(reader, "_buffer", ())):  # what came with the headers
            exchange.feed(bytes(chunk))
        error = reader.exception()
        if error is not None:
            _ended_early(exchange, error)
        elif reader.is_eof():
            exchange.finish()
        elif type(reader) is self._reader_class:
            self._exchanges[id(reader)] = exchange
            reader.__class__ = self._reader
        else:  # somebody else's reader: nothing more will be seen
            exchange.finish()


def _ended_early(exchange: Exchange, error: Any) -> None:
    """Tell an answer that the application closed from one that broke or took too long."""
    cause: Any = error() if isinstance(error, type) else error
    if type(cause).__name__ == "ClientConnectionError" and str(cause) == "Connection closed":
        cause = sys.exc_info()[1]  # closed on the way out of an exception
        if not isinstance(cause, asyncio.TimeoutError):
            exchange.abort()
            return
    exchange.fail(cause)


def _body(kwargs: dict[str, Any]) -> Any:
    body: Any = kwargs.get("json")
    if body is None:
        body = kwargs.get("data")
    value: Any = getattr(body, "_value", body)  # a payload of aiohttp's holds what it was made of
    return value


def _header(headers: Any) -> Callable[[str], str | None]:
    def header(name: str) -> str | None:
        return None if headers is None else headers.get(name)

    return header
