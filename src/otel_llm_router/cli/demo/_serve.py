"""Runs one of the demonstration's applications on a free port, and says which.

Room: `cli`. Started as a process: ``python -m otel_llm_router.cli.demo._serve gateway`` or ``... upstream
NAME``. The first line on stdout is ``{"port": N}``.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from typing import Any, Final

import uvicorn

_KEEP_ALIVE: Final = 600


def application(arguments: list[str]) -> Any:
    """Return the ASGI application that the command line asks for."""
    if arguments[0] == "gateway":
        from otel_llm_router.cli.demo.gateway import app  # noqa: PLC0415  # only the gateway needs LiteLLM

        return app
    from otel_llm_router.cli.demo._upstream import Upstream  # noqa: PLC0415

    return Upstream(arguments[1], fault_rate=float(os.environ.get("DEMO_FAULT_RATE", "0"))).app


def main(arguments: list[str]) -> None:
    """Serve until the process is stopped."""
    app = application(arguments)
    # asyncio turns Nagle's algorithm off only where the protocol is named; with it an answer waits 40 ms for an acknowledgement.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.bind(("127.0.0.1", 0))
    print(json.dumps({"port": listening.getsockname()[1]}), flush=True)  # noqa: T201  # the parent reads it
    # A server that closes an idle connection just when the next call comes makes a failure that only one side knows of.
    config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_keep_alive=_KEEP_ALIVE)
    uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    main(sys.argv[1:])
