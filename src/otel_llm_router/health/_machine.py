"""Checks of the machine: processors, memory, disk, network.

Room: `health`. Thresholds of requirement B: CPU 80 %, memory 85 %, disk 90 %.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import psutil

from otel_llm_router.health import _cgroup
from otel_llm_router.health._result import Probe, Result, compared

CPU_LIMIT: Final = 80.0
"""Percent of the machine's processors in use, over the time since the check ran before."""
MEMORY_LIMIT: Final = 85.0
"""Percent of memory in use: of the container's limit where there is one, else of the machine's."""
DISK_LIMIT: Final = 90.0
"""Percent of the disk under the working directory in use."""
NETWORK_LIMIT: Final = 5.0
"""Percent of packets with an error or dropped, over the time since the check ran before."""

_FEW_PACKETS: Final = 100
"""Packets below which a share says nothing."""


def cpu_usage(limit: float = CPU_LIMIT) -> Probe:
    """Return the check of the machine's processors."""
    psutil.cpu_percent()  # what follows is counted from here

    def check() -> Result:
        return compared("the processors", psutil.cpu_percent(), limit, count=psutil.cpu_count())

    return check


def memory_usage(limit: float = MEMORY_LIMIT) -> Probe:
    """Return the check of the memory whose end ends this process."""

    def check() -> Result:
        resident = psutil.Process().memory_info().rss
        container = _cgroup.memory()
        if container is not None:
            used, size = container
            return compared(
                "the container's memory", 100 * used / size, limit, limit_bytes=size, process_resident_bytes=resident
            )
        memory = psutil.virtual_memory()
        return compared("memory", memory.percent, limit, limit_bytes=memory.total, process_resident_bytes=resident)

    return check


def disk_space(limit: float = DISK_LIMIT) -> Probe:
    """Return the check of the disk that the process works on."""

    def check() -> Result:
        disk = psutil.disk_usage(str(Path.cwd()))
        return compared("the disk", disk.percent, limit, free_bytes=disk.free)

    return check


def network(limit: float = NETWORK_LIMIT) -> Probe:
    """Return the check of the network interfaces: one is up, and packets come through whole."""
    seen = [_packets()]

    def check() -> Result:
        up = [name for name, one in psutil.net_if_stats().items() if one.isup]
        if not up:
            return Result(healthy=False, message="no network interface is up")
        now = _packets()
        packets, faults = (after - before for after, before in zip(now, seen[0], strict=True))
        seen[0] = now
        share = 100 * faults / packets if packets >= _FEW_PACKETS else 0.0
        return Result(
            healthy=share < limit,
            message=f"{share:.1f} % of packets with an error or dropped, limit {limit:g} %",
            details={"value": round(share, 2), "threshold": limit, "interfaces_up": len(up)},
        )

    return check


def _packets() -> tuple[int, int]:
    """Return how many packets there were, and how many of them went wrong."""
    counted = psutil.net_io_counters()
    if counted is None:  # pyright: ignore[reportUnnecessaryComparison]  # a machine without interfaces
        return 0, 0
    faults = counted.errin + counted.errout + counted.dropin + counted.dropout
    return counted.packets_recv + counted.packets_sent, faults
