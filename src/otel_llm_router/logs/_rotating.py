"""One file that several processes append to, and rotate when it is full.

Room: `logs`. Lines come in; they are in the file, each once and whole, when a call returns.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from concurrent_log_handler import ConcurrentRotatingFileHandler

MODE: Final = 0o640
"""Permissions of a file: what is logged is not everybody's business."""


class Rotating:
    """One file.

    Args:
        path: Of the file.
        max_bytes: Bytes from which on it is renamed and another begun; 0 never.
        backups: How many renamed files are kept.
    """

    def __init__(self, path: Path, *, max_bytes: int, backups: int) -> None:
        self._handler = _Handler(
            str(path),
            maxBytes=max_bytes,
            backupCount=backups,
            encoding="utf-8",
            chmod=MODE,
            newline="",
        )

    def append(self, lines: Sequence[str]) -> None:
        """Append lines.

        Raises:
            OSError: they could not be written, or not all of them.
        """
        self._handler.emit(logging.LogRecord("", 0, "", 0, "\n".join(lines), None, None))

    def forget(self) -> None:
        """Let go of the files without a trace, in a forked child.

        What the parent was about to write must not be written by the child as well, and its lock must not outlive it.
        """
        nowhere = os.open(os.devnull, os.O_RDWR)
        for file in (self._handler.stream, self._handler.stream_lock):
            with contextlib.suppress(OSError, ValueError):
                if file is not None:
                    os.dup2(nowhere, file.fileno())
        os.close(nowhere)


class _Handler(ConcurrentRotatingFileHandler):
    """The library's handler, for whole batches: what fails is raised, and a line that was torn ends before the next one begins."""

    def format(self, record: logging.LogRecord) -> str:
        return str(record.msg)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802  # the library's name
        with contextlib.suppress(Exception):
            self.close()  # what it could not write would be written again
        raise  # noqa: PLE0704  # called while the error is handled

    def do_write(self, msg: str) -> None:
        """Write while the lock is held; a process that was killed in the midst of it left no end of line."""
        super().do_write(msg if self._ends() else f"\n{msg}")

    def _ends(self) -> bool:
        with contextlib.suppress(OSError), open(self.baseFilename, "rb") as file:  # noqa: PTH123  # it is text
            if file.seek(0, os.SEEK_END):
                file.seek(-1, os.SEEK_END)
                return file.read(1) == b"\n"
        return True
