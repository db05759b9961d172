"""Files that hold secrets, read again when they change.

Room: `export`. Certificates, tokens and passwords are rotated under a running process.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Generic, TypeVar

T = TypeVar("T")

_logger = logging.getLogger("otel_llm_router")

LOOK_SECONDS: Final = 1.0
"""Seconds between two looks at whether a file has changed."""


watchers: Final[list[Callable[[Path, bool], object]]] = []
"""Told of each file that has changed, and whether it can be used."""


class Watched(Generic[T]):
    """What was last read from a file; while it cannot be read, what it was before.

    Args:
        path: The file.
        read: Makes something of its bytes; a ValueError says in what way they are wrong, without repeating them.

    Raises:
        OSError: the file cannot be read the first time.
        ValueError: its content is wrong the first time.
    """

    def __init__(self, path: str, read: Callable[[bytes], T]) -> None:
        self._path = Path(path)
        self._read = read
        self._lock = threading.Lock()
        self._stamp = self._stamped()
        self._value = read(self._path.read_bytes())
        self._looked = time.monotonic()
        self.generation = 0
        """Grows by one with each change."""

    def __call__(self) -> T:
        """Return the value of now."""
        with self._lock:
            now = time.monotonic()
            if now - self._looked >= LOOK_SECONDS:
                self._looked = now
                self._look()
            return self._value

    def _look(self) -> None:
        try:
            stamp = self._stamped()
            if stamp != self._stamp:
                self._stamp = stamp
                self._value = self._read(self._path.read_bytes())
                self.generation += 1
                self._tell(usable=True)
        except (OSError, ValueError) as error:
            _logger.warning(
                "otel-llm-router: %s has changed and cannot be used; what it held before goes on to hold: %s",
                self._path,
                error.strerror if isinstance(error, OSError) else error,
            )

            self._tell(usable=False)

    def _tell(self, *, usable: bool) -> None:
        for tell in watchers:
            tell(self._path, usable)

    def _stamped(self) -> tuple[int, int, int]:
        found = self._path.stat()
        return found.st_ino, found.st_mtime_ns, found.st_size
