"""Files that appear as a whole or not at all, for this user alone.

Used by every room. Nothing is synced: a file survives its process, and not a power cut.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def replace(path: Path, data: bytes, *, beside: Path) -> None:
    """Write a file.

    Args:
        path: The file.
        data: What is in it from now on.
        beside: Where it is written first: in the same directory, and nobody else's while this goes on.

    Raises:
        OSError: it cannot be written; what was there before is there still.
    """
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with open(descriptor, "wb", buffering=0) as out:  # noqa: PTH123  # of a descriptor
            if out.write(data) != len(data):
                raise OSError("the file was not written as a whole")  # noqa: TRY301  # so that what is there is removed
        os.replace(beside, path)  # noqa: PTH105  # pathlib of Python 3.10 keeps a function of its own
    except OSError:
        with suppress(OSError):
            beside.unlink()
        raise
