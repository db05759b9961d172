"""Where lines are written: files that several processes share, or what the process has for its output.

Room: `logs`. Lines of one stream come in, in the one thread that writes; they are written when a call returns.

Files are rotated by concurrent-log-handler: each batch is appended, and a full file renamed, under a lock that all processes of a
service take. The standard library's handlers know nothing of each other: with several worker processes, one renames what the others
still write to.
"""

from __future__ import annotations

import contextlib
import logging
import os
import stat
import sys
from collections.abc import Generator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from otel_llm_router.logs._rotating import Rotating

STANDARD: Final = {"stdout": 1, "stderr": 2}
"""Names that stand for what the process has for its output, and the descriptor of each."""
SUFFIX: Final = ".log"


class Place(Protocol):
    """Where lines are written."""

    terminal: bool
    """Whether somebody may be reading along."""
    shared: bool
    """Whether all streams are written to the same one."""

    def write(self, stream: str, lines: Sequence[str]) -> None:
        """Write whole lines.

        Raises:
            OSError: they could not be written.
        """
        ...

    def begin_again(self) -> None:
        """Hold nothing that a parent process holds, in a forked child."""
        ...


def place(where: str, *, max_bytes: int, backups: int) -> Place:
    """Return the place that an option names.

    Args:
        where: ``stdout``, ``stderr``, a file, or a directory: one that exists, or a path that ends with a slash.
        max_bytes: Bytes from which on a file is rotated; 0 never does.
        backups: How many rotated files are kept.
    """
    if where in STANDARD:
        return Output(STANDARD[where])
    return Files(where, max_bytes=max_bytes, backups=backups)


def is_directory(where: str) -> bool:
    """Whether a path stands for a directory, in which each stream has a file of its own."""
    return where.endswith(("/", os.sep)) or Path(where).is_dir()


class Output:
    """Standard output or standard error.

    Args:
        descriptor: Which.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.terminal = os.isatty(descriptor)
        self.shared = True

    def write(self, stream: str, lines: Sequence[str]) -> None:  # noqa: ARG002  # one for all streams
        """Write lines, each with one call as far as it goes: processes share what they write to."""
        with _alone(self._descriptor):
            for line in lines:
                data = f"{line}\n".encode("utf-8", "replace")
                while data:
                    data = data[os.write(self._descriptor, data) :]

    def begin_again(self) -> None:
        """Hold nothing."""


class Files:
    """A file for all streams, or in a directory one for each.

    Args:
        where: Path of the file or directory.
        max_bytes: Bytes from which on a file is rotated; 0 never does.
        backups: How many rotated files are kept.
    """

    terminal = False

    def __init__(self, where: str, *, max_bytes: int, backups: int) -> None:
        from otel_llm_router.logs._rotating import Rotating  # noqa: PLC0415  # where files are written; not at the exit

        self._make = partial(Rotating, max_bytes=max_bytes, backups=backups)
        self._where = Path(where).expanduser()
        self.shared = not is_directory(where)
        self._open: dict[Path, Rotating] = {}
        self._taken: set[Path] = set()

    def path(self, stream: str) -> Path:
        """Return the file that a stream is written to; another one where the application writes to it itself."""
        found = self._where / f"{stream}{SUFFIX}" if not self.shared else self._where
        if found not in self._open and _is_open(found):
            self._taken.add(found)
        if found in self._taken or _is_taken(found):
            return found.with_name(f"{found.stem}.llm_router{found.suffix}")
        return found

    def write(self, stream: str, lines: Sequence[str]) -> None:
        """Append lines to the stream's file."""
        path = self.path(stream)
        rotating = self._open.get(path)
        if rotating is None:
            path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
            rotating = self._open[path] = self._make(path)
        rotating.append(lines)

    def begin_again(self) -> None:
        """Open files anew: a lock that is inherited is no lock against who it is inherited from."""
        inherited, self._open = self._open, {}
        for rotating in inherited.values():
            rotating.forget()


def _is_taken(path: Path) -> bool:
    """Whether a handler of the application's writes to a file, and may rotate it in its own way."""
    wanted = str(path.absolute())
    known = [logging.root, *logging.root.manager.loggerDict.values()]
    return any(
        isinstance(handler, logging.FileHandler) and handler.baseFilename == wanted
        for logger in known
        if isinstance(logger, logging.Logger)
        for handler in logger.handlers
    )


def _is_open(path: Path) -> bool:
    """Whether this process writes to a file already, in some other way, as far as the system tells."""
    with contextlib.suppress(OSError):
        wanted = path.stat()
        for descriptor in os.listdir("/proc/self/fd") if stat.S_ISREG(wanted.st_mode) else ():  # noqa: PTH208  # numbers
            with contextlib.suppress(OSError, ValueError):
                found = os.fstat(int(descriptor))
                if (found.st_dev, found.st_ino) == (wanted.st_dev, wanted.st_ino):
                    return True
    return False


if sys.platform != "win32":
    import fcntl

    @contextlib.contextmanager
    def _alone(descriptor: int) -> Generator[None]:
        """Keep other processes of ours from writing meanwhile, where the system knows how."""
        locked = False
        with contextlib.suppress(OSError):
            fcntl.lockf(descriptor, fcntl.LOCK_EX)
            locked = True
        try:
            yield
        finally:
            if locked:
                with contextlib.suppress(OSError):
                    fcntl.lockf(descriptor, fcntl.LOCK_UN)
else:

    @contextlib.contextmanager
    def _alone(descriptor: int) -> Generator[None]:  # noqa: ARG001
        yield
