"""What is done when a server has stopped serving, ahead of the process's end.

Room: `telemetry`. Instrumentations see a server stop; who exports says what is to be done then.
"""

from __future__ import annotations

from collections.abc import Callable

from otel_llm_router.telemetry._guard import guard

_work: list[Callable[[], object]] = []


def when_stopped(work: Callable[[], object]) -> None:
    """Call ``work``, which may take a moment, whenever a server has stopped serving."""
    _work.append(work)


async def stopped() -> None:
    """Do it, off the event loop, which goes on meanwhile."""
    import asyncio  # noqa: PLC0415  # whoever awaits this has it

    for work in tuple(_work):
        with guard("server stopped"):
            await asyncio.get_running_loop().run_in_executor(None, work)
