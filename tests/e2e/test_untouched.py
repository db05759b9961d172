"""What clients get is the same, byte by byte, with and without us; and the first byte of a stream waits for nobody."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from otel_llm_router.cli.demo._samples import Samples
from running import BIN, HERE, environment, free_port

GATEWAYS = ("fastapi", "starlette")
PATIENCE = 60
TRACE = "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
QUIET = {"OTEL_TRACES_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "prometheus"}
DATE = re.compile(rb"(?<=\n)Date: [^\n]+\n")
"""What uvicorn's WebSockets say where they refuse one."""


def request(line: str, *headers: str, body: bytes = b"", close: bool = True) -> bytes:
    """A request as it goes over the wire."""
    own = [f"{line} HTTP/1.1", "Host: gateway.example", *headers]
    own += [f"Content-Length: {len(body)}"] if body else []
    own += ["Connection: close"] if close else []
    return "\r\n".join([*own, "", ""]).encode() + body


def chat(content: str, *headers: str, stream: bool = False, filler: int = 0, close: bool = True) -> bytes:
    messages = [{"role": "user", "content": "x" * filler}] * bool(filler) + [{"role": "user", "content": content}]
    body = json.dumps({"model": "smart", "messages": messages, "stream": stream}).encode()
    line = "POST /v1/chat/completions"
    return request(line, "Content-Type: application/json", *headers, body=body, close=close)


def chunked(path: str, *chunks: bytes) -> bytes:
    """A request with a body in chunks."""
    sent = b"".join(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n" for chunk in chunks) + b"0\r\n\r\n"
    return request(f"POST {path}", "Transfer-Encoding: chunked") + sent


def frame(opcode: int, payload: bytes) -> bytes:
    """A WebSocket's frame as a client sends it."""
    mask = b"\x01\x02\x03\x04"
    return (
        bytes([0x80 | opcode, 0x80 | len(payload)])
        + mask
        + bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))
    )


HANDSHAKE = request(
    "GET /socket",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
    close=False,
)

EXCHANGES: dict[str, tuple[int, bytes]] = {
    "plain": (200, request("GET /plain?q=1&q=secret%20text")),
    "plain, with a trace": (200, request("GET /plain", TRACE, "tracestate: a=1", "baggage: b=2")),
    "headers as they came": (200, request("GET /headers", "X-Own: 1", "x-own: 2", TRACE)),
    "a body": (200, request("POST /echo", body=bytes(range(256)) * 20)),
    "a large body": (200, request("POST /parts", body=b"x" * 3_000_000)),
    "a body in chunks": (200, chunked("/parts", b"x" * 100_000, b"y", b"z" * 70_000)),
    "a body that is waited for": (100, request("POST /echo", "Expect: 100-continue", body=b"there")),
    "large": (200, request("GET /large")),
    "large, compressed": (200, request("GET /large", "Accept-Encoding: gzip")),
    "large stream": (200, request("GET /large-stream")),
    "large stream, compressed": (200, request("GET /large-stream", "Accept-Encoding: gzip")),
    "raises": (500, request("GET /raises")),
    "raises inside a stream": (200, request("GET /raises-late")),
    "nothing": (204, request("DELETE /nothing")),
    "a task behind it": (202, request("GET /late")),
    "a task behind a failure": (503, request("GET /broken-late")),
    "moved": (307, request("GET /moved")),
    "slash": (307, request("GET /items/%C3%A9/sub")),
    "template": (200, request("GET /items/%C3%A9/sub/")),
    "file": (200, request("GET /file")),
    "part of a file": (206, request("GET /file", "Range: bytes=3-9")),
    "its own metrics": (200, request("GET /metrics")),
    "its own health": (200, request("GET /health")),
    "no such path": (404, request("GET /nowhere")),
    "no such method": (405, request("PUT /plain")),
    "no method": (400, request("BREW /plain")),
    "inner application": (418, request("GET /bare/x")),
    "old protocol": (200, b"GET /plain HTTP/1.0\r\n\r\n"),
    "no HTTP": (400, b"\x16\x03\x01\x02\x00\r\n\r\n"),
    "a large header": (200, request("GET /plain", f"x-large: {'x' * 30_000}")),
    "chat": (200, chat("ok", TRACE)),
    "chat, large": (200, chat("ok", filler=1_000_000)),
    "chat that fails": (500, chat("fail")),
    "chat over its limit": (429, chat("limited")),
    "chat, streamed": (200, chat("ok", TRACE, stream=True)),
    "chat, streamed, with an error event": (200, chat("says", stream=True)),
    "chat, streamed, cut": (200, chat("cut", stream=True)),
    "kept alive": (200, chat("ok", close=False) + request("GET /nowhere", close=False) + chat("ok", stream=True)),
    "websocket nowhere": (403, HANDSHAKE.replace(b"/socket", b"/nowhere")),
}

OF_ONE: dict[str, dict[str, tuple[int, bytes]]] = {
    "fastapi": {
        "head": (405, request("HEAD /large-stream")),
        "typed": (200, request("GET /typed/7")),
        "typed, wrong": (422, request("GET /typed/x")),
        "an HTTPException": (409, request("GET /typed/13")),
        "no JSON": (422, request("POST /v1/chat/completions", "Content-Type: application/json", body=b"{")),
        "mounted": (200, request("GET /inner/deep/leaf")),
        "documentation": (200, request("GET /openapi.json")),
        "preflight": (
            200,
            request("OPTIONS /plain", "Origin: http://shop.example", "Access-Control-Request-Method: POST"),
        ),
    },
    "starlette": {
        "head": (200, request("HEAD /large-stream")),
        "no JSON": (500, request("POST /v1/chat/completions", "Content-Type: application/json", body=b"{")),
        "another host": (200, request("GET /hosted").replace(b"gateway.example", b"other.example")),
    },
}


