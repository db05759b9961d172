"""The audit file that all processes of a service append to: one chain, one lock.

Room: `logs`. Fields of records come in; they are on disk when `Chain.append` returns. Nothing is ever written over or
cut off: what a killed process left half written stays, and the next record says so. The lock is the head's, and the
system drops it with its holder.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from otel_llm_router import _file_locks
from otel_llm_router.logs.audit import _ending, _head, _resuming
from otel_llm_router.logs.audit._head import Head
from otel_llm_router.logs.audit._record import Place, Seal

LOCK_SECONDS: Final = 10.0
"""How long another process may hold the lock; each holds it for one write to the disk."""
_LOOK_SECONDS: Final = 0.002

Fields = Mapping[str, Any]
Own = Callable[[str, Mapping[str, Any]], Fields]
"""Makes the fields of a record about the file itself: what happened, and its attributes."""


class AppendError(OSError):
    """Records could not be written.

    Args:
        done: How many of them are on disk all the same.
        cause: Why.
    """

    def __init__(self, done: int, cause: OSError) -> None:
        super().__init__(cause.errno, cause.strerror or str(cause))
        self.done = done


class Chain:
    """One audit file.

    Args:
        path: The file; made with its directory, for this user alone, if need be.
        seal: Makes the hashes.
        limit: Bytes after which the file is put aside and another begun.
        own: Makes the fields of records about the file itself.
    """

    def __init__(self, path: Path, seal: Seal, *, limit: int, own: Own) -> None:
        self.path = path
        self._seal = seal
        self._limit = limit
        self._own = own
        self._open: list[int] = []
        self.last: tuple[str, Place] | None = None
        """Chain and place of the last record that this process wrote."""

    def append(self, entries: Sequence[Fields]) -> None:
        """Append records, and return when they are on disk.

        Raises:
            AppendError: they are not, or not all.
            ValueError: one has no canonical form; nothing was written.
        """
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._locked() as head:
                self._append(head, entries)
        except AppendError:
            raise
        except OSError as error:
            raise AppendError(0, error) from error

    def in_child(self) -> None:
        """Close what a forked child has of a write that goes on in its parent."""
        for descriptor in self._open:
            with suppress(OSError):
                os.close(descriptor)
        self._open = []
        self.last = None

    @contextmanager
    def _locked(self) -> Generator[int]:
        """Open and lock the head; yield its descriptor."""
        deadline = time.monotonic() + LOCK_SECONDS
        path = self.path.with_name(self.path.name + _head.SUFFIX)
        with self._opened(path, os.O_RDWR | os.O_CREAT) as descriptor:
            while not _file_locks.take(descriptor):
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{path} is held by another process")
                time.sleep(_LOOK_SECONDS)
            try:
                yield descriptor
            finally:
                _file_locks.release(descriptor)

    @contextmanager
    def _opened(self, path: Path, flags: int) -> Generator[int]:
        descriptor = os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        self._open.append(descriptor)
        try:
            yield descriptor
        finally:
            self._open.remove(descriptor)
            os.close(descriptor)

    def _append(self, head: int, entries: Sequence[Fields]) -> None:
        known, trouble = self._head(head)
        if known is not None and known.key != self._seal.key_id:
            _resuming.put_aside(self.path, known.chain)
        size = 0
        with self._opened(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT) as file:
            found = _resuming.resume(
                _ending.look(file, {self._seal.key_id: self._seal}), known, trouble, self._seal.key_id
            )
            chain = found.chain or secrets.token_hex(8)
            own = [self._own(name, attributes) for name, attributes in found.said]
            place = found.place
            lines: list[bytes] = []
            places: list[Place] = []
            for fields in (*own, *entries):
                line, place = self._seal.line(fields, chain, place)
                lines.append(line)
                places.append(place)
            floor = found.place
            Head(chain, self._seal.key_id, floor, place).write(head, self._seal)
            os.fsync(head)
            done, error = _write(file, found.prefix, lines)
            os.fsync(file)
            if found.opens:
                _resuming.sync_directory(self.path)
            if done:
                floor = places[done - 1]
                Head(chain, self._seal.key_id, floor, place).write(head, self._seal)
                self.last = chain, floor
            if error is not None:
                raise AppendError(max(0, done - len(own)), error)
            size = os.fstat(file).st_size
        if size >= self._limit:
            _resuming.put_aside(self.path, chain)

    def _head(self, descriptor: int) -> tuple[Head | None, str]:
        content = os.pread(descriptor, _head.SIZE, 0)
        if not content:
            return None, _resuming.MISSING
        try:
            head, mac = _head.parse(content)
        except _head.HeadError:
            return None, _resuming.DAMAGED
        if head.key == self._seal.key_id and not _head.sealed(head, mac, self._seal):
            return None, _resuming.DAMAGED
        return head, ""


def _write(descriptor: int, prefix: bytes, lines: Sequence[bytes]) -> tuple[int, OSError | None]:
    """Write what it can; return how many lines are there as a whole, and what kept the rest."""
    data = prefix + b"".join(lines)
    written, error = 0, None
    try:
        while written < len(data):
            written += os.write(descriptor, data[written:])
    except OSError as caught:
        error = caught
    done, end = 0, len(prefix)
    for line in lines:
        end += len(line)
        if end - 1 > written:  # a line that lacks its newline alone is whole: the next write begins with one
            break
        done += 1
    return done, error


@contextmanager
def shared(path: Path) -> Generator[None]:
    """Hold the lock of the file at ``path`` as a reader, where it has a head that can be read and is free soon."""
    try:
        descriptor = os.open(path.with_name(path.name + _head.SUFFIX), os.O_RDONLY)
    except OSError:
        yield
        return
    try:
        deadline = time.monotonic() + LOCK_SECONDS
        while not _file_locks.take(descriptor, shared=True) and time.monotonic() < deadline:
            time.sleep(_LOOK_SECONDS)
        yield
    finally:
        os.close(descriptor)
