"""Checks of what the router depends on: a service that answers, a Redis, a cache, an inference.

Room: `health`. Nothing of a URL is ever said but scheme, host and port: it may hold credentials.
"""

from __future__ import annotations

import importlib
import json
import os
import socket
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from otel_llm_router.health._result import Probe, Result

CONNECT_TIMEOUT: Final = 4.0
"""Seconds for one connection or answer; less than a check may take, so that the reason is known."""
INFERENCE_TIMEOUT: Final = 25.0
"""Seconds for a probe of inference."""

_PORTS: Final = {"http": 80, "https": 443, "redis": 6379, "rediss": 6379}
_SERVER_ERROR: Final = 500
_OK: Final = 200

SCHEMES: Final = ("http", "https", "tcp", "redis", "rediss")


def target(url: str) -> Probe:
    """Return the check that a service answers, by its URL.

    Args:
        url: ``http(s)://host/path`` (an answer below 500), ``tcp://host:port`` (a connection) or
            ``redis(s)://[:password@]host[:port][/db]`` (a PING).

    Raises:
        ValueError: the URL is none of these.
    """
    parts = urlsplit(url)
    port = _port(parts)
    if parts.scheme not in SCHEMES or not parts.hostname or port is None:
        raise ValueError("a health target is http(s)://host/path, tcp://host:port or redis(s)://host:port")
    if parts.scheme in {"http", "https"}:
        return lambda: _http(parts, port)
    if parts.scheme in {"redis", "rediss"}:
        return lambda: _redis(url, parts, port)
    return lambda: _tcp(parts, port)


def _port(parts: SplitResult) -> int | None:
    try:
        return parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return None


def _named(parts: SplitResult, port: int) -> str:
    return f"{parts.hostname}:{port}"


def _failed(parts: SplitResult, port: int, error: BaseException) -> Result:
    return Result(healthy=False, message=f"{_named(parts, port)} does not answer: {type(error).__name__}")


def _tcp(parts: SplitResult, port: int) -> Result:
    try:
        with socket.create_connection((parts.hostname or "", port), timeout=CONNECT_TIMEOUT):
            return Result(healthy=True, message=f"{_named(parts, port)} accepts connections")
    except OSError as error:
        return _failed(parts, port, error)


def _http(parts: SplitResult, port: int) -> Result:
    try:
        status, _ = _ask(parts, port, "GET", None, {}, CONNECT_TIMEOUT)
    except Exception as error:  # noqa: BLE001  # no connection, or no HTTP; the words may repeat the URL
        return _failed(parts, port, error)
    return Result(
        healthy=status < _SERVER_ERROR,
        message=f"{_named(parts, port)} answered {status}",
        details={"value": status, "threshold": _SERVER_ERROR},
    )


def _ask(
    parts: SplitResult, port: int, method: str, body: bytes | None, headers: Mapping[str, str], timeout: float
) -> tuple[int, bytes]:
    """Send one request that no instrumentation counts as the router's, and return status and the answer's beginning."""
    import http.client  # noqa: PLC0415  # for applications that check something over HTTP
    import ssl  # noqa: PLC0415

    from opentelemetry.instrumentation.utils import suppress_instrumentation  # noqa: PLC0415

    host = parts.hostname or ""
    if parts.scheme == "https":
        connection = http.client.HTTPSConnection(host, port, timeout=timeout, context=ssl.create_default_context())
    else:
        connection = http.client.HTTPConnection(host, port, timeout=timeout)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        with suppress_instrumentation():
            connection.request(method, path, body, {"user-agent": "otel-llm-router-health", **headers})
            answer = connection.getresponse()
            return answer.status, answer.read(65_536)
    finally:
        connection.close()


def _redis(url: str, parts: SplitResult, port: int) -> Result:
    try:
        redis: Any = importlib.import_module("redis")  # only applications that use it have it
    except ImportError:
        return _tcp(parts, port)
    from opentelemetry.instrumentation.utils import suppress_instrumentation  # noqa: PLC0415

    client = redis.Redis.from_url(url, socket_timeout=CONNECT_TIMEOUT, socket_connect_timeout=CONNECT_TIMEOUT)
    try:
        with suppress_instrumentation():
            client.ping()
        return Result(healthy=True, message=f"{_named(parts, port)} answers PING")
    except Exception as error:  # noqa: BLE001  # redis' own classes; their words may repeat the URL
        return _failed(parts, port, error)
    finally:
        client.close()


def round_trip(write: Callable[[str, str], Any], read: Callable[[str], Any], delete: Callable[[str], Any]) -> Probe:
    """Return the check that a cache gives back what was put into it.

    Args:
        write: Puts a value under a key.
        read: Returns the value of a key, text or bytes.
        delete: Removes a key.
    """

    def check() -> Result:
        key, value = f"otel-llm-router-health-{os.urandom(8).hex()}", os.urandom(8).hex()
        write(key, value)
        found = read(key)
        delete(key)
        if isinstance(found, bytes):
            found = found.decode(errors="replace")
        healthy = found == value
        return Result(healthy, "what was written was read" if healthy else "what was read is not what was written")

    return check


def inference(url: str, model: str, *, headers: Mapping[str, str] | None = None) -> Probe:
    """Return the check that a chat completion of one token succeeds. It costs what such a request costs.

    Args:
        url: The endpoint for chat completions, say ``http://127.0.0.1:8000/v1/chat/completions``.
        model: The model to ask for.
        headers: Further headers, say ``{"authorization": "Bearer ..."}``.

    Raises:
        ValueError: the URL is not one of HTTP.
    """
    parts = urlsplit(url)
    port = _port(parts)
    if parts.scheme not in {"http", "https"} or not parts.hostname or port is None:
        raise ValueError("the endpoint for a probe of inference is http(s)://host/path")
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": "ping"}], "max_tokens": 1}).encode()

    def check() -> Result:
        sent = {"content-type": "application/json", **(headers or {})}
        try:
            status, answer = _ask(parts, port, "POST", body, sent, INFERENCE_TIMEOUT)
        except Exception as error:  # noqa: BLE001  # no connection, or no HTTP; the words may repeat the URL
            return _failed(parts, port, error)
        if status != _OK:
            return Result(healthy=False, message=f"the probe was answered {status}", details={"status": status})
        healthy = _has_choice(answer)
        return Result(healthy, "the probe was answered" if healthy else "the answer to the probe is no completion")

    return check


def _has_choice(answer: bytes) -> bool:
    try:
        return bool(json.loads(answer)["choices"])
    except (ValueError, KeyError, TypeError):
        return False
