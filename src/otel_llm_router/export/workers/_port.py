"""The one process that has the port.

Room: `export.workers`. Who holds the lock may listen; the system hands the lock on when its holder ends, however it
ends. The lock is kept while a stranger has the port, which is tried again and again.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

from otel_llm_router.export import _locks
from otel_llm_router.export.workers._members import PORT


class Server(Protocol):
    """What listens on the port."""

    def start(self) -> str | None:
        """Begin to listen; return the URL, or None when the port is not to be had."""
        ...

    def stop(self) -> None:
        """Free the port."""
        ...

    def abandon(self) -> None:
        """Close what a forked child has of it."""
        ...


class Port:
    """The port and the right to it.

    Args:
        directory: Where the processes find each other.
        server: What listens; None where there is only the right to be had.
    """

    def __init__(self, directory: Path, server: Server | None) -> None:
        self._path = directory / PORT
        self._server = server
        self._descriptor: int | None = None
        self.url: str | None = None
        """Where it listens, if it does."""

    @property
    def ours(self) -> bool:
        """Whether this process has the right to it."""
        return self._descriptor is not None

    def take(self) -> bool:
        """Take the right if nobody has it, and the port if it is free; return whether the right is newly ours.

        Raises:
            OSError: the lock cannot be had at all.
        """
        new = False
        if self._descriptor is None:
            self._descriptor = _locks.hold(self._path)
            new = self._descriptor is not None
        if self._descriptor is not None and self.url is None and self._server is not None:
            self.url = self._server.start()
        return new

    def give_up(self) -> None:
        """Free the port, then the right to it."""
        if self.url is not None and self._server is not None:
            self._server.stop()
            self.url = None
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def abandon(self) -> None:
        """Close what a forked child has of its parent's: with it, nobody could follow the parent."""
        if self._server is not None:
            self._server.abandon()
        self.url = None
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
