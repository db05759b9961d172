"""The memory that a container may use (Linux control groups, versions 1 and 2).

Room: `health`. A container is killed at its own limit, of which the machine's memory says nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

_ROOT: Final = Path("/sys/fs/cgroup")
_FILES: Final = (
    ("memory.max", "memory.current", "memory.stat", "inactive_file"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "memory/memory.stat", "total_inactive_file"),
)
_NO_LIMIT: Final = 2**60
"""What version 1 has for no limit is a little below 2**63."""


def memory(root: Path = _ROOT) -> tuple[int, int] | None:
    """Return bytes in use and the limit, or None where there is no limit.

    In use is what cannot be had back: without the file cache that nothing has touched for a while.
    """
    for limit_file, used_file, stat_file, cache in _FILES:
        try:
            limit = int((root / limit_file).read_text())
            used = int((root / used_file).read_text())
            stat = dict(line.split() for line in (root / stat_file).read_text().splitlines())
        except (OSError, ValueError):  # ValueError: "max"
            continue
        if 0 < limit < _NO_LIMIT:
            return max(0, used - int(stat.get(cache, 0))), limit
    return None