@dataclass
class Run:
    """One process, and what its gateways answered."""

    ports: dict[str, int]
    answers: dict[str, dict[str, bytes]] = field(default_factory=dict[str, dict[str, bytes]])
    seen: int = 0
    scrape: Samples | None = None

    def ask(self, gateway: str, sent: bytes) -> bytes:
        with self.connection(gateway, sent) as connection:
            return DATE.sub(b"", read(connection))

    @contextmanager
    def connection(self, gateway: str, sent: bytes) -> Generator[socket.socket]:
        with socket.create_connection(("127.0.0.1", self.ports[gateway]), timeout=PATIENCE) as connection:
            connection.sendall(sent)
            yield connection

    def gated(self, gateway: str, gate: str, sent: bytes) -> bytes:
        """Ask for a stream whose second part is made only after the first has been read."""
        with self.connection(gateway, sent) as connection:
            answer = read(connection, until=b"data: ")
            self.ask(gateway, request(f"POST /opened?gate={gate}"))
            return answer + read(connection)

    def websocket(self, gateway: str) -> bytes:
        """Say a word over a WebSocket, and read to the frame that closes it."""
        with self.connection(gateway, HANDSHAKE) as connection:
            answer = read(connection, until=b"\r\n\r\n")
            connection.sendall(frame(1, b"text"))
            return answer + read(connection, until=b"\x88\x06\x0f\xa1done")


def read(connection: socket.socket, *, until: bytes | None = None) -> bytes:
    """Read to the end, or to what is waited for."""
    answer = b""
    try:
        while (until is None or until not in answer) and (piece := connection.recv(1 << 20)):
            answer += piece
    except ConnectionResetError:  # after an answer that did not wait for all that was sent
        pass
    return answer


@contextmanager
def started(directory: Path, command: list[Any], **variables: str) -> Generator[dict[str, int]]:
    """Start the gateways; they are ended at the end of the block."""
    # Starlette writes the methods that it allows in the order of a set.
    own = {"PATH": f"{BIN}:{os.environ['PATH']}", "PYTHONHASHSEED": "0", **variables}
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=HERE, env=environment(**own), stdout=subprocess.PIPE, stderr=log)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            pytest.fail(f"it did not start:\n{(directory / 'log').read_text()}")
        yield json.loads(line)
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()


def run(directory: Path, *, instrumented: bool) -> Run:
    """Ask both gateways everything."""
    port = free_port()
    command: list[Any] = [sys.executable, HERE / "untouched.py"]
    if instrumented:
        command = [BIN / "otel-llm-router", "run", "--port", str(port), "--", *command]
    directory.mkdir()
    with started(directory, command, **QUIET) as ports:
        found = Run(ports)
        for gateway in GATEWAYS:
            answers = found.answers[gateway] = {
                name: found.ask(gateway, sent) for name, (_, sent) in {**EXCHANGES, **OF_ONE[gateway]}.items()
            }
            answers["websocket"] = found.websocket(gateway)
            answers["gated"] = found.gated(gateway, "own", request("GET /gated?gate=own"))
            gate = f"gate-{gateway}"
            answers["gated chat"] = found.gated(gateway, gate, chat(gate, stream=True))
        found.seen = httpx.get(f"http://127.0.0.1:{ports['upstream']}/traceparents").json()["seen"]
        if instrumented:
            found.scrape = Samples.of_text(httpx.get(f"http://127.0.0.1:{port}/metrics").text)
    return found


@pytest.fixture(scope="module")
def with_us(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run(tmp_path_factory.mktemp("untouched") / "with", instrumented=True)


@pytest.fixture(scope="module")
def without(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run(tmp_path_factory.mktemp("untouched") / "without", instrumented=False)


@pytest.mark.parametrize("gateway", GATEWAYS)
def test_every_byte_of_every_answer_is_the_same(gateway: str, with_us: Run, without: Run) -> None:
    ours, theirs = with_us.answers[gateway], without.answers[gateway]
    exchanges = {**EXCHANGES, **OF_ONE[gateway]}
    status = {name: int(theirs[name].split(b" ", 2)[1]) for name in exchanges}
    wanted = {name: expected for name, (expected, _) in exchanges.items()}
    if status["part of a file"] == 200:  # an older Starlette sends all of it
        wanted["part of a file"] = 200
    assert status == wanted
    assert theirs["websocket"].endswith(b"\x81\x04text\x82\x05bytes\x88\x06\x0f\xa1done")
    differ = [name for name in theirs if ours[name] != theirs[name]]
    assert not differ, {name: (ours[name][-2000:], theirs[name][-2000:]) for name in differ}


def test_they_were_seen(with_us: Run, without: Run) -> None:
    """Else the bytes would be no wonder."""
    # Of each gateway: seven plain ones and streams, two on one connection, and the one behind a gate.
    calls = len(GATEWAYS) * (7 + 2 + 1)
    assert with_us.seen == calls
    assert without.seen == 0
    scrape = with_us.scrape
    assert scrape is not None
    assert scrape.sum("llm_router_attempts_total") == calls
    assert scrape.sum("llm_router_http_requests_total", route="/plain", status_code="200") > 0
    assert scrape.sum("llm_router_telemetry_guard_errors_total") == 0
