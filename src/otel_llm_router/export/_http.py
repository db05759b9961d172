"""A small HTTP server for one thread: `h11` reads and writes HTTP, asyncio the sockets.

Room: `export`. It lives inside somebody else's process, so it shares nothing with it: no logger, no
signal handler, no event loop. Every connection has deadlines, and there are never more than a fixed
number: the one that has been idle for longest makes room for a new one. Those that are being answered
are not idle, as long as they leave half the room to the others.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from ssl import SSLContext
from typing import Final

import h11

from otel_llm_router.export._messages import Handler, Request, Response

MAX_CONNECTIONS: Final = 256
HEADER_SECONDS: Final = 10.0
"""A connection that has not sent a whole request for so long is closed."""
WRITE_SECONDS: Final = 10.0
"""A client that has not read a whole answer for so long is cut off."""
STALL_SECONDS: Final = 3.0
"""A client that has read nothing of what waits for it for so long is cut off: the answer is kept for it."""
ACCEPT_PAUSE: Final = 0.5
"""Seconds without accepting when the process can have no more open files."""
MAX_HEADER_BYTES: Final = 16 * 1024
CHUNK: Final = 64 * 1024
"""An answer is written in pieces of this size, so that slow readers do not each hold a copy of it."""


class HttpServer:
    """Serves a handler on a listening socket, inside a running event loop.

    Args:
        handler: Answers each request; what it raises is its own to handle.
        tls: Makes the TLS context of each connection; None for plain HTTP.
    """

    def __init__(self, handler: Handler, tls: Callable[[], SSLContext] | None = None) -> None:
        self._handler = handler
        self._tls = tls
        # Each in the order of their coming; the task to cancel for each connection.
        self._idle: dict[asyncio.Task[None], None] = {}
        self._answering: dict[asyncio.Task[None], None] = {}

    async def serve(self, listening: socket.socket, stop: asyncio.Event) -> None:
        """Serve until ``stop`` is set, then close every connection."""
        listening.setblocking(False)
        accepting = asyncio.create_task(self._accept(listening))
        try:
            await stop.wait()
        finally:
            for task in (accepting, *self._idle, *self._answering):
                task.cancel()

    async def _accept(self, listening: socket.socket) -> None:
        # Not asyncio's own server: that one knows nothing of a connection until its TLS handshake is over.
        loop = asyncio.get_running_loop()
        while True:
            try:
                accepted, _ = await loop.sock_accept(listening)
            except OSError:  # out of files; those that time out are given back
                await asyncio.sleep(ACCEPT_PAUSE)
                continue
            if len(self._idle) + len(self._answering) >= MAX_CONNECTIONS:
                self._make_room()
            task = loop.create_task(self._connected(accepted))
            self._idle[task] = None
            task.add_done_callback(lambda task, accepted=accepted: self._gone(task, accepted))

    def _make_room(self) -> None:
        crowded = not self._idle or len(self._answering) > MAX_CONNECTIONS // 2
        those = self._answering if crowded else self._idle
        task = next(iter(those))
        del those[task]
        task.cancel()

    def _gone(self, task: asyncio.Task[None], accepted: socket.socket) -> None:
        self._idle.pop(task, None)
        self._answering.pop(task, None)
        if task.cancelled():  # before it began, nobody else has closed it
            accepted.close()

    async def _connected(self, accepted: socket.socket) -> None:
        task = asyncio.current_task()
        if task is None:
            return
        try:
            reader, writer = await self._opened(accepted)
        except (asyncio.CancelledError, asyncio.TimeoutError, OSError):
            accepted.close()  # it was slow, idle, gone or no TLS
            return
        try:
            await self._converse(task, reader, writer)
        except (asyncio.CancelledError, asyncio.TimeoutError, OSError, h11.RemoteProtocolError):
            pass  # it was slow, idle, gone or no HTTP
        finally:
            writer.transport.abort()

    async def _opened(self, accepted: socket.socket) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        loop = asyncio.get_running_loop()
        accepted.setblocking(False)
        reader = asyncio.StreamReader(limit=MAX_HEADER_BYTES)
        protocol = asyncio.StreamReaderProtocol(reader)
        transport, _ = await loop.connect_accepted_socket(
            lambda: protocol,
            accepted,
            ssl=None if self._tls is None else self._tls(),
            ssl_handshake_timeout=None if self._tls is None else HEADER_SECONDS,
        )
        transport.set_write_buffer_limits(0)  # one piece waits for a slow reader, and no second one
        return reader, asyncio.StreamWriter(transport, protocol, reader, loop)

    async def _converse(
        self, task: asyncio.Task[None], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEADER_BYTES)
        while True:
            try:
                request = await asyncio.wait_for(_receive(connection, reader), HEADER_SECONDS)
            except h11.RemoteProtocolError as error:
                await self._send(connection, writer, _refusal(error), head=False)
                return
            if request is None:
                return
            self._idle.pop(task, None)
            self._answering[task] = None
            response = await self._handler(request)
            await self._send(connection, writer, response, head=request.method == "HEAD")
            if connection.our_state is not h11.DONE or connection.their_state is not h11.DONE:
                return
            connection.start_next_cycle()
            self._answering.pop(task, None)
            self._idle[task] = None

    async def _send(
        self, connection: h11.Connection, writer: asyncio.StreamWriter, response: Response, *, head: bool
    ) -> None:
        if connection.our_state not in {h11.IDLE, h11.SEND_RESPONSE}:
            return
        headers = {
            "content-type": response.content_type,
            "content-length": str(len(response.body)),
            "cache-control": "no-store",
            **response.headers,
        }
        start = connection.send(h11.Response(status_code=response.status, headers=list(headers.items())))
        writer.write(start)
        body = b"" if head else response.body
        loop, task = asyncio.get_running_loop(), asyncio.current_task()

        async def rest() -> None:
            for begin in range(0, len(body), CHUNK):
                writer.write(connection.send(h11.Data(data=body[begin : begin + CHUNK])))
                stalled = loop.call_later(STALL_SECONDS, task.cancel) if task is not None else None
                await writer.drain()
                if stalled is not None:
                    stalled.cancel()
            end = connection.send(h11.EndOfMessage())
            writer.write(end)
            await writer.drain()

        await asyncio.wait_for(rest(), WRITE_SECONDS)


async def _receive(connection: h11.Connection, reader: asyncio.StreamReader) -> Request | None:
    """Read one request to its end; None when the client has gone."""
    request: Request | None = None
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await reader.read(CHUNK))
        elif isinstance(event, h11.Request):
            headers: dict[str, str] = {}
            for raw_name, raw_value in event.headers:
                name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
                headers[name] = f"{headers[name]}, {value}" if name in headers else value
            path, _, query = event.target.decode("latin-1").partition("?")
            request = Request(event.method.decode("latin-1"), path, headers, query)
        elif isinstance(event, h11.EndOfMessage):
            return request
        elif isinstance(event, h11.ConnectionClosed) or event is h11.PAUSED:
            return None


def _refusal(error: h11.RemoteProtocolError) -> Response:
    status = error.error_status_hint
    return Response(status, b"this is not a request that is understood here\n", "text/plain; charset=utf-8")


async def close_all() -> None:
    """End every task of the running loop but this one, and let the loop close what they leave behind."""
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
    await asyncio.sleep(0)  # a connection that is cut off is closed in the loop's next round
