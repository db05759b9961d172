"""The thread behind the listening socket: from its wait to its end."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Generator
from typing import Any

import httpx
import psutil
import pytest

from otel_llm_router.export import _runner
from otel_llm_router.export._messages import Request, Response


async def answer(request: Request) -> Response:
    return Response(200, request.path.encode(), "text/plain")


@pytest.fixture
def runner() -> Generator[tuple[_runner.Runner, threading.Thread, str]]:
    listening = _runner.listen("127.0.0.1", 0)
    made = _runner.Runner(answer, listening)
    thread = threading.Thread(target=made.run)
    yield made, thread, "http://{}:{}".format(*listening.getsockname())
    made.stop()
    if thread.ident is None:
        made.run()  # closes what it holds
    else:
        thread.join(20)
        assert not thread.is_alive()
    assert listening.fileno() == -1


def test_the_first_client_is_answered_and_those_after_it(runner: Any) -> None:
    _, thread, url = runner
    with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2]))) as early:  # before the thread runs
        early.sendall(b"GET /early HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        thread.start()
        assert early.makefile("rb").read().endswith(b"/early")
    assert [httpx.get(f"{url}/{number}").text for number in range(3)] == ["/0", "/1", "/2"]


def test_it_ends_when_nobody_ever_came(runner: Any) -> None:
    made, thread, _ = runner
    thread.start()
    made.stop()
    thread.join(20)
    assert not thread.is_alive()
    made.stop()


def test_it_ends_with_connections_open(runner: Any) -> None:
    made, thread, url = runner
    thread.start()
    with httpx.Client(base_url=url) as kept:
        assert kept.get("/a").text == "/a"
        made.stop()
        thread.join(20)
        assert not thread.is_alive()
        with pytest.raises(httpx.HTTPError):
            kept.get("/b")


def test_the_applications_event_loops_are_none_of_ours(runner: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(*_: object) -> None:
        raise RuntimeError("a loop of the application's policy")

    monkeypatch.setattr(asyncio, "new_event_loop", wrong)
    monkeypatch.setattr(asyncio.events, "new_event_loop", wrong)
    _, thread, url = runner
    thread.start()
    assert httpx.get(f"{url}/a").text == "/a"


@pytest.mark.skipif(not hasattr(psutil.Process, "num_fds"), reason="this system does not count open files")
def test_what_cannot_be_made_leaves_no_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(*_: object) -> None:
        raise OSError("too many open files")

    listening = _runner.listen("127.0.0.1", 0)
    before = psutil.Process().num_fds()
    monkeypatch.setattr(_runner.selectors, "DefaultSelector", none_left)
    with pytest.raises(OSError, match="too many"):
        _runner.Runner(answer, listening)
    assert listening.fileno() == -1
    assert psutil.Process().num_fds() == before - 1
