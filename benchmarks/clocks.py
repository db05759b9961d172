"""Clocks of one block of requests: what the event loop's thread and the whole process used for it.

All CPU figures are seconds from the operating system's accounting of this process (`time.thread_time`,
`time.process_time`); latencies are wall-clock seconds of one request as its caller sees it.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass

import psutil

QUIET_SECONDS = 0.04
"""How long the process must have done nothing to count as quiet, three times in a row."""
QUIET_CPU = 0.001
"""CPU seconds within it that are nothing."""
LONGEST_SECONDS = 120.0


@dataclass(frozen=True)
class Block:
    """What a block of requests used.

    Args:
        requests: How many.
        loop: CPU seconds of the event loop's thread, callbacks that came after the answers included.
        process: CPU seconds of the process, export of all spans and log records included.
        wall: Wall-clock seconds until the last answer.
        latencies: Seconds of each request.
    """

    requests: int
    loop: float
    process: float
    wall: float
    latencies: list[float]

    def as_dict(self) -> dict[str, object]:
        """Return it as JSON can hold it."""
        return asdict(self)


async def quiet() -> None:
    """Return when the process has done nothing for a while: callbacks and workers are done.

    Raises:
        RuntimeError: it does not come to rest.
    """
    deadline = time.monotonic() + LONGEST_SECONDS
    still = 0
    while still < 3:  # noqa: PLR2004  # see QUIET_SECONDS
        before = time.process_time()
        await asyncio.sleep(QUIET_SECONDS)
        still = still + 1 if time.process_time() - before < QUIET_CPU else 0
        if time.monotonic() > deadline:
            raise RuntimeError(f"the process is still busy {LONGEST_SECONDS:.0f} s after the last answer")


async def timed(
    send: Callable[[], Awaitable[None]], requests: int, concurrency: int, flush: Callable[[], None]
) -> Block:
    """Send ``requests`` requests from ``concurrency`` callers at once, and measure.

    Args:
        send: Sends one request and reads its answer to the end.
        requests: How many in all.
        concurrency: Callers; each sends its next request when the last one is answered.
        flush: Exports what is buffered, so that its cost falls into the block that caused it.
    """
    latencies: list[float] = []
    remaining = iter(range(requests))

    async def caller() -> None:
        for _ in remaining:
            began = time.perf_counter()
            await send()
            latencies.append(time.perf_counter() - began)

    gc.collect()
    wall, loop, process = time.perf_counter(), time.thread_time(), time.process_time()
    await asyncio.gather(*(caller() for _ in range(concurrency)))
    wall = time.perf_counter() - wall
    await quiet()
    loop = time.thread_time() - loop
    await asyncio.to_thread(flush)
    process = time.process_time() - process
    return Block(requests, loop, process, wall, latencies)


def resident_mib() -> float:
    """Return the resident memory of this process, MiB, after a full collection."""
    gc.collect()
    return psutil.Process().memory_info().rss / 2**20
