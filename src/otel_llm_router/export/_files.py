"""Files that hold secrets, read again when they change.

Room: `export`. Certificates, tokens and passwords are rotated under a running process.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Generic, TypeVar

T = TypeVar("T")

_logger = logging.getLogger("otel_llm_router")

LOOK_SECONDS: Final = 1.0
"""Seconds between two looks at whether a file has changed."""


watchers: Final[list[Callable[[Path, bool], object]]] = []
"""Told of each file that has changed, and whether it can be used."""


class Watching(Generic[T]):
    """What was last made of some files; while that cannot be done, what it was before.

    Args:
        paths: The files.
        make: Makes something of them; a ValueError says in what way they are wrong, without repeating them.

    Raises:
        OSError: a file cannot be read the first time.
        ValueError: its content is wrong the first time.
    """

    def __init__(self, paths: Sequence[str], make: Callable[[], T]) -> None:
        self._paths = [Path(path) for path in paths]
        self._make = make
        self._lock = threading.Lock()
        self._stamp = self._stamped()
        self._value = make()
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
                self._value = self._make()
                self.generation += 1
                self._tell(usable=True)
        except (OSError, ValueError) as error:
            what = error.strerror or type(error).__name__ if isinstance(error, OSError) else error
            _logger.warning(
                "otel-llm-router: %s: changed and cannot be used; what was there before goes on to hold: %s",
                ", ".join(map(str, self._paths)),
                what,
            )
            self._tell(usable=False)

    def _tell(self, *, usable: bool) -> None:
        for tell in watchers:
            for path in self._paths:
                tell(path, usable)

    def _stamped(self) -> list[tuple[int, int, int]]:
        found = (path.stat() for path in self._paths)
        return [(one.st_ino, one.st_mtime_ns, one.st_size) for one in found]


class Watched(Watching[T]):
    """What was last read from a file; see `Watching`.

    Args:
        path: The file.
        read: Makes something of its bytes.
    """

    def __init__(self, path: str, read: Callable[[bytes], T]) -> None:
        super().__init__([path], lambda: read(Path(path).read_bytes()))
