"""How long the event loop did not run: a task that wants to run every millisecond, and the gaps that it sees.

Requests come at a steady, low rate, so that the loop is idle most of the time and a gap has a cause. What the
application itself holds is frozen out of garbage collection first: a collection of all of LiteLLM takes hundreds
of milliseconds, in any configuration.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Awaitable, Callable
from typing import Final

BEAT: Final = 0.001
"""Seconds from one beat to the next."""
RATE: Final = 250
"""Requests a second."""


async def gaps(send: Callable[[], Awaitable[None]], seconds: float) -> dict[str, float]:
    """Send requests for a while and return what the loop's longest gaps were.

    Args:
        send: Sends one request.
        seconds: For how long.

    Returns:
        ``requests`` sent, and of the milliseconds that beats came late the ``longest``, and ``late``: those over 5.
    """
    found: list[float] = []
    over = asyncio.Event()

    async def beat() -> None:
        while not over.is_set():
            began = time.perf_counter()
            await asyncio.sleep(BEAT)
            found.append((time.perf_counter() - began - BEAT) * 1e3)

    gc.collect()
    gc.freeze()
    task = asyncio.create_task(beat())
    began = time.perf_counter()
    requests = 0
    while (now := time.perf_counter() - began) < seconds:
        if now * RATE >= requests:
            await send()
            requests += 1
        await asyncio.sleep(BEAT)  # also when it is behind: requests in a row would be a gap of their own
    over.set()
    await task
    return {"requests": requests, "longest": max(found), "late": sum(one > 5 for one in found)}  # noqa: PLR2004
