"""How an audit file ends: its last record, and what a process that was killed may have left after it.

Room: `logs`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from otel_llm_router.logs.audit._record import LineError, Record, Seal, read

_CHUNK: Final = 1 << 16
_FURTHEST: Final = 1 << 22
"""Bytes from the end within which there is a record, or none is found."""


@dataclass(frozen=True)
class Ending:
    """The end of a file.

    Args:
        size: Bytes of the file.
        last: Its last record; None where there is none.
        rest: What follows that record and is none.
        lacks_newline: Whether the last record's line has no end, and is whole otherwise.
    """

    size: int
    last: Record | None
    rest: bytes
    lacks_newline: bool = False


def look(descriptor: int, seals: Mapping[str, Seal]) -> Ending:
    """Return how an open file ends.

    Raises:
        OSError: it cannot be read.
    """
    size = os.fstat(descriptor).st_size
    reach = _CHUNK
    while True:
        begin = max(0, size - reach)
        found = _in(os.pread(descriptor, size - begin, begin), size, seals, whole=begin == 0)
        if found is not None:
            return found
        if reach >= _FURTHEST:
            return Ending(size, None, os.pread(descriptor, size - begin, begin))
        reach *= 4


def _in(content: bytes, size: int, seals: Mapping[str, Seal], *, whole: bool) -> Ending | None:
    """Look for the last record in the last bytes of a file; None where one may be before them."""
    end = len(content)
    while end > 0:
        # The line that ends at `end`, with or without the newline.
        stop = end - 1 if content[end - 1 : end] == b"\n" else end
        begin = content.rfind(b"\n", 0, stop) + 1
        if begin == 0 and not whole:
            return None
        try:
            record = read(content[begin:stop], seals)
        except (LineError, KeyError):
            end = begin
            continue
        return Ending(size, record, content[end:], lacks_newline=stop == end)
    return Ending(size, None, content) if whole else None
