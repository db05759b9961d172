"""A listening socket and the thread behind it: nothing but a wait until the first client comes.

Room: `export`. Only then are `h11` and asyncio imported and an event loop begun, which many a process never needs.
The loop is of our own choosing: a policy that the application has set meanwhile (uvloop's) is none of ours.
"""

from __future__ import annotations

import contextlib
import functools
import selectors
import socket
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from otel_llm_router.export._late import importing
from otel_llm_router.export._messages import Handler

if TYPE_CHECKING:
    from ssl import SSLContext

BACKLOG: Final = 256
"""Connections that may wait to be accepted."""


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens on ``host`` and ``port``.

    Raises:
        OSError: the address is taken, or not ours to take.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(BACKLOG)
    except OSError:
        listening.close()
        raise
    return listening


class Runner:
    """Serves a listening socket, to be run in a thread and stopped from any other.

    Args:
        handler: Answers each request.
        listening: Where to serve; closed at the end.
        tls: Makes the TLS context of each connection; None for plain HTTP.

    Raises:
        OSError: the process can have no more open files; ``listening`` is closed.
    """

    def __init__(self, handler: Handler, listening: socket.socket, tls: Callable[[], SSLContext] | None = None) -> None:
        self._handler = handler
        self._tls = tls
        self._listening = listening
        self._lock = threading.Lock()
        self._stopped = False
        with contextlib.ExitStack() as until_complete:
            until_complete.push(listening)
            self._bell, self._rope = socket.socketpair()
            until_complete.push(self._bell)
            until_complete.push(self._rope)
            # Made now: what an application puts in the place of `selectors` later is none of ours.
            self._selector = selectors.DefaultSelector()
            until_complete.pop_all()
        self._stop: Callable[[], object] = functools.partial(self._rope.send, b"\0")

    def run(self) -> None:
        """Serve until `stop` is called, which may already have been."""
        try:
            if self._somebody_came():
                self._serve()
        finally:
            with self._lock:
                self._stop = _nothing
            for one in (self._selector, self._bell, self._rope, self._listening):
                one.close()

    def stop(self) -> None:
        """Let `run` come to its end."""
        with self._lock:
            self._stopped = True
            with contextlib.suppress(RuntimeError, OSError):  # it has ended
                self._stop()

    def abandon(self) -> None:
        """Close what a forked child has of it, and nothing more: what the system keeps of it is the parent's too."""
        for one in (self._selector, self._bell, self._rope, self._listening):
            with contextlib.suppress(OSError):
                one.close()

    def _somebody_came(self) -> bool:
        """Wait for the first connection, which is left to be accepted; false when it is `stop` that came."""
        self._selector.register(self._listening, selectors.EVENT_READ)
        self._selector.register(self._bell, selectors.EVENT_READ)
        self._selector.select()
        self._selector.unregister(self._listening)
        self._selector.unregister(self._bell)
        return not self._stopped

    def _serve(self) -> None:
        with importing():
            import asyncio  # noqa: PLC0415  # see the module

            from otel_llm_router.export import _http  # noqa: PLC0415

        async def main() -> None:
            stop, loop = asyncio.Event(), asyncio.get_running_loop()
            with self._lock:
                self._stop = functools.partial(loop.call_soon_threadsafe, stop.set)
                if self._stopped:
                    return
            await _http.HttpServer(self._handler, self._tls).serve(self._listening, stop)

        loop = asyncio.SelectorEventLoop(self._selector)
        try:
            loop.run_until_complete(main())
        finally:
            loop.run_until_complete(_http.close_all())
            loop.close()


def _nothing() -> None:
    """Stop what has ended."""
