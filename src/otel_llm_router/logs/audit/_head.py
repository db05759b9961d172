"""The head of a chain: how far its file goes at least, and at most.

Room: `logs`. Kept beside the file, so that a file that was cut off at its end is told from a shorter one. Before
records are appended the head names the last of them, and is on disk; when they are on disk too it says so. A process
that is killed in between leaves a file that ends within these bounds.
"""

from __future__ import annotations

import hmac
import json
import os
from dataclasses import dataclass
from typing import Any, Final

from otel_llm_router.logs.audit._record import START, Place, Seal, is_hash

SIZE: Final = 1024
"""Bytes of the file: it is written in place, which takes no room on a disk that is full."""
SUFFIX: Final = ".head"


class HeadError(ValueError):
    """A head is not one that we have written."""


@dataclass(frozen=True)
class Head:
    """Bounds of a chain's end.

    Args:
        chain: Identifier of the chain.
        key: Identifier of the key that it is sealed with; empty where there is none.
        floor: The last record that is on disk.
        intended: The last record that may be in the file.
    """

    chain: str
    key: str
    floor: Place
    intended: Place

    def write(self, descriptor: int, seal: Seal) -> None:
        """Write it over the one before.

        Raises:
            OSError: it cannot be written.
        """
        fields = self.fields()
        text = json.dumps({**fields, "mac": seal.digest(fields)}, sort_keys=True)
        os.pwrite(descriptor, text.encode().ljust(SIZE - 1) + b"\n", 0)

    def fields(self) -> dict[str, Any]:
        """Return what is sealed."""
        return {
            "chain": self.chain,
            "key": self.key,
            "floor": [self.floor.sequence, self.floor.digest],
            "intended": [self.intended.sequence, self.intended.digest],
        }


def parse(content: bytes) -> tuple[Head, str]:
    """Return the head that a file holds, and its seal, which is yet to be checked: see `sealed`.

    Raises:
        HeadError: it is damaged.
    """
    try:
        found: Any = json.loads(content)
        head = Head(str(found["chain"]), str(found["key"]), _place(found["floor"]), _place(found["intended"]))
        return head, str(found["mac"])
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise HeadError("it cannot be read") from error


def sealed(head: Head, mac: str, seal: Seal) -> bool:
    """Whether a head's seal is right."""
    return hmac.compare_digest(seal.digest(head.fields()).encode(), mac.encode("utf-8", "replace"))


def _place(found: Any) -> Place:
    sequence, digest = found
    if type(sequence) is not int or sequence < START.sequence or not isinstance(digest, str) or not is_hash(digest):
        raise ValueError("no place")
    return Place(sequence, digest)
