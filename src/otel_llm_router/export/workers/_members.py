"""The processes of one service: who is there, and who is gone.

Room: `export.workers`. A process is a file that it holds a lock on for as long as it lives, a socket that answers for
it, and a file with the last it said. All of them bear its id, which no other process ever has.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from otel_llm_router import _file_locks, _whole_files
from otel_llm_router.export import _locks
from otel_llm_router.export.workers._ended import PART

MEMBER: Final = ".member"
SOCKET: Final = ".sock"
STATE: Final = ".state"
ENDED: Final = "ended.all"
PORT: Final = "port.lock"
JOIN: Final = "join.lock"

_NEW: Final = ".new"
_CARD_BYTES: Final = 256
_BACKLOG: Final = 16


class Member:
    """This process among those of its service, from now until it ends.

    Args:
        directory: Where they find each other.
        supervisor: Whether it only starts and stops others.

    Raises:
        OSError: there is no room, no more open files, or no right to.
    """

    def __init__(self, directory: Path, *, supervisor: bool) -> None:
        self.directory = directory
        self.identity = secrets.token_hex(4)
        self._descriptor = -1
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with _locks.locked(directory / JOIN):
                if not any(_locks.is_held(directory / f"{one}{MEMBER}") for one in members(directory)):
                    _clear(directory)  # nobody is alive: whatever is here is of an earlier life
                self._enter(supervisor=supervisor)
        except OSError:
            self.abandon()
            raise

    def _enter(self, *, supervisor: bool) -> None:
        self.socket.bind(str(self.directory / f"{self.identity}{SOCKET}"))
        self.socket.listen(_BACKLOG)
        self.socket.setblocking(False)
        new = self.directory / f"{self.identity}{_NEW}"
        self._descriptor = os.open(new, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if not _file_locks.take(self._descriptor):
            raise BlockingIOError("somebody else holds what was made just now")
        self.describe(supervisor=supervisor)
        new.rename(self.directory / f"{self.identity}{MEMBER}")

    def describe(self, *, supervisor: bool) -> None:
        """Say who this is to those who look at the directory."""
        card = {"pid": os.getpid(), "parent": os.getppid(), "supervisor": supervisor}
        os.pwrite(self._descriptor, json.dumps(card).encode().ljust(_CARD_BYTES), 0)

    def leave_behind(self, data: bytes) -> None:
        """Write what this process says, for when it is gone.

        Raises:
            OSError: there is no room, or no right to.
        """
        path = self.directory / f"{self.identity}{STATE}"
        _whole_files.replace(path, data, beside=path.with_suffix(PART))

    def leave(self) -> None:
        """Leave nothing behind if this is the last one: the service begins anew after it."""
        with suppress(OSError), _locks.locked(self.directory / JOIN):
            if not others(self.directory, self.identity)[0]:
                _clear(self.directory)

    def abandon(self) -> None:
        """Close what a forked child has of its parent's, which goes on in the parent; or what was not completed."""
        self.socket.close()
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def members(directory: Path) -> list[str]:
    """Return the ids of all that have entered, dead ones too."""
    with suppress(OSError), os.scandir(directory) as found:
        return sorted(one.name.removesuffix(MEMBER) for one in found if one.name.endswith(MEMBER))
    return []


def others(directory: Path, own: str) -> tuple[list[str], list[str]]:
    """Return the ids of the other processes, the living and the dead."""
    living: list[str] = []
    dead: list[str] = []
    for one in members(directory):
        if one != own:
            (living if _locks.is_held(directory / f"{one}{MEMBER}") else dead).append(one)
    return living, dead


def card(directory: Path, identity: str) -> Mapping[str, Any]:
    """Return what a process says of itself; nothing if that cannot be read."""
    with suppress(OSError, ValueError):
        found = json.loads((directory / f"{identity}{MEMBER}").read_bytes())
        if isinstance(found, dict):
            return found  # pyright: ignore[reportUnknownVariableType]
    return {}


def remove(directory: Path, identities: Iterable[str]) -> None:
    """Remove what processes left that have ended; the file that says that they were there goes last."""
    for identity in identities:
        for suffix in (SOCKET, STATE, PART, MEMBER):
            with suppress(OSError):
                (directory / f"{identity}{suffix}").unlink(missing_ok=True)


def _clear(directory: Path) -> None:
    for one in list(directory.iterdir()):
        if one.name not in {JOIN, PORT}:
            one.unlink(missing_ok=True)
