"""Servers that may end without us: what is buffered leaves when they have stopped serving.

Room: `distro`. A worker of gunicorn's with uvicorn inside puts the default in the place of every signal's handler;
uvicorn raises the signal again when it has stopped, and the process is gone. Of other ASGI servers the end of the
application's lifespan is seen.
"""

from __future__ import annotations

from typing import Any

from otel_llm_router.telemetry.instrumenting import guard, stopped


def arm() -> None:
    """Do what is to be done whenever a server of uvicorn's has stopped; uvicorn itself is not imported for that."""
    import wrapt  # noqa: PLC0415  # the instrumentors import it next

    async def shutdown(wrapped: Any, _instance: Any, args: Any, kwargs: Any) -> Any:
        try:
            return await wrapped(*args, **kwargs)
        finally:
            with guard("uvicorn's shutdown"):
                await stopped()

    def imported(module: Any) -> None:
        with guard("uvicorn"):
            wrapt.wrap_function_wrapper(module, "Server.shutdown", shutdown)

    with guard("uvicorn"):
        wrapt.register_post_import_hook(imported, "uvicorn.server")
