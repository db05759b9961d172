"""The command under test, and what it looks at: packages that are not there, collectors of all kinds."""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import subprocess
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.e2e.running import BIN, environment

Findings = list[dict[str, str]]


OTHER_DISTRO = """
[opentelemetry_distro]
acme = acme:Distro

[opentelemetry_configurator]
acme = acme:Configurator
"""


@dataclass
class Told:
    """What the command said."""

    code: int
    text: str
    findings: Findings

    def of(self, check: str, status: str | None = None) -> str:
        """All messages and suggestions of a check, as one text."""
        wanted = [one for one in self.findings if one["check"] == check and status in {None, one["status"]}]
        return "\n".join(f"{one['message']} -> {one['suggestion']}" for one in wanted)

    def amiss(self) -> list[tuple[str, str]]:
        """Check and status of all that is not in order."""
        return [(one["check"], one["status"]) for one in self.findings if one["status"] != "ok"]


def doctor(where: Path, *arguments: str, **variables: str) -> Told:
    """Run the command as a process, in a directory."""
    line = [BIN / "otel-llm-router", "doctor", *(arguments or ("--json",))]
    path = {"PATH": f"{BIN}:/usr/bin:/bin"}
    # The bound is for a command that hangs, not a measure of its speed.
    done = subprocess.run(
        line, env=environment(**(path | variables)), cwd=where, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stderr == ""
    return Told(done.returncode, done.stdout, [] if arguments else json.loads(done.stdout))


def install(where: Path, name: str, version: str, *, points: str = "", requires: tuple[str, ...] = ()) -> None:
    """Put a distribution's metadata, and nothing else of it, into a directory."""
    info = where / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    needed = "".join(f"Requires-Dist: {one}\n" for one in requires)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needed}")
    (info / "entry_points.txt").write_text(points)


@dataclass
class Collector:
    """A server that answers as it is told."""

    endpoint: str
    bodies: dict[str, bytes] = field(default_factory=dict[str, bytes])
    headers: dict[str, str] = field(default_factory=dict[str, str])


@contextmanager
def collector(status: int = 200) -> Generator[Collector]:
    """A collector over HTTP that answers with a status."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # the library's name
            body = self.rfile.read(int(self.headers["content-length"]))
            found.bodies[self.path] = gzip.decompress(body) if self.headers["content-encoding"] == "gzip" else body
            found.headers.update(self.headers.items())
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the library's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found = Collector(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def sockets(answer: bytes | None = None, every: float = 0.0) -> Generator[str]:
    """Something that takes connections and answers with bytes: all at once, or again and again; None answers never."""
    over = threading.Event()

    def converse(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            if answer is None:
                over.wait()
                return
            connection.recv(65536)
            connection.sendall(answer)
            while every and not over.wait(every):
                connection.sendall(answer)

    def accept() -> None:
        while not over.is_set():
            with contextlib.suppress(OSError):
                connection, _ = listening.accept()
                connection.settimeout(None)
                threading.Thread(target=converse, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.05)
        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            over.set()
            thread.join()
