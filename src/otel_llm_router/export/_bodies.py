"""Bodies of answers, made no more often than asked for and sent in as few bytes as the client takes.

Room: `export`. A body is good for a moment: however many ask, the process renders no more often than that.
"""

from __future__ import annotations

import threading
import time
import zlib
from collections.abc import Callable
from typing import Final

Body = tuple[bytes, str]
"""Bytes and content type."""

_GZIP: Final = 31
"""`zlib`'s word for the gzip format with the largest window."""
_WORTHWHILE: Final = 1024
"""Bytes below which nothing is compressed."""
_FORMATS: Final = 8
"""Bodies that are kept: one for each kind of client there is, and little more."""


class Bodies:
    """What was rendered last, by what was asked for.

    Args:
        seconds: For how long it is good; 0 renders each time.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._kept: dict[str, tuple[float, Body]] = {}
        self._compressed: dict[int, tuple[bytes, bytes]] = {}
        self._lock = threading.Lock()
        self._compressing = threading.Lock()

    def get(self, key: str, render: Callable[[], Body]) -> Body:
        """Return the body of ``key``, made by ``render`` unless there is one that is still good.

        Who comes while it is being made waits for it.
        """
        with self._lock:
            at, body = self._kept.get(key, (float("-inf"), (b"", "")))
            if time.monotonic() - at >= self._seconds:
                body = render()
                self._kept.pop(key, None)
                self._kept[key] = time.monotonic(), body
                while len(self._kept) > _FORMATS:
                    del self._kept[next(iter(self._kept))]
            return body

    def gzipped(self, body: bytes) -> bytes:
        """Return a body compressed; the same one again costs nothing."""
        with self._compressing:
            kept, compressed = self._compressed.get(id(body), (b"", b""))
            if kept is not body:
                packer = zlib.compressobj(1, wbits=_GZIP)
                compressed = packer.compress(body) + packer.flush()
                current = {id(one) for _, (one, _) in list(self._kept.values())}
                # A body that is rendered no more is not kept for the sake of what it was compressed to.
                self._compressed = {key: one for key, one in self._compressed.items() if key in current}
                self._compressed[id(body)] = body, compressed
            return compressed


def takes_gzip(accepted: str, body: bytes) -> bool:
    """Whether a client takes gzip by its ``Accept-Encoding``, and it is worth while."""
    if len(body) < _WORTHWHILE:
        return False
    for part in accepted.lower().split(","):
        coding, _, rest = part.partition(";")
        if coding.strip() in {"gzip", "*"}:
            weight = rest.strip().removeprefix("q=").strip()
            try:
                return not weight or float(weight) > 0
            except ValueError:
                return False
    return False
