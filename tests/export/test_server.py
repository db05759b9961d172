"""The scrape server over real sockets."""

from __future__ import annotations

import contextlib
import json
import logging
import socket
import threading
import time
from collections.abc import Generator
from typing import Any

import httpx
import pytest
from opentelemetry.sdk.metrics import MeterProvider

from otel_llm_router.export import _http, _runner
from otel_llm_router.export import server as module
from otel_llm_router.export.scrape import ScrapeReader
from otel_llm_router.export.server import Endpoints, ScrapeServer
from otel_llm_router.health import Checker, Result


@pytest.fixture
def checker() -> Checker:
    checker = Checker(version="1.2.3")
    checker.add("memory_usage", lambda: Result(healthy=True, message="fine", details={"value": 1}))
    return checker


@pytest.fixture
def served(checker: Checker) -> Generator[tuple[str, ScrapeServer]]:
    reader = ScrapeReader("otel_llm_router")
    provider = MeterProvider(metric_readers=[reader], shutdown_on_exit=False)
    counter = provider.get_meter("app").create_counter("hits")
    for number in range(3000):
        counter.add(1, {"key": f"{number % 1900:040d}"})
    server = ScrapeServer(Endpoints(reader, checker), host="127.0.0.1", port=0)
    url = server.start()
    assert url is not None
    yield url, server
    server.stop()


def address(url: str) -> tuple[str, int]:
    host, port = url.removeprefix("http://").split(":")
    return host, int(port)


def test_what_is_there(served: Any) -> None:
    with httpx.Client(base_url=served[0]) as http:
        metrics = http.get("/metrics")
        assert metrics.status_code == 200
        assert "hits_total" in metrics.text
        assert metrics.headers["content-type"].startswith("text/plain; version=")
        head = http.head("/metrics", headers={"accept-encoding": "identity"})
        assert int(head.headers["content-length"]) >= len(metrics.content)  # the SDK's own metrics may have joined
        assert head.content == b""
        assert http.get("/metrics?anything=1").status_code == 200
        assert "/metrics" in http.get("/").text
        assert http.get("/etc/passwd").status_code == 404
        assert http.post("/metrics", content=b"x").status_code == 405


def test_health(served: Any, checker: Checker) -> None:
    with httpx.Client(base_url=served[0]) as http:
        report = http.get("/health").json()
        assert report["status"] == "healthy"
        assert report["version"] == "1.2.3"
        assert report["checks"]["memory_usage"]["details"] == {"value": 1}
        assert report["summary"] == {"total": 1, "healthy": 1, "failed": 0}
        assert http.get("/health/ready").status_code == 200
        checker.add("disk_space", lambda: Result(healthy=False, message="full"))
        assert http.get("/health/ready").json() == {"status": "degraded"}
        checker.add("memory_usage", lambda: Result(healthy=False, message="out"))
        assert http.get("/health").status_code == 503
        assert http.get("/health/ready").status_code == 503
        assert http.get("/health/live").json() == {"status": "alive"}


def test_a_check_that_raises_says_so(served: Any, checker: Checker) -> None:
    def broken() -> Result:
        raise RuntimeError("with a secret")

    checker.add("broken", broken)
    report = httpx.get(f"{served[0]}/health").json()
    assert report["checks"]["broken"]["message"] == "the check raised RuntimeError"
    assert "secret" not in json.dumps(report)


@pytest.mark.parametrize(
    "sent",
    [b"GARBAGE\r\n\r\n", b"GET /metrics\r\n\r\n", b"GET /metrics HTTP/1.1\r\nhost x\r\n\r\n", b"\x16\x03\x01" * 50],
)
def test_what_is_no_http_is_refused_and_the_server_goes_on(served: Any, sent: bytes) -> None:
    with socket.create_connection(address(served[0]), timeout=5) as connection:
        connection.sendall(sent)
        with contextlib.suppress(ConnectionError):
            assert b"200" not in connection.recv(64)
    assert httpx.get(f"{served[0]}/metrics").status_code == 200


def test_headers_without_end_are_refused(served: Any) -> None:
    with socket.create_connection(address(served[0]), timeout=5) as connection:
        connection.sendall(b"GET /metrics HTTP/1.1\r\nhost: x\r\n")
        with contextlib.suppress(ConnectionError):
            for _ in range(100):
                connection.sendall(b"x: " + b"y" * 1000 + b"\r\n")
            assert b" 431 " in connection.recv(64)
    assert httpx.get(f"{served[0]}/metrics").status_code == 200


