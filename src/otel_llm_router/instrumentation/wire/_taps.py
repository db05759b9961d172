"""Streams of bytes that pass an exchange by on their way to the application.

Room: `instrumentation`. Each chunk is handed on as it comes, the very object; nothing is read before the
application asks for it. A stream ends its exchange when it is exhausted, closed, dropped, or raises.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

from otel_llm_router.instrumentation.wire._exchanges import Exchange
from otel_llm_router.telemetry.instrumenting import guard


class _Tap:
    """What both kinds share.

    Args:
        stream: What the HTTP library reads from.
        exchange: Told of what passes.
    """

    def __init__(self, stream: Any, exchange: Exchange) -> None:
        self._stream = stream
        self._exchange = exchange
        self._iterator: Any = None

    def _passes(self, data: Any) -> None:
        with guard("wire.stream.chunk"):
            self._exchange.feed(data)

    def _exhausted(self) -> None:
        with guard("wire.stream.end"):
            self._exchange.finish()

    def _failed(self, error: BaseException) -> None:
        with guard("wire.stream.failed"):
            self._exchange.fail(error)

    def _closed(self) -> None:
        with guard("wire.stream.close"):
            self._exchange.abort()

    def __getattr__(self, name: str) -> Any:
        if name == "_stream":  # of a copy that is not complete yet
            raise AttributeError(name)
        return getattr(self._stream, name)

    def __del__(self) -> None:
        with guard("wire.stream.dropped"):
            exchange: Exchange | None = self.__dict__.get("_exchange")
            if exchange is not None and exchange.live:
                exchange.abort("stream_abandoned")


class SyncTap(_Tap):
    """A stream that is read with ``for``."""

    def __iter__(self) -> Iterator[Any]:
        self._iterator = iter(self._stream)
        return self

    def __next__(self) -> Any:
        try:
            data = next(self._iterator)
        except StopIteration:
            self._exhausted()
            raise
        except BaseException as error:
            self._failed(error)
            raise
        self._passes(data)
        return data

    def close(self) -> None:
        """Close the stream."""
        try:
            self._stream.close()
        finally:
            self._closed()


class AsyncTap(_Tap):
    """A stream that is read with ``async for``."""

    def __aiter__(self) -> AsyncIterator[Any]:
        self._iterator = self._stream.__aiter__()
        return self

    async def __anext__(self) -> Any:
        try:
            data = await self._iterator.__anext__()
        except StopAsyncIteration:
            self._exhausted()
            raise
        except BaseException as error:
            self._failed(error)
            raise
        self._passes(data)
        return data

    async def aclose(self) -> None:
        """Close the stream."""
        try:
            await self._stream.aclose()
        finally:
            self._closed()
