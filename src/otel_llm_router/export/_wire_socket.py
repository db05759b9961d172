"""A connection every use of which has a deadline, whatever the other side does.

Room: `export`. Other clients bound each read, and an answer that drips in can then take for ever; here one
moment on the monotonic clock bounds the whole attempt: look-up of the name apart, which no system can cut short.
"""

from __future__ import annotations

import base64
import contextlib
import os
import select
import socket
import ssl
import time
from typing import Final
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies_environment, proxy_bypass_environment  # pyright: ignore[reportAttributeAccessIssue, reportUnknownVariableType]

from otel_llm_router.export._destination import Destination

_CHUNK: Final = 64 * 1024
_MAX_PROXY_ANSWER: Final = 16 * 1024


class ProxyRefusedError(OSError):
    """A proxy does not let us through."""


def left(deadline: float) -> float:
    """Return the seconds until ``deadline``.

    Raises:
        TimeoutError: there are none.
    """
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise TimeoutError
    return seconds


class Wire:
    """A connected socket.

    Args:
        connected: The socket; TLS or plain.
        by_proxy: The proxy that takes whole URLs, with its own headers; None when nothing is between.
    """

    def __init__(self, connected: socket.socket, by_proxy: dict[str, str] | None = None) -> None:
        self._socket = connected
        self.by_proxy = by_proxy

    def send(self, content: bytes, deadline: float) -> None:
        """Send all of ``content``.

        Raises:
            OSError: the connection is gone.
            TimeoutError: the other side does not take it in time.
        """
        view = memoryview(content)
        while view:
            self._socket.settimeout(left(deadline))
            sent = self._socket.send(view[:_CHUNK])
            view = view[sent:]

    def receive(self, deadline: float) -> bytes:
        """Return what has come, or nothing at the end.

        Raises:
            OSError: the connection is gone.
            TimeoutError: nothing comes in time.
        """
        self._socket.settimeout(left(deadline))
        return self._socket.recv(_CHUNK)

    def has_news(self) -> bool:
        """Whether there is something to read, be it the end."""
        if isinstance(self._socket, ssl.SSLSocket) and self._socket.pending():
            return True
        try:
            if hasattr(select, "poll"):
                poll = select.poll()
                poll.register(self._socket, select.POLLIN | select.POLLHUP | select.POLLERR)
                return bool(poll.poll(0))
            return bool(select.select([self._socket], [], [], 0)[0])
        except (OSError, ValueError):
            return True

    def close(self) -> None:
        """Close this process's end; a forked child's says nothing to the other side while the parent has its own."""
        with contextlib.suppress(OSError):
            self._socket.close()


def connect(destination: Destination, deadline: float, alpn: str | None = None) -> Wire:
    """Connect, through the proxy that the environment names if it names one.

    Args:
        destination: Where to.
        deadline: When to give up, on the monotonic clock.
        alpn: Protocol to ask for within TLS.

    Raises:
        OSError: it cannot be; `ssl.SSLError` among them.
        TimeoutError: not in time.
    """
    proxy = _proxy_for(destination)
    if proxy is None:
        return Wire(_encrypted(_connected(destination.host, destination.port, deadline), destination, deadline, alpn))
    parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    credentials: dict[str, str] = {}
    if parts.username is not None:
        userinfo = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        credentials["proxy-authorization"] = "Basic " + base64.b64encode(userinfo.encode()).decode()
    connected = _connected(parts.hostname or "", parts.port or 80, deadline)
    if destination.protocol == "http" and not destination.tls:
        return Wire(connected, credentials)
    try:
        _tunnel(connected, destination, credentials, deadline)
    except BaseException:
        connected.close()
        raise
    return Wire(_encrypted(connected, destination, deadline, alpn))


def _proxy_for(destination: Destination) -> str | None:
    proxies = getproxies_environment()
    found = proxies.get("https" if destination.tls else "http") or proxies.get("all")
    if not found or proxy_bypass_environment(destination.authority):
        return None
    return found


def _connected(host: str, port: int, deadline: float) -> socket.socket:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    error: OSError = OSError(f"{host} has no address")
    for index, (family, kind, protocol, _, address) in enumerate(found):
        one = socket.socket(family, kind, protocol)
        try:
            one.settimeout(left(deadline) / (len(found) - index))  # one that swallows packets leaves time for the next
            one.connect(address)
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as failed:
            one.close()
            error = failed
        else:
            return one
    raise error


def _tunnel(connected: socket.socket, destination: Destination, credentials: dict[str, str], deadline: float) -> None:
    target = f"{destination.host}:{destination.port}"
    lines = [
        f"CONNECT {target} HTTP/1.1",
        f"Host: {target}",
        *(f"{name}: {value}" for name, value in credentials.items()),
    ]
    wire = Wire(connected)
    wire.send("\r\n".join([*lines, "", ""]).encode(), deadline)
    answer = b""
    while b"\r\n\r\n" not in answer:
        # One byte at a time: what follows the answer is not the proxy's, and TLS has to find it unread.
        connected.settimeout(left(deadline))
        more = connected.recv(1)
        answer += more
        if not more or len(answer) > _MAX_PROXY_ANSWER:
            raise ProxyRefusedError("the proxy does not answer as one")
    status = answer.split(None, 2)[1:2]
    if status != [b"200"]:
        raise ProxyRefusedError("the proxy refuses the connection")


def _encrypted(connected: socket.socket, destination: Destination, deadline: float, alpn: str | None) -> socket.socket:
    if not destination.tls:
        return connected
    current = connected
    try:
        context = _context(destination)
        if alpn is not None:
            context.set_alpn_protocols([alpn])
        # From here on the connection is the new socket's, and closing the old one closes nothing.
        current = wrapped = context.wrap_socket(
            connected, server_hostname=destination.host, do_handshake_on_connect=False
        )
        wrapped.settimeout(left(deadline))
        wrapped.do_handshake()
    except BaseException:
        current.close()
        raise
    return wrapped


def _context(destination: Destination) -> ssl.SSLContext:
    bundle = destination.certificate or os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
    context = ssl.create_default_context(cafile=bundle or None)
    if not bundle:
        with contextlib.suppress(ImportError, OSError):
            import certifi  # noqa: PLC0415  # what the standard exporter trusts too

            context.load_verify_locations(certifi.where())
    if destination.client_certificate:
        context.load_cert_chain(destination.client_certificate, destination.client_key)
    return context