def test_slow_and_silent_clients_do_not_keep_others_out(served: Any) -> None:
    """Half-open connections beyond the cap, and readers that never read."""
    before = threading.active_count()
    half_open: list[socket.socket] = []
    never_reading: list[socket.socket] = []
    try:
        for _ in range(_http.MAX_CONNECTIONS + 50):
            connection = socket.create_connection(address(served[0]), timeout=60)
            connection.sendall(b"GET /metrics HTTP/1.1\r\n")
            half_open.append(connection)
        for _ in range(20):
            connection = socket.create_connection(address(served[0]), timeout=60)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
            connection.sendall(b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n")
            never_reading.append(connection)
        for _ in range(5):
            assert httpx.get(f"{served[0]}/metrics", timeout=60).status_code == 200
        assert threading.active_count() - before < 60
    finally:
        for connection in half_open + never_reading:
            connection.close()


def test_idle_connections_are_closed(served: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_http, "HEADER_SECONDS", 0.1)
    with socket.create_connection(address(served[0]), timeout=5) as connection:
        assert connection.recv(1) == b""


def test_concurrent_scrapes_each_get_everything(served: Any) -> None:
    bodies: list[str] = []

    def scrape() -> None:
        bodies.extend(httpx.get(f"{served[0]}/metrics", timeout=30).text for _ in range(3))

    threads = [threading.Thread(target=scrape) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(bodies) == 24
    assert {body.count("hits_total{") for body in bodies} == {1900}


def test_a_taken_port_is_one_warning(served: Any, caplog: pytest.LogCaptureFixture) -> None:
    host, port = address(served[0])
    with caplog.at_level(logging.WARNING, logger="otel_llm_router"):
        assert ScrapeServer(Endpoints(None, None), host=host, port=port).start() is None
    (message,) = [record.getMessage() for record in caplog.records]
    assert str(port) in message
    assert "OTEL_LLM_ROUTER_SCRAPE_PORT" in message


def test_a_port_that_becomes_free_is_taken(checker: Checker) -> None:
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", 0))
        stranger.listen()
        port = stranger.getsockname()[1]
        server = ScrapeServer(Endpoints(None, checker), host="127.0.0.1", port=port)
        assert server.insist() is None
    deadline = time.monotonic() + 20
    while True:
        try:
            assert httpx.get(f"http://127.0.0.1:{port}/health/live").status_code == 200
            break
        except httpx.TransportError:
            assert time.monotonic() < deadline, "nobody takes the port"
            time.sleep(0.02)
    server.stop()
    with pytest.raises(httpx.TransportError):
        httpx.get(f"http://127.0.0.1:{port}/health/live")


def test_once_stopped_a_port_is_not_tried_again(checker: Checker) -> None:
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", 0))
        stranger.listen()
        server = ScrapeServer(Endpoints(None, checker), host="127.0.0.1", port=stranger.getsockname()[1])
        assert server.insist() is None
        server.stop()
        trying = [one for one in threading.enumerate() if one.name == "otel-llm-router-port"]
        for one in trying:
            one.join(20)
            assert not one.is_alive()


def test_stopping_frees_the_port(served: Any) -> None:
    url, server = served
    host, port = address(url)
    server.stop()
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            _runner.listen(host, port).close()
            return
    pytest.fail("the port is still taken")


@pytest.mark.parametrize(("with_reader", "with_checker"), [(True, False), (False, True), (False, False)])
def test_the_index_lists_what_is_served(checker: Checker, with_reader: bool, with_checker: bool) -> None:
    reader = ScrapeReader("otel_llm_router") if with_reader else None
    server = ScrapeServer(Endpoints(reader, checker if with_checker else None), host="127.0.0.1", port=0)
    url = server.start()
    with httpx.Client(base_url=url or "") as http:
        index = http.get("/").text.split()
        assert ("/metrics" in index) is with_reader
        assert ("/health" in index) is with_checker
        assert with_reader or "OTEL_METRICS_EXPORTER" in http.get("/metrics").text
        assert with_checker or http.get("/health").status_code == 404
    server.stop()


def test_answers_that_hang_are_bounded(checker: Checker, monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()
    checker.add("hangs", lambda: Result(healthy=released.wait(60), message=""))
    monkeypatch.setattr(module, "ANSWER_SECONDS", 0.2)
    monkeypatch.setattr(module, "MAX_ANSWERS", 2)
    server = ScrapeServer(Endpoints(None, checker), host="127.0.0.1", port=0)
    url = server.start()
    with httpx.Client(base_url=url or "") as http:
        said = [http.get("/health").text for _ in range(3)]
        assert "takes too long" in said[0]
        assert "too many requests" in said[2]
        assert http.get("/health/live").status_code == 503
        released.set()
        deadline = time.monotonic() + 20
        while http.get("/health").status_code != 200:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    server.stop()
