"""Requests of one process on disk, a file for each.

Room: `export`. A file appears whole, under the name that says what is in it, or not at all: there is no tail that can
be torn, and what has been delivered is removed with one call. Nothing is kept open that a forked child could harm but
the lock, which says whose requests these are; that is why this is no database. Written without fsync: what is here
survives the process, however it ends; after a power cut the checksum tells what did not survive it.
"""

from __future__ import annotations

import os
import zlib
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from otel_llm_router import _whole_files
from otel_llm_router.export import _locks

LOCK: Final = "lock"
_MAGIC: Final = b"OLR1"
_CHECKSUM: Final = 4
_PART: Final = ".part"
_BLOCK: Final = 4096
_LEVEL: Final = 1


class DamagedError(Exception):
    """A file does not hold what was written to it."""


@dataclass(eq=False)
class Kept:
    """A request on disk.

    Args:
        box: Where it is.
        number: Its place in the order.
        lane: Who delivers it.
        count: Records in it.
        size: Bytes of disk that it takes.
        sent: It was sent whole once, and nobody answered.
        alone: It is a part of one that was too large, and is not put together with others again.
    """

    box: Outbox
    number: int
    lane: str
    count: int
    size: int
    sent: bool = False
    alone: bool = False

    @property
    def path(self) -> Path:
        """Its file."""
        return self.box.path / f"{self.number:012d}.{self.lane}.{self.count}"


class Outbox:
    """The requests of one process; whoever makes this holds its lock.

    Args:
        path: Its directory.
        descriptor: Holds the lock.
        limit: Bytes that a request has at most.
    """

    def __init__(self, path: Path, descriptor: int, limit: int) -> None:
        self.path = path
        self.lanes: dict[str, deque[Kept]] = {}
        self.used = 0
        self.requests = 0
        self._descriptor = descriptor
        self._limit = limit
        self._next = 0
        self._read()

    def _read(self) -> None:
        found: list[Kept] = []
        for name in os.listdir(self.path):  # noqa: PTH208  # names
            if name.endswith(_PART):
                with suppress(OSError):
                    (self.path / name).unlink()
                continue
            number, _, rest = name.partition(".")
            lane, _, count = rest.partition(".")
            if number.isdecimal() and lane and count.isdecimal():
                with suppress(OSError):
                    size = _blocks((self.path / name).stat().st_size)
                    found.append(Kept(self, int(number), lane, int(count), size))
        for one in sorted(found, key=lambda kept: kept.number):
            self.lanes.setdefault(one.lane, deque()).append(one)
        self._next = 1 + max((one.number for one in found), default=0)
        self.requests = len(found)
        self.used = sum(one.size for one in found)
        self._announce(self.used)

    def reserve(self, content: bytes) -> tuple[bytes, int]:
        """Say that a request is going to be written.

        Returns:
            What `write` takes, and the bytes of disk that it will take.
        """
        packed = zlib.compress(content, _LEVEL)
        data = _MAGIC + zlib.crc32(packed).to_bytes(_CHECKSUM, "big") + packed
        size = _blocks(len(data))
        self._announce(self.used + size)
        return data, size

    def write(self, data: bytes, size: int, lane: str, count: int) -> Kept:
        """Write a request; it is nobody's turn to send it until `put`.

        Raises:
            OSError: it cannot be written, and nothing of it is there.
        """
        kept = Kept(self, self._next, lane, count, size)
        self._next += 1
        beside = kept.path.with_name(f"{kept.number:012d}{_PART}")
        try:
            _whole_files.replace(kept.path, data, beside=beside)
        except OSError:
            self._announce(self.used)
            raise
        self.used += size
        self.requests += 1
        return kept

    def give_up(self) -> None:
        """Take back what `reserve` said."""
        self._announce(self.used)

    def put(self, kept: Kept, *, first: bool) -> None:
        """Let a request wait for its turn, before or behind the others."""
        waiting = self.lanes.setdefault(kept.lane, deque())
        if first:
            waiting.appendleft(kept)
        else:
            waiting.append(kept)

    def read(self, kept: Kept) -> bytes:
        """Return a request.

        Raises:
            DamagedError: it is not what was written.
            OSError: it cannot be read.
        """
        descriptor = os.open(kept.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with open(descriptor, "rb", buffering=0) as source:  # noqa: PTH123  # of a descriptor
            data = source.read(2 * self._limit)
        packed = data[len(_MAGIC) + _CHECKSUM :]
        whole = data[: len(_MAGIC) + _CHECKSUM] == _MAGIC + zlib.crc32(packed).to_bytes(_CHECKSUM, "big")
        if not whole:
            raise DamagedError
        inflating = zlib.decompressobj()
        content = inflating.decompress(packed, self._limit + 1)
        if not inflating.eof:
            raise DamagedError
        return content

    def remove(self, kept: Kept, to: Path | None = None) -> None:
        """Remove a request, or set it aside."""
        with suppress(OSError):
            if to is None:
                kept.path.unlink()
            else:
                kept.path.rename(to)
        self.used -= kept.size
        self.requests -= 1
        self._announce(self.used)

    def close(self) -> None:
        """Let another process have it; remove it when nothing is left."""
        if not self.requests:
            with suppress(OSError):
                (self.path / LOCK).unlink()
                self.path.rmdir()
        self.abandon()

    def abandon(self) -> None:
        """Close what a forked child has of its parent's."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _announce(self, used: int) -> None:
        """Tell the other processes of the service how much this takes; before it is taken, and after it is given back."""
        with suppress(OSError):
            os.pwrite(self._descriptor, b"%020d" % used, 0)


def opened(path: Path, limit: int) -> Outbox | None:
    """Return the outbox at ``path`` if no other process has it.

    Raises:
        OSError: it cannot be used.
    """
    descriptor = _locks.hold(path / LOCK)
    if descriptor is None:
        return None
    try:
        return Outbox(path, descriptor, limit)
    except BaseException:
        os.close(descriptor)
        raise


def announced(path: Path) -> int:
    """Return how much disk the outbox at ``path`` takes, as its process has said."""
    try:
        return int((path / LOCK).read_bytes() or b"0")
    except (OSError, ValueError):
        return 0


def _blocks(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK
