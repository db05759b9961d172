"""Who may read the scrape server, over real sockets."""

from __future__ import annotations

import base64
import hashlib
import os
import socket
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import httpx
import pytest

from otel_llm_router.export import _access, _files, _passwords
from otel_llm_router.export._access import Access
from otel_llm_router.export.scrape import ScrapeReader
from otel_llm_router.export.server import Endpoints, ScrapeServer
from otel_llm_router.health import Checker

Serve = Callable[..., httpx.Client]


@pytest.fixture
def serve() -> Generator[Serve]:
    running: list[tuple[httpx.Client, ScrapeServer]] = []

    def start(**options: str) -> httpx.Client:
        reader, checker = ScrapeReader("otel_llm_router"), Checker(version="1")
        endpoints = Endpoints(reader, checker, access=Access(**options), debug=lambda: {"x": 1})
        server = ScrapeServer(endpoints, host="127.0.0.1", port=0)
        client = httpx.Client(base_url=server.start() or "")
        running.append((client, server))
        return client

    yield start
    for client, server in running:
        client.close()
        server.stop()


PROTECTED = ("/", "/metrics", "/metrics/json", "/health", "/debug", "/nothing")


def changed(path: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write a file anew, at a time that differs, and let the next request see it."""
    path.write_text(text)
    os.utime(path, (time.time() + 5, time.time() + 5))
    monkeypatch.setattr(_files, "LOOK_SECONDS", 0.0)


def test_a_token(serve: Serve) -> None:
    http = serve(token="s3cret")
    for path in PROTECTED:
        refused = http.get(path)
        assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer"), path
        assert http.get(path, headers={"authorization": "Bearer wrong"}).status_code == 401, path
        right = http.get(path, headers={"authorization": "bearer  s3cret"})
        assert right.status_code == (404 if path == "/nothing" else 200), path
    assert http.get("/health/live").status_code == 200
    assert http.get("/health/ready/").json() == {"status": "healthy"}


def users(**passwords: str) -> str:
    return "# ours\n\n" + "".join(f"{name}:{_passwords.hashed(password)}\n" for name, password in passwords.items())


def test_users(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "users").write_text(users(prometheus="pa:ss wörd", other="x"))
    http = serve(users_file=str(tmp_path / "users"))
    assert http.get("/metrics").headers["www-authenticate"].startswith("Basic realm=")
    assert http.get("/metrics", auth=("prometheus", "pa:ss wörd")).status_code == 200
    assert http.get("/metrics", auth=("prometheus", "x")).status_code == 401
    assert http.get("/metrics", auth=("nobody", "x")).status_code == 401


def basic(text: bytes) -> str:
    return "Basic " + base64.b64encode(text).decode()


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Basic",
        "Bearer",
        "Basic !!!!",
        "Basic " + "A" * 8000,
        basic(b":"),
        basic(b"prometheus"),
        basic(b"prometheus:"),
        basic(b":right"),
        basic(b"prometheus\0:right"),
        basic(b"prometheus:right\0"),
        basic(b"\xff\xfe:right"),
        basic(b"prometheus:right")[:-1],
        basic(b"prometheus:right") + "=",
        basic(b"prometheus:right") + ", " + basic(b"prometheus:right"),
        "Digest prometheus:right",
        "right",
        "Bearer right",
    ],
)
def test_ways_around(serve: Serve, tmp_path: Path, authorization: str) -> None:
    (tmp_path / "users").write_text(users(prometheus="right"))
    http = serve(users_file=str(tmp_path / "users"), token="token")
    assert http.get("/metrics", headers={"authorization": authorization}).status_code == 401
    assert http.get("/metrics", headers={"authorization": basic(b"prometheus:right")}).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "//metrics",
        "/./metrics",
        "/health/live/../../metrics",
        "/health/live;/metrics",
        "/health/live%2f..%2f../metrics",
        "/health/live/metrics",
        "/metrics?/health/live",
        "/METRICS",
        "/health/live\\..\\metrics",
    ],
)
def test_paths_around(serve: Serve, path: str) -> None:
    http = serve(token="s3cret")
    address = (http.base_url.host, http.base_url.port or 0)
    for method in ("GET", "HEAD", "POST", "OPTIONS", "TRACE"):
        with socket.create_connection(address, timeout=10) as connection:
            connection.sendall(f"{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".encode())
            answer = connection.recv(65536)
        assert answer.startswith(b"HTTP/1.1 401 "), (method, answer[:100])


def test_two_headers_are_none(serve: Serve) -> None:
    http = serve(token="s3cret")
    headers = [("authorization", "Bearer s3cret"), ("authorization", "Bearer s3cret")]
    assert http.get("/metrics", headers=headers).status_code == 401


def test_what_was_right_once_is_not_for_others(serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "users"
    path.write_text(users(a="bc", ab="other"))
    http = serve(users_file=str(path))
    assert http.get("/metrics", auth=("a", "bc")).status_code == 200
    assert http.get("/metrics", auth=("ab", "c")).status_code == 401
    changed(path, users(a="new"), monkeypatch)
    assert http.get("/metrics", auth=("a", "bc")).status_code == 401
    assert http.get("/metrics", auth=("a", "new")).status_code == 200


def test_a_token_file_that_changes(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "token"
    path.write_text("old\n")
    http = serve(token_file=str(path))
    assert http.get("/metrics", headers={"authorization": "Bearer old"}).status_code == 200
    changed(path, "new", monkeypatch)
    assert http.get("/metrics", headers={"authorization": "Bearer old"}).status_code == 401
    assert http.get("/metrics", headers={"authorization": "Bearer new"}).status_code == 200
    path.unlink()
    assert http.get("/metrics", headers={"authorization": "Bearer new"}).status_code == 200
    assert "goes on to hold" in caplog.text


def test_guessing_is_slow(serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_access.time, "monotonic", lambda: 1000.0)
    (tmp_path / "users").write_text(users(prometheus="right"))
    http = serve(users_file=str(tmp_path / "users"))
    assert http.get("/metrics", auth=("prometheus", "right")).status_code == 200
    said = [http.get("/metrics", auth=("prometheus", str(number))).status_code for number in range(12)]
    assert said == [401] * (_access.GUESSES - 1) + [429] * 3
    # Who was right before is not kept out by the one who guesses.
    assert http.get("/metrics", auth=("prometheus", "right")).status_code == 200


def test_guesses_in_any_second(serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.9
    monkeypatch.setattr(_access.time, "monotonic", lambda: now)
    (tmp_path / "users").write_text(users(prometheus="right"))
    http = serve(users_file=str(tmp_path / "users"))
    for number in range(_access.GUESSES):
        assert http.get("/metrics", auth=("prometheus", str(number))).status_code == 401
    now = 1001.1
    assert http.get("/metrics", auth=("prometheus", "x")).status_code == 429
    now = 1001.95
    assert http.get("/metrics", auth=("prometheus", "x")).status_code == 401


def test_an_unknown_user_takes_as_long_as_a_known_one(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_passwords, "_N", 2**10)  # not what a hash is made with by default
    (tmp_path / "users").write_text(users(prometheus="right"))
    http = serve(users_file=str(tmp_path / "users"))
    scrypt, costs = hashlib.scrypt, list[int]()

    def noting(password: bytes, **options: Any) -> bytes:
        costs.append(options["n"])
        return scrypt(password, **options)

    monkeypatch.setattr(_passwords.hashlib, "scrypt", noting)
    for name in ("prometheus", "nobody", ""):
        assert http.get("/metrics", headers={"authorization": basic(f"{name}:wrong".encode())}).status_code == 401
    # The right password of somebody else lets nobody in.
    assert http.get("/metrics", auth=("nobody", "right")).status_code == 401
    assert costs == [2**10] * 4


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "it names 0 users"),
        ("prometheus\n", "line 1 is not name:hash"),
        ("# x\nprometheus:plain\n", "line 2 has a hash of no known kind"),
        ("prometheus:scrypt$999999999$8$1$c2FsdA==$aGFzaA==\n", "no known kind"),
        ("prometheus:$2b$12$abcdefghijklmnopqrstuv", "bcrypt"),
    ],
)
def test_a_file_of_users_that_is_wrong(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "users").write_text(content)
    if "bcrypt" in message:
        pytest.MonkeyPatch().setitem(__import__("sys").modules, "bcrypt", None)
    with pytest.raises(ValueError, match=message):
        Access(users_file=str(tmp_path / "users"))


def test_options_that_contradict_each_other(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="exclude each other"):
        Access(token="x", token_file=str(tmp_path / "token"))
    with pytest.raises(OSError, match="token"):
        Access(token_file=str(tmp_path / "token"))


def test_hashes_differ_and_hold() -> None:
    first, second = _passwords.hashed("x"), _passwords.hashed("x")
    assert first != second
    assert _passwords.verified("x", first)
    assert not _passwords.verified("y", first)
    assert not _passwords.verified("x", "no hash")
    wrong: Any = first.replace("scrypt", "md5")
    assert not _passwords.verified("x", wrong)


def test_who_was_asked_is_told_with_the_name_of_a_known_user_alone(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, str, str]] = []

    def tell(path: str, user: str, reason: str) -> None:
        told.append((path, user, reason))

    monkeypatch.setattr(_access, "watchers", [tell])
    users = tmp_path / "users"
    users.write_text(f"ada:{_passwords.hashed('right')}\n")
    client = serve(users_file=str(users))
    client.get("/health/live")
    client.get("/metrics")
    for credentials in (("ada", "right"), ("ada", "wrong"), ("a password", "")):
        client.get("/metrics", auth=credentials)
    client.get("/metrics", headers={"authorization": "Basic none"})
    assert told == [
        ("/metrics", "", "missing"),
        ("/metrics", "ada", ""),
        ("/metrics", "ada", "invalid"),
        ("/metrics", "", "invalid"),
        ("/metrics", "", "invalid"),
    ]


def test_a_file_of_users_that_changes_is_told_and_whether_it_can_be_used(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[Path, bool]] = []

    def tell(path: Path, usable: bool) -> None:
        told.append((path, usable))

    monkeypatch.setattr(_files, "watchers", [tell])
    monkeypatch.setattr(_files, "LOOK_SECONDS", 0.0)
    token = tmp_path / "token"
    token.write_text("first")
    client = serve(token_file=str(token))
    for text in ("second", ""):
        changed(token, text, monkeypatch)
        client.get("/metrics", headers={"authorization": "Bearer second"})
    assert told == [(token, True), (token, False)]
