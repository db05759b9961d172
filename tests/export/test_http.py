"""Whose connection makes room when there are too many."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Generator
from contextlib import ExitStack, suppress
from typing import Any

import httpx
import psutil
import pytest

from otel_llm_router.export import _http, _runner
from otel_llm_router.export._messages import Request, Response

MOST = 8
LARGE = 20_000_000


class Slow:
    """Answers at once, but what is under /slow only when it is let go."""

    def __init__(self) -> None:
        self.come = threading.Semaphore(0)
        self.go = threading.Event()

    async def __call__(self, request: Request) -> Response:
        if request.path == "/slow":
            self.come.release()
            await asyncio.to_thread(self.go.wait, 20)
        return Response(200, b"x" * LARGE if request.path == "/large" else b"answered", "text/plain")


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Generator[tuple[Slow, tuple[str, int]]]:
    monkeypatch.setattr(_http, "MAX_CONNECTIONS", MOST)
    handler, listening = Slow(), _runner.listen("127.0.0.1", 0)
    runner = _runner.Runner(handler, listening)
    thread = threading.Thread(target=runner.run)
    thread.start()
    yield handler, listening.getsockname()
    handler.go.set()
    runner.stop()
    thread.join(20)


def test_who_is_being_answered_does_not_make_room_for_the_silent(slow: Any) -> None:
    handler, address = slow
    with ExitStack() as opened:
        asking = opened.enter_context(socket.create_connection(address, timeout=20))
        asking.sendall(b"GET /slow HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        assert handler.come.acquire(timeout=20)
        silent = [opened.enter_context(socket.create_connection(address, timeout=20)) for _ in range(2 * MOST)]
        for one in silent[:MOST]:
            assert one.recv(1) == b""
        handler.go.set()
        assert asking.makefile("rb").read().endswith(b"answered")


def test_those_who_are_being_answered_leave_room(slow: Any) -> None:
    handler, address = slow
    with ExitStack() as opened:
        for _ in range(2 * MOST):
            one = opened.enter_context(socket.create_connection(address, timeout=20))
            one.sendall(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n")
            assert handler.come.acquire(timeout=20)
        for _ in range(MOST):
            silent = opened.enter_context(socket.create_connection(address, timeout=20))
            silent.sendall(b"GET /")
        url = "http://{}:{}".format(*address)
        assert [httpx.get(url, timeout=20).text for _ in range(3)] == ["answered"] * 3


@pytest.mark.skipif(not hasattr(psutil.Process, "num_fds"), reason="this system does not count open files")
def test_who_reads_nothing_is_cut_off_and_who_reads_is_not(slow: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_http, "STALL_SECONDS", 0.3)
    monkeypatch.setattr(_http, "WRITE_SECONDS", 60.0)
    _, address = slow
    ask = b"GET /large HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
    with socket.create_connection(address, timeout=20) as reading:
        reading.sendall(ask)
        assert len(reading.makefile("rb").read()) > LARGE
    process = psutil.Process()
    with socket.create_connection(address, timeout=20) as silent:
        silent.sendall(ask)
        assert silent.recv(1) == b"H"  # it is being answered
        both, deadline = process.num_fds(), time.monotonic() + 20
        while process.num_fds() >= both:
            assert time.monotonic() < deadline, "the server goes on to wait for it"
            time.sleep(0.01)
        with suppress(ConnectionError):
            assert len(silent.makefile("rb").read()) < LARGE
