"""Servers that may end without us: what is buffered leaves when they have stopped serving.

Room: `distro`. A worker of gunicorn's with uvicorn inside puts the default in the place of every signal's handler;
uvicorn raises the signal again when it has stopped, and the process is gone.
"""

from __future__ import annotations

from typing import Any, Protocol

from otel_llm_router.telemetry.instrumenting import guard


class Flushes(Protocol):
    """What can deliver what is buffered."""

    def flush(self) -> None:
        """Do it, within a bounded time."""
        ...


def arm(lifecycle: Flushes) -> None:
    """Flush whenever a server of uvicorn's has stopped; uvicorn itself is not imported for that."""
    import wrapt  # noqa: PLC0415  # the instrumentors import it next

    async def shutdown(wrapped: Any, _instance: Any, args: Any, kwargs: Any) -> Any:
        result = await wrapped(*args, **kwargs)
        with guard("uvicorn's shutdown"):
            import asyncio  # noqa: PLC0415  # for servers only

            await asyncio.get_running_loop().run_in_executor(None, lifecycle.flush)
        return result

    def imported(module: Any) -> None:
        with guard("uvicorn"):
            wrapt.wrap_function_wrapper(module, "Server.shutdown", shutdown)

    with guard("uvicorn"):
        wrapt.register_post_import_hook(imported, "uvicorn.server")
