"""How a chain goes on: what the head and the end of the file say about each other.

Room: `logs`. A process that was killed leaves a file that ends within the bounds of its head. Any other is said in a
record of its own, and the chain goes on behind what is missing, so that the gap stays to be seen.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from otel_llm_router.logs.audit._ending import Ending
from otel_llm_router.logs.audit._head import Head
from otel_llm_router.logs.audit._record import START, Place

OPENED: Final = "opened"
TORN: Final = "torn"
ANOMALY: Final = "anomaly"

MISSING: Final = "head_missing"
DAMAGED: Final = "head_damaged"
_NOT_FROM_HERE: Final = frozenset({"replaced", "truncated"})
"""Ways of not ending as the head says after which the chain goes on from the head, not from the file."""

Said = list[tuple[str, dict[str, Any]]]


@dataclass(frozen=True)
class Resumed:
    """Where a chain goes on.

    Args:
        chain: Its identifier; empty where it begins.
        place: The place before the next record.
        prefix: Bytes that end a line that lacks its end.
        said: Records about the file itself, which come first.
    """

    chain: str
    place: Place
    prefix: bytes = b""
    said: Said = field(default_factory=list[tuple[str, dict[str, Any]]])

    @property
    def opens(self) -> bool:
        """Whether a file begins here."""
        return any(name == OPENED for name, _ in self.said)


def resume(end: Ending, head: Head | None, trouble: str, key: str) -> Resumed:
    """Return where the chain goes on.

    Args:
        end: How the file ends.
        head: What its head says; None where there is none.
        trouble: Why there is none.
        key: Identifier of the key that it is sealed with.
    """
    last = end.last
    if head is not None and head.key != key:
        before = {"chain": head.chain, "sequence": head.floor.sequence, "hash": head.floor.digest}
        return Resumed("", START, said=[(OPENED, before)])
    place, chain = (last.place, last.chain) if last is not None else (START, "")
    kind = "" if end.size == 0 and trouble == MISSING else trouble
    if head is not None:
        kind = _unlike(end, head)
        if last is None or kind in _NOT_FROM_HERE:
            place = head.floor
        chain = head.chain
    said: Said = []
    prefix = b"\n" if end.lacks_newline or (end.rest and not end.rest.endswith(b"\n")) else b""
    if end.rest and not kind:
        said.append((TORN, {"bytes": len(end.rest), "hash": hashlib.sha256(end.rest).hexdigest()}))
    if last is None:
        said.append((OPENED, {}))
    if kind:
        said.append((ANOMALY, {"reason": kind, "sequence": last.place.sequence if last is not None else 0}))
    return Resumed(chain, place, prefix, said)


def _unlike(end: Ending, head: Head) -> str:
    """Return in what way a file does not end as its head says; empty where it does."""
    if end.last is None:
        # A file that has just been put aside ends where the next begins; and a first record may have been torn.
        return "garbled" if end.rest and head.intended == head.floor else ""
    last = end.last.place
    if end.last.chain != head.chain or (last.sequence == head.floor.sequence and last.digest != head.floor.digest):
        return "replaced"
    if last.sequence < head.floor.sequence:
        return "truncated"
    if last.sequence > head.intended.sequence:
        return "appended"
    if last.sequence == head.intended.sequence and last.digest != head.intended.digest:
        return "appended"
    return "garbled" if end.rest and last.sequence >= head.intended.sequence else ""


def put_aside(path: Path, chain: str) -> None:
    """Rename a full file after the first record in it; it stays where it is if that cannot be done."""
    with suppress(OSError):
        number = _first(path)
        stem = f"{path.stem}-{chain}-{number:012}"
        target = path.with_name(stem + path.suffix)
        count = 1
        while target.exists():
            count += 1
            target = path.with_name(f"{stem}.{count}{path.suffix}")
        path.rename(target)


def _first(path: Path) -> int:
    with path.open("rb") as file:
        for line in file:
            with suppress(ValueError, TypeError, KeyError):
                return int(json.loads(line)["seq"])
    return 0


def sync_directory(path: Path) -> None:
    """Let the names in the directory of a file be on disk."""
    with suppress(OSError):
        descriptor = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
