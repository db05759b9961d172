"""Stand-ins for services that alerts go to: a webhook over TLS, and a mail server. They speak the protocols."""

from __future__ import annotations

import base64
import json
import socketserver
import ssl
import subprocess
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


@dataclass
class Certificate:
    """A certificate for 127.0.0.1, which is its own authority."""

    crt: Path
    key: Path

    @classmethod
    def made(cls, directory: Path) -> Certificate:
        crt, key = directory / "own.crt", directory / "own.key"
        command = (
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
            f"-subj /CN=own -addext subjectAltName=IP:127.0.0.1 -keyout {key} -out {crt}"
        )
        subprocess.run(command.split(), check=True, capture_output=True)
        return cls(crt, key)

    def context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.crt, self.key)
        return context


@dataclass
class Webhook:
    """Takes JSON, and answers what it is told to; the last answer stays."""

    url: str = ""
    answers: list[tuple[int, str, dict[str, str]]] = field(default_factory=lambda: [(200, "ok", {})])
    received: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    paths: list[str] = field(default_factory=list[str])
    came: threading.Event = field(default_factory=threading.Event)

    def next_answer(self) -> tuple[int, str, dict[str, str]]:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


class _HttpServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # a client that goes away, which is some tests' point


@contextmanager
def webhook(certificate: Certificate | None = None) -> Generator[Webhook]:
    found = Webhook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.received.append(json.loads(body))
            found.paths.append(self.path)
            status, text, headers = found.next_answer()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())
            found.came.set()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            pass

    server = _HttpServer(("127.0.0.1", 0), Handler)
    if certificate is not None:
        server.socket = certificate.context().wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    found.url = f"{'https' if certificate else 'http'}://127.0.0.1:{server.server_port}/hook/t0ken"
    with _serving(server):
        yield found


@dataclass
class MailServer:
    """Takes mail after STARTTLS and a login."""

    port: int = 0
    offers_tls: bool = True
    password: str = "right"
    refuses: str = ""
    mails: list[str] = field(default_factory=list[str])
    over_tls: list[bool] = field(default_factory=list[bool])


class _MailHandler(socketserver.StreamRequestHandler):
    told: MailServer
    context: ssl.SSLContext
    tls = False

    def say(self, *lines: str) -> None:
        self.wfile.write("".join(f"{line}\r\n" for line in lines).encode())
        self.wfile.flush()

    def finish(self) -> None:
        super().finish()
        self.request.close()  # what TLS has been wrapped around is the server's to close

    def handle(self) -> None:
        self.say("220 double")
        while line := self.rfile.readline().decode().strip():
            known = {
                "EHLO": self.hello,
                "STARTTLS": self.encrypt,
                "AUTH": self.login,
                "RCPT": self.to,
                "DATA": self.data,
            }
            known.get(line.split()[0].upper(), self.other)(line)

    def hello(self, _: str) -> None:
        self.say("250-double", "250 AUTH PLAIN" if self.tls or not self.told.offers_tls else "250 STARTTLS")

    def encrypt(self, _: str) -> None:
        self.say("220 go")
        self.request = self.context.wrap_socket(self.request, server_side=True)
        self.rfile, self.wfile, self.tls = self.request.makefile("rb"), self.request.makefile("wb"), True

    def login(self, line: str) -> None:
        given = base64.b64decode(line.split()[2]).decode().split("\0")[-1]
        self.say("235 ok" if given == self.told.password else "535 5.7.8 wrong password")

    def to(self, line: str) -> None:
        self.say("550 nobody here" if self.told.refuses and self.told.refuses in line else "250 ok")

    def data(self, _: str) -> None:
        self.say("354 go")
        lines = list(iter(lambda: self.rfile.readline().decode(), ".\r\n"))
        self.told.mails.append("".join(lines))
        self.told.over_tls.append(self.tls)
        self.say("250 taken")

    def other(self, line: str) -> None:
        self.say("221 bye" if line.upper() == "QUIT" else "250 ok")


@contextmanager
def mail_server(certificate: Certificate) -> Generator[MailServer]:
    found = MailServer()

    class Handler(_MailHandler):
        told = found
        context = certificate.context()

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            pass

    server = Server(("127.0.0.1", 0), Handler)
    found.port = server.server_address[1]
    with _serving(server):
        yield found


@contextmanager
def _serving(server: socketserver.BaseServer) -> Generator[None]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def group(*alerts: dict[str, Any]) -> bytes:
    """What Alertmanager posts to a webhook: version 4."""
    return json.dumps(
        {
            "version": "4",
            "groupKey": '{}:{service="shop"}',
            "truncatedAlerts": 0,
            "status": "firing",
            "receiver": "critical",
            "groupLabels": {"service": "shop"},
            "commonLabels": {"service": "shop"},
            "commonAnnotations": {},
            "externalURL": "http://alertmanager:9093",
            "alerts": list(alerts),
        }
    ).encode()


def fired(name: str = "HighErrorRate", *, status: str = "firing", **labels: str) -> dict[str, Any]:
    """One alert in it."""
    return {
        "status": status,
        "labels": {"alertname": name, "severity": "warning", "service": "shop", "component": "errors", **labels},
        "annotations": {
            "summary": "shop: errors reach clients",
            "description": "0.25 errors per second reach clients.",
            "current_value": "0.25",
            "threshold": "0.1",
            "runbook": "docs/runbooks.md#higherrorrate",
        },
        "startsAt": "2026-01-02T03:04:05.678Z",
        "endsAt": "2026-01-02T04:00:00Z" if status == "resolved" else "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus:9090/graph",
        "fingerprint": "0123456789abcdef",
    }
