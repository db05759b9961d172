"""An application that does one thing for each request, by WSGI and by ASGI, and the servers that run it; used by tests too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_TEXT: Final = """
import os

def wsgi(environ, start_response):
    work()
    body = str(os.getpid()).encode()
    start_response("200 OK", [("content-length", str(len(body)))])
    return [body]

async def asgi(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    work()
    body = str(os.getpid()).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", str(len(body)).encode())]})
    await send({"type": "http.response.body", "body": body})
"""

EMITTING: Final = """
from benchmarks.faults import emit

def work():
    emit.one("request")
"""
"""The work of a row: one of each signal."""

UVICORN: Final = ("uvicorn", "application:asgi")
_GUNICORN: Final = ("gunicorn", "--workers", "2", "--worker-class")

SERVERS: Final[Mapping[str, tuple[str, ...]]] = {
    "uvicorn": UVICORN,
    "uvicorn --workers 2": (*UVICORN, "--workers", "2"),
    "uvicorn --workers 4": (*UVICORN, "--workers", "4"),
    "gunicorn sync": (*_GUNICORN, "sync", "application:wsgi"),
    "gunicorn sync --preload": (*_GUNICORN, "sync", "--preload", "application:wsgi"),
    "gunicorn gthread": (*_GUNICORN, "gthread", "application:wsgi"),
    "gunicorn gthread --preload": (*_GUNICORN, "gthread", "--preload", "application:wsgi"),
    "gunicorn UvicornWorker": (*_GUNICORN, "uvicorn.workers.UvicornWorker", "application:asgi"),
    "hypercorn": ("hypercorn", "application:asgi"),
}
"""Commands that serve module ``application``, without an address."""


def application(work: str = EMITTING) -> str:
    """Return the text of the module; ``work`` defines a function of that name, called for each request.

    It answers with the id of the process.
    """
    return work + _TEXT


def address(server: str, port: int) -> list[str]:
    """Return the arguments that have a server of `SERVERS` listen on a port of this machine."""
    return ["--port", str(port)] if SERVERS[server][0] == "uvicorn" else ["--bind", f"127.0.0.1:{port}"]
