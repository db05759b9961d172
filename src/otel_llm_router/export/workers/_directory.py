"""The directory in which the processes of one service find each other.

Room: `export.workers`. Who the service is comes in; a private directory goes out. It belongs to one user, one service
and one scrape address, so that two services never mix.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path
from typing import Final

from otel_llm_router.export._own_directory import DirectoryError, own_directory

LONGEST: Final = 100
"""Bytes of a socket's path that every system takes (macOS: 103, Linux: 107)."""

NAME_BYTES: Final = len("/0123456789abcdef/01234567.sock")

DOCUMENTATION: Final = "docs/workers.md"


def key(*parts: str) -> str:
    """Return the name of the directory of a service that ``parts`` tell apart from every other."""
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def network() -> str:
    """Return what tells this process' network from others on the machine: a port is free in each of them."""
    try:
        return str(os.stat("/proc/self/ns/net").st_ino)  # noqa: PTH116  # a link that leads nowhere
    except OSError:
        return ""


def private(name: str, base: str = "") -> Path:
    """Return the directory called ``name``, made if need be, for this user only.

    Args:
        name: See `key`.
        base: Where to make it; by default where the system has such things.

    Raises:
        DirectoryError: it is somebody else's, or cannot be made.
    """
    root = Path(base) if base else _base()
    own = root / f"otel-llm-router-{os.geteuid()}"
    if len(os.fsencode(str(own.absolute()))) + NAME_BYTES > LONGEST:
        raise DirectoryError(
            f"{own} is too long a path for a socket. Set OTEL_LLM_ROUTER_RUNTIME_DIR to a shorter one, such as /dev/shm "
            f"(see {DOCUMENTATION})"
        )
    return own_directory(
        root,
        own.name,
        name,
        make_root=bool(base),
        instead=f"set OTEL_LLM_ROUTER_RUNTIME_DIR to a directory of your own (see {DOCUMENTATION})",
    )


def _base() -> Path:
    given = os.environ.get("XDG_RUNTIME_DIR", "")
    if given and Path(given).is_dir() and os.access(given, os.W_OK | os.X_OK):
        return Path(given)
    return Path(tempfile.gettempdir())
