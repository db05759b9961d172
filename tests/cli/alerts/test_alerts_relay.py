"""`otel-llm-router alerts relay`: Alertmanager's webhook in, one object for each alert out, once."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from alert_doubles import Certificate, fired, group, webhook
from otel_llm_router.cli.alerts import _relay, _server
from otel_llm_router.cli.alerts._relay import Relay
from otel_llm_router.cli.alerts._server import RelayServer
from otel_llm_router.cli.alerts.command import alerts


def relay(url: str, said: list[str] | None = None, window: float = _relay.WINDOW_SECONDS) -> Relay:
    return Relay(url, say=(said if said is not None else []).append, window=window, pauses=(0.0, 0.0))


@contextmanager
def serving(relay: Relay, token: str = "") -> Generator[str]:
    server = RelayServer(("127.0.0.1", 0), relay, token=token)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_each_alert_of_a_group_is_one_object(certificate: Certificate, trusted: Path) -> None:
    with webhook(certificate) as double, serving(relay(double.url)) as url:
        answer = httpx.post(f"{url}/alerts", content=group(fired(), fired("HighQueueSize", queue_type="chat")))
    assert (answer.status_code, answer.text) == (200, "2 delivered, 0 known\n")
    assert double.received[0] == {
        "alert": "HighErrorRate",
        "severity": "warning",
        "message": "0.25 errors per second reach clients.",
        "timestamp": "2026-01-02T03:04:05.678Z",
        "metadata": {
            "current_value": 0.25,
            "threshold": 0.1,
            "status": "firing",
            "runbook": "docs/runbooks.md#higherrorrate",
            "labels": {"service": "shop", "component": "errors"},
        },
    }
    assert double.received[1]["metadata"]["labels"]["queue_type"] == "chat"


def test_the_same_alert_is_delivered_once_and_its_end_too() -> None:
    with webhook() as double:
        one = relay(double.url)
        assert one.take(group(fired())) == (200, "1 delivered, 0 known")
        # A group that changes is sent whole.
        assert one.take(group(fired(), fired("ServiceDown"))) == (200, "1 delivered, 1 known")
        assert one.take(group(fired(status="resolved"))) == (200, "1 delivered, 0 known")
    sent = [(payload["alert"], payload["metadata"]["status"], payload["timestamp"]) for payload in double.received]
    assert sent == [
        ("HighErrorRate", "firing", "2026-01-02T03:04:05.678Z"),
        ("ServiceDown", "firing", "2026-01-02T03:04:05.678Z"),
        ("HighErrorRate", "resolved", "2026-01-02T04:00:00Z"),
    ]


def test_it_is_delivered_again_when_alertmanager_repeats_it_later() -> None:
    with webhook() as double:
        one = relay(double.url, window=0.0)
        for _ in range(2):
            assert one.take(group(fired()))[0] == 200
    assert len(double.received) == 2
    # Alertmanager's shortest repeat interval is an hour.
    assert _relay.WINDOW_SECONDS < 3600


def test_two_alertmanagers_at_once_are_one_delivery() -> None:
    with webhook() as double:
        one = relay(double.url)
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(one.take, [group(fired())] * 8))
    assert [status for status, _ in answers] == [200] * 8
    assert len(double.received) == 1


@pytest.mark.parametrize("status", [429, 500, 503])
def test_what_may_be_taken_later_is_tried_again(status: int) -> None:
    said: list[str] = []
    with webhook() as double:
        double.answers = [(status, "later", {}), (status, "later", {"Retry-After": "0"}), (200, "ok", {})]
        assert relay(double.url, said).take(group(fired()))[0] == 200
    assert (len(double.received), said) == (3, [])


def test_what_is_never_taken_is_alertmanagers_to_try_again() -> None:
    said: list[str] = []
    with webhook() as double:
        double.answers = [(503, "later", {})] * 3 + [(200, "ok", {})]
        one = relay(double.url, said)
        assert one.take(group(fired())) == (502, "HighErrorRate is not delivered: the webhook answers 503")
        assert one.take(group(fired())) == (200, "1 delivered, 0 known")
    assert len(double.received) == 4
    assert said == ["HighErrorRate is not delivered: the webhook answers 503"]


def test_what_is_refused_is_not_tried_again() -> None:
    with webhook() as double:
        double.answers = [(400, "no", {})]
        assert relay(double.url).take(group(fired()))[0] == 422
    assert len(double.received) == 1


def test_nobody_there_is_tried_again_later_and_the_url_stays_secret() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        status, text = relay(f"http://127.0.0.1:{taken.getsockname()[1]}/s3cret").take(group(fired()))
    assert (status, "s3cret" in text) == (502, False)


def test_no_secret_reaches_the_webhook() -> None:
    key = "sk-" + "a1B2" * 8
    alert = fired(instance=f"http://me:{key}@10.0.0.1", api_key="whatever-it-is")
    alert["annotations"]["description"] = f"call with Authorization: Bearer {key} failed"
    with webhook() as double:
        assert relay(double.url).take(group(alert))[0] == 200
    sent = json.dumps(double.received)
    assert key not in sent
    assert "whatever-it-is" not in sent


@pytest.mark.parametrize("value", ["NaN", "+Inf", "many", "", None])
def test_a_value_that_json_has_no_word_for_is_null(value: str | None) -> None:
    alert = fired()
    alert["annotations"]["current_value"] = value
    with webhook() as double:
        assert relay(double.url).take(group(alert))[0] == 200
    assert double.received[0]["metadata"]["current_value"] is None


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"{}", b'{"alerts": 1}', b'{"alerts": [{}]}', b'{"alerts": ["x"]}', b"\xff", b"[" * 50_000],
)
def test_a_body_that_is_not_alertmanagers_is_refused(body: bytes) -> None:
    assert relay("http://127.0.0.1:1/").take(body) == (400, "this is not what Alertmanager posts to a webhook")


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_relay, "MAX_KNOWN", 3)
    with webhook() as double:
        one = relay(double.url)
        for number in range(4):
            one.take(group(fired(instance=str(number))))
        assert one.take(group(fired(instance="3"))) == (200, "0 delivered, 1 known")
        assert one.take(group(fired(instance="0"))) == (200, "1 delivered, 0 known")


def test_a_token_is_asked_for() -> None:
    with webhook() as double, serving(relay(double.url), token="t0ken") as url:
        refused: list[dict[str, Any]] = [{}, {"Authorization": "Bearer other"}, {"Authorization": b"Bearer t\xe9"}]
        for headers in refused:
            assert httpx.post(url, content=group(fired()), headers=headers).status_code == 401
        right = {"Authorization": "Bearer t0ken"}
        assert httpx.post(url, content=group(fired()), headers=right).status_code == 200
    assert len(double.received) == 1


def test_bodies_are_bounded_and_health_is_free() -> None:
    with serving(relay("http://127.0.0.1:1/"), token="t0ken") as url:
        right = {"Authorization": "Bearer t0ken"}
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=60) as client:
            client.sendall(
                f"POST / HTTP/1.1\r\nAuthorization: Bearer t0ken\r\nContent-Length: {_server.MAX_BODY + 1}\r\n\r\n".encode()
            )
            assert client.recv(12) == b"HTTP/1.0 413"
        assert httpx.post(url, content=iter([b"{}"]), headers=right).status_code == 411
        assert httpx.get(f"{url}/health").status_code == 200
        assert httpx.get(url).status_code == 404


def test_who_comes_when_there_is_no_room_is_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_server, "MAX_REQUESTS", 1)
    with serving(relay("http://127.0.0.1:1/")) as url:
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=60) as first:
            first.sendall(b"POST / HTTP/1.1\r\n")
            with socket.create_connection((host, int(port)), timeout=60) as second:
                assert second.recv(1) == b""
            first.sendall(b"Content-Length: 2\r\n\r\n{}")
            assert first.recv(12) == b"HTTP/1.0 400"


def test_the_command_serves_until_it_is_told_to_stop(certificate: Certificate, trusted: Path, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with webhook(certificate) as double:
        command = [sys.executable, "-c", "from otel_llm_router.cli import main; main()", "alerts", "relay"]
        environ = {"ALERT_WEBHOOK_URL": double.url, "SSL_CERT_FILE": str(trusted), "PATH": "/usr/bin:/bin"}
        process = subprocess.Popen([*command, "--listen", address], env=environ, stderr=subprocess.PIPE, text=True)
        assert process.stderr is not None
        with process.stderr:
            assert process.stderr.readline() == f"relaying alerts from http://{address}\n"
            assert httpx.post(f"http://{address}/alerts", content=group(fired())).status_code == 200
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
            assert re.search(r"Traceback|t0ken", process.stderr.read()) is None
    assert len(double.received) == 1


@pytest.mark.parametrize(
    ("arguments", "environ", "said"),
    [
        ([], {}, "webhook is not configured"),
        (["--listen", "0.0.0.0:9095"], {"ALERT_WEBHOOK_URL": "https://a.example/"}, "ALERTS_RELAY_TOKEN"),
        ([], {"ALERT_WEBHOOK_URL": "https://a.example/", "ALERTING_ENABLED": "false"}, "is off"),
        (["--listen", "9095"], {"ALERT_WEBHOOK_URL": "https://a.example/"}, "HOST:PORT"),
    ],
)
def test_it_does_not_start_when_something_is_missing(arguments: list[str], environ: dict[str, str], said: str) -> None:
    result = CliRunner().invoke(alerts, ["relay", *arguments], env=environ)
    assert result.exit_code in {1, 2}
    assert said in result.output


def test_a_port_that_is_taken_is_one_message() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        result = CliRunner().invoke(
            alerts, ["relay", "--listen", address], env={"ALERT_WEBHOOK_URL": "https://a.example/"}
        )
    assert (result.exit_code, f"cannot listen on {address}" in result.output) == (1, True)
