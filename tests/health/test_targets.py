"""Checks of what the router depends on, over real sockets."""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import pytest

from otel_llm_router.health import Result, inference, round_trip, target


@contextmanager
def answering(answer: bytes) -> Generator[tuple[int, list[bytes]]]:
    """A server that answers every connection's first bytes, and what it was sent."""
    heard: list[bytes] = []

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            asked = self.request.recv(65536)
            while b"POST" in asked and not asked.endswith(b"}"):
                asked += self.request.recv(65536)
            heard.append(asked)
            self.request.sendall(answer)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        try:
            yield server.server_address[1], heard
        finally:
            server.shutdown()


def http(status: str, body: bytes = b"") -> bytes:
    return f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n".encode() + body


def found(check: Any) -> Result:
    result = check()
    assert isinstance(result, Result)
    return result


@pytest.mark.parametrize(
    ("status", "healthy"), [("200 OK", True), ("404 Not Found", True), ("503 Service Unavailable", False)]
)
def test_http(status: str, healthy: bool) -> None:
    with answering(http(status)) as (port, heard):
        result = found(target(f"http://user:secret@127.0.0.1:{port}/ping?key=secret"))
    assert result.healthy is healthy
    assert result.message == f"127.0.0.1:{port} answered {status[:3]}"
    assert heard[0].startswith(b"GET /ping?key=secret HTTP/1.1")


def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.mark.parametrize("scheme", ["http", "https", "tcp", "redis"])
def test_what_does_not_answer(scheme: str) -> None:
    port = closed_port()
    result = found(target(f"{scheme}://:secret@127.0.0.1:{port}"))
    assert not result.healthy
    assert result.message.startswith(f"127.0.0.1:{port} does not answer: ")
    assert "secret" not in result.message


def test_what_is_not_http() -> None:
    with answering(b"+OK\r\n") as (port, _):
        assert not found(target(f"http://127.0.0.1:{port}/")).healthy


def test_tcp() -> None:
    with answering(b"") as (port, _):
        assert found(target(f"tcp://127.0.0.1:{port}")).healthy


@pytest.mark.parametrize(
    "url", ["", "cache:6379", "tcp://host", "ftp://host/", "http:///path", "http://host:99999/", "tcp://host:x"]
)
def test_what_is_no_target(url: str) -> None:
    with pytest.raises(ValueError, match="a health target is"):
        target(url)


def test_a_round_trip() -> None:
    store: dict[str, str] = {}
    assert found(round_trip(store.__setitem__, store.get, store.pop)).healthy
    assert store == {}
    stale = round_trip(store.__setitem__, lambda _: b"another", store.pop)
    assert not found(stale).healthy
    assert found(round_trip(store.__setitem__, lambda key: store[key].encode(), store.pop)).healthy


@pytest.mark.parametrize(
    ("answer", "healthy"),
    [
        (http("200 OK", b'{"choices": [{"message": {"content": "pong"}}]}'), True),
        (http("200 OK", b'{"error": "no"}'), False),
        (http("200 OK", b"<html>"), False),
        (http("200 OK", b"[]"), False),
        (http("401 Unauthorized"), False),
    ],
)
def test_inference(answer: bytes, healthy: bool) -> None:
    with answering(answer) as (port, heard):
        check = inference(f"http://127.0.0.1:{port}/v1/chat/completions", "m", headers={"authorization": "Bearer k"})
        result = found(check)
    assert result.healthy is healthy
    assert "Bearer" not in result.message
    assert b"authorization: Bearer k" in heard[0]
    assert b'"max_tokens": 1' in heard[0]


def test_inference_needs_an_endpoint() -> None:
    with pytest.raises(ValueError, match="http"):
        inference("redis://host:1", "m")
