"""Checks that need no router: memory and disk.

Room: `health`. Thresholds of requirement B: memory 85 %, disk 90 %.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import psutil

from otel_llm_router.health._checker import Check, Result

MEMORY_LIMIT: Final = 85.0
"""Percent of the machine's memory in use."""
DISK_LIMIT: Final = 90.0
"""Percent of the disk under the working directory in use."""


def memory_usage() -> Result:
    """Check the memory of the machine, which is what kills a process that runs out of it."""
    memory = psutil.virtual_memory()
    return Result(
        healthy=memory.percent < MEMORY_LIMIT,
        message=f"{memory.percent:.0f} % of memory in use, limit {MEMORY_LIMIT:.0f} %",
        details={
            "value": memory.percent,
            "threshold": MEMORY_LIMIT,
            "process_resident_bytes": psutil.Process().memory_info().rss,
        },
    )


def disk_space() -> Result:
    """Check the disk that the process works on."""
    disk = psutil.disk_usage(str(Path.cwd()))
    return Result(
        healthy=disk.percent < DISK_LIMIT,
        message=f"{disk.percent:.0f} % of the disk in use, limit {DISK_LIMIT:.0f} %",
        details={"value": disk.percent, "threshold": DISK_LIMIT, "free_bytes": disk.free},
    )


def builtin_checks() -> Mapping[str, Check]:
    """Return the built-in checks by name."""
    return {"memory_usage": memory_usage, "disk_space": disk_space}
