"""Ways around the authentication of a scrape endpoint, as bytes to send, and what an answer gives away."""

from __future__ import annotations

import base64
import socket
import ssl
from collections.abc import Iterator
from typing import Final

MARKER: Final = b"faults_secret"
"""A metric's name: who sees it has got through."""

_OPEN: Final = (b'{\n  "status": "alive"\n}', b'{\n  "status": "healthy"\n}', b'{\n  "status": "degraded"\n}')
"""What liveness and readiness say to everybody: one word."""

PATHS: Final = (
    "/metrics",
    "/metrics/",
    "//metrics",
    "/./metrics",
    "/metrics/.",
    "/METRICS",
    "/%6detrics",
    "/metrics%00",
    "/metrics%20",
    "/metrics;x",
    "/metrics?/health/live",
    "/metrics#/health/live",
    "/metrics/json",
    "/health",
    "/debug",
    "/debug/profile/cpu",
    "/",
    "/health/live/../../metrics",
    "/health/live/metrics",
    "/health/live;/metrics",
    "/health/live%2f..%2f../metrics",
    "/health/live\\..\\metrics",
    "http://x/metrics",
    "http://x/health/live/../../metrics",
    "*",
)
VERBS: Final = ("GET", "HEAD", "POST", "OPTIONS", "TRACE", "PUT")
_HEADERS: Final = (
    "x-original-url: /health/live",
    "x-rewrite-url: /metrics",
    "x-forwarded-for: 127.0.0.1",
    "x-forwarded-user: prometheus",
    "x-remote-user: prometheus",
    "forwarded: for=127.0.0.1;proto=https",
    "proxy-authorization: Basic cHJvbWV0aGV1czpyaWdodA==",
    "cookie: authorization=Bearer s3cret",
    "x-http-method-override: GET",
    "host: 127.0.0.1",
)


def basic(text: bytes) -> str:
    """Return the credentials of basic authentication for ``name:password``."""
    return "Basic " + base64.b64encode(text).decode()


def requests(authorization: str) -> Iterator[bytes]:
    """Return requests that have not the right to anything.

    Args:
        authorization: What would have it, to be bent.
    """
    for path in PATHS:
        for verb in VERBS:
            yield f"{verb} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".encode()
    for header in _HEADERS:
        yield f"GET /metrics HTTP/1.1\r\nhost: x\r\n{header}\r\nconnection: close\r\n\r\n".encode()
    for value in bent(authorization):
        yield _with(value)
    whole = f"authorization: {authorization}".encode()
    ask = b"GET /metrics HTTP/1.1\r\nhost: x\r\n"
    end = b"connection: close\r\n\r\n"
    yield b"GET /metrics\r\n\r\n"
    yield b"GET /metrics HTTP/0.9\r\n\r\n"
    yield b"GET /metrics HTTP/1.0\r\n\r\n"
    yield b"GET /metrics HTTP/2.0\r\nhost: x\r\n" + end
    yield b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    yield ask + whole + b"\r\n" + whole + b"\r\n" + end
    yield ask + b"authorization: Bearer x\r\n" + whole + b"\r\n" + end
    yield ask + whole.replace(b":", b" :", 1) + b"\r\n" + end
    yield ask + b" " + whole + b"\r\n" + end
    yield ask + b"x: y\0" + whole + b"\r\n" + end
    yield b"GET /health/live HTTP/1.1\r\nhost: x\r\n\r\nGET /metrics HTTP/1.1\r\nhost: x\r\n" + end
    yield b"GET /health/live HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n" + ask + end
    yield (
        b"POST /health/live HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"
        + ask
        + end
    )
    yield ask + b"upgrade: h2c\r\nconnection: upgrade, http2-settings\r\nhttp2-settings: AAMAAABk\r\n\r\n"


def bent(authorization: str) -> tuple[str, ...]:
    """Return values of ``Authorization`` that are not quite what would be right."""
    scheme, _, right = authorization.partition(" ")
    return (
        "",
        scheme,
        f"{scheme} ",
        f"{scheme}{right}",
        f"{scheme}: {right}",
        right,
        f"Digest {right}",
        f"Negotiate {right}",
        f"{scheme} {right}, {scheme} {right}",
        f"{scheme} {right} {right}",
        f"{scheme} {right[:-1]}",
        f"{scheme} {right}A",
        f"{scheme} {right.swapcase()}",
        f'{scheme} "{right}"',
        f"{scheme} {right}\0",
        f"{scheme} \0{right}",
        f"{scheme} " + "A" * 8000,
        f"{scheme} " + "A" * 65536,
        f"{scheme} " + right * 2000,
        "Bearer",
        "Bearer null",
        "Bearer undefined",
        "Bearer \xff",
        "Basic !!!!",
        "Basic ====",
        basic(b":"),
        basic(b""),
        basic(b"prometheus"),
        basic(b"prometheus:"),
        basic(b":right"),
        basic(b"prometheus\0:right"),
        basic(b"prometheus:right\0"),
        basic(b"PROMETHEUS:right"),
        basic(b"prometheus :right"),
        basic(b"prometheus:right "),
        basic(b"prometheus:RIGHT"),
        basic(b"\xff\xfe:right"),
        basic("\u202eprometheus:right".encode()),
        basic(b"#prometheus:right"),
        basic(b"prometheus\n:right"),
    )


def poison(name: str, stored: str) -> tuple[tuple[str, str], ...]:
    """Return pairs of ``name:password`` by which a cache could be made to take the second for right.

    As in CVE-2022-46146: a cache that is asked by name, hash and password one behind the other knows not where each ends.

    Args:
        name: A user that there is.
        stored: The user's hash, which is assumed to be known.
    """
    return (
        (f"{name}{stored}:", f"{name}:{stored}"),
        (f"{name}{stored}:right", f"{name}:{stored}right"),
        (f"{name}{stored}{stored}:", f"{name}:"),
        (f"{name[:-1]}:{name[-1]}right", f"{name}:{stored}"),
        (f"{name}right:", f"{name}:"),
    )


def _with(authorization: str) -> bytes:
    value = authorization.encode("latin-1", "replace")
    return b"GET /metrics HTTP/1.1\r\nhost: x\r\nauthorization: " + value + b"\r\nconnection: close\r\n\r\n"


def with_credentials(text: str) -> bytes:
    """Return a request with a name and a password."""
    return _with(basic(text.encode()))


def with_token(token: str) -> bytes:
    """Return a request with a token."""
    return _with(f"Bearer {token}")


def asked(port: int, content: bytes, context: ssl.SSLContext | None = None) -> bytes:
    """Send bytes and return all that comes back; what has come when the connection breaks."""
    answer = b""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=15) as plain:
            connection = plain if context is None else context.wrap_socket(plain, server_hostname="127.0.0.1")
            connection.sendall(content)
            if context is None:
                connection.shutdown(socket.SHUT_WR)
            while part := connection.recv(1 << 16):
                answer += part
    except OSError:
        pass
    return answer


def shows(answer: bytes) -> bool:
    """Whether an answer, or one of several, holds more than everybody may see."""
    if MARKER in answer:
        return True
    for one in answer.split(b"HTTP/1.1 ")[1:]:
        head, _, body = one.partition(b"\r\n\r\n")
        if head.startswith(b"2") and body.strip() not in _OPEN:
            return True
    return False
