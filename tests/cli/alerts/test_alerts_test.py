"""`otel-llm-router alerts test`: a real message over a real connection, and what came back."""

from __future__ import annotations

import email
import json
import re
import socket
import threading
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from alert_doubles import Certificate, mail_server, webhook
from otel_llm_router.cli.alerts import _post
from otel_llm_router.cli.alerts.command import alerts

PAYLOAD = {"alert", "severity", "message", "timestamp", "metadata"}
SINCE = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"


def run(channel: str, environ: dict[str, str], *arguments: str) -> Result:
    return CliRunner().invoke(alerts, ["test", channel, *arguments], env=environ)


def test_a_webhook_over_tls_gets_the_payload(certificate: Certificate, trusted: Path) -> None:
    with webhook(certificate) as double:
        result = run("webhook", {"ALERT_WEBHOOK_URL": double.url})
    assert (result.exit_code, result.output) == (0, "webhook: taken 200 ok\n")
    (payload,) = double.received
    assert set(payload) == PAYLOAD
    assert (payload["alert"], payload["severity"]) == ("TestAlert", "info")
    assert re.fullmatch(SINCE, payload["timestamp"])
    assert (payload["metadata"]["current_value"], payload["metadata"]["threshold"]) == (1.0, 0.0)
    assert double.paths == ["/hook/t0ken"]


def test_a_certificate_that_nobody_vouches_for_is_not_talked_to(certificate: Certificate) -> None:
    with webhook(certificate) as double:
        result = run("webhook", {"ALERT_WEBHOOK_URL": double.url})
    assert result.exit_code == 1
    assert "CERTIFICATE_VERIFY_FAILED" in result.output
    assert double.received == []


def test_slack_gets_a_text_and_its_refusal_is_shown(certificate: Certificate, trusted: Path) -> None:
    with webhook(certificate) as double:
        double.answers = [(200, "ok", {}), (404, "no_service", {})]
        results = [run("slack", {"SLACK_WEBHOOK_URL": double.url}) for _ in range(2)]
    assert [result.output for result in results] == ["slack: taken 200 ok\n", "slack: NOT TAKEN 404 no_service\n"]
    assert [result.exit_code for result in results] == [0, 1]
    assert set(double.received[0]) == {"text"}
    assert double.received[0]["text"].startswith("[FIRING] TestAlert (info)\n")


def test_pagerduty_gets_an_event(certificate: Certificate, trusted: Path) -> None:
    with webhook(certificate) as double:
        double.answers = [(202, '{"status":"success"}', {})]
        environ = {"PAGERDUTY_ROUTING_KEY": "k3y", "OTEL_LLM_ROUTER_ALERTS_PAGERDUTY_URL": double.url}
        result = run("pagerduty", environ)
    assert (result.exit_code, result.output) == (0, 'pagerduty: taken 202 {"status":"success"}\n')
    (event,) = double.received
    assert (event["routing_key"], event["event_action"]) == ("k3y", "trigger")
    # What https://developer.pagerduty.com/docs/events-api-v2/trigger-events/ asks for.
    assert {"summary", "source", "severity"} <= set(event["payload"])
    assert event["payload"]["severity"] in {"critical", "error", "warning", "info"}


def mail_options(port: int, **more: str) -> dict[str, str]:
    return {
        "EMAIL_ALERTS_ENABLED": "true",
        "ALERT_EMAIL_TO": "ops@example.com, oncall@example.com",
        "SMTP_FROM": "alerts@example.com",
        "SMTP_HOST": "127.0.0.1",
        "SMTP_PORT": str(port),
        "SMTP_USER": "mailer",
        "SMTP_PASS": "right",
        **more,
    }


def test_an_email_goes_over_tls_with_a_login(certificate: Certificate, trusted: Path) -> None:
    with mail_server(certificate) as double:
        result = run("email", mail_options(double.port))
    assert result.exit_code == 0, result.output
    assert (
        result.output == f"email: taken 127.0.0.1:{double.port} has taken it for ops@example.com, oncall@example.com\n"
    )
    (mail,) = (email.message_from_string(mail) for mail in double.mails)
    assert (mail["Subject"], mail["To"]) == ("[FIRING] TestAlert (info)", "ops@example.com, oncall@example.com")
    assert double.over_tls == [True]


def test_what_a_mail_server_refuses_is_said(certificate: Certificate, trusted: Path) -> None:
    with mail_server(certificate) as double:
        wrong = run("email", mail_options(double.port, SMTP_PASS="wr0ng-s3cret"))
        double.refuses = "oncall"
        half = run("email", mail_options(double.port))
    assert (wrong.exit_code, "wrong password" in wrong.output, "s3cret" in wrong.output) == (1, True, False)
    assert (half.exit_code, "no mail for oncall@example.com" in half.output) == (1, True)


def test_nothing_is_mailed_in_the_clear_to_another_machine(certificate: Certificate) -> None:
    with mail_server(certificate) as double:
        double.offers_tls = False
        # This address is the machine's own too, and nobody can tell by looking at it.
        result = run("email", mail_options(double.port, SMTP_HOST="0.0.0.0"))
    assert (result.exit_code, "offers no TLS" in result.output) == (1, True)
    assert double.mails == []


def test_a_redirect_is_not_followed(certificate: Certificate, trusted: Path) -> None:
    with webhook() as plain, webhook(certificate) as double:
        double.answers = [(302, "", {"Location": plain.url})]
        result = run("webhook", {"ALERT_WEBHOOK_URL": double.url})
    assert (result.exit_code, result.output) == (1, "webhook: NOT TAKEN 302\n")
    assert plain.received == []


def test_nobody_there_is_said_without_the_secret_in_the_url() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        result = run("slack", {"SLACK_WEBHOOK_URL": f"https://127.0.0.1:{port}/services/s3cret"})
    assert result.exit_code == 1
    assert f"127.0.0.1:{port}" in result.output
    assert "s3cret" not in result.output


def test_one_that_never_answers_has_a_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        with pytest.raises(_post.NotDeliveredError, match=r"has not answered within 0\.2 s"):
            _post.post(url, b"{}", seconds=0.2)


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-x\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"])
def test_one_that_speaks_no_http_is_not_delivered_to(answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as odd:

        def once() -> None:
            client, _ = odd.accept()
            with client:
                client.recv(65536)
                client.sendall(answer)

        thread = threading.Thread(target=once)
        thread.start()
        with pytest.raises(_post.NotDeliveredError):
            _post.post(f"http://127.0.0.1:{odd.getsockname()[1]}/", b"{}")
        thread.join()


def test_what_a_stranger_answers_does_no_harm_to_a_terminal(certificate: Certificate, trusted: Path) -> None:
    with webhook(certificate) as double:
        double.answers = [(500, "a\x1b[31m\nb Bearer abcdefghijklmnop " + "x" * 5000, {})]
        result = run("webhook", {"ALERT_WEBHOOK_URL": double.url})
    assert result.exit_code == 1
    assert len(result.output.splitlines()) == 1
    assert len(result.output) < 300
    assert "\x1b" not in result.output
    assert "abcdefghijklmnop" not in result.output


def test_all_channels_as_json(certificate: Certificate, trusted: Path) -> None:
    with webhook(certificate) as double:
        double.answers = [(200, "ok", {}), (403, "invalid_token", {})]
        environ = {"ALERT_WEBHOOK_URL": double.url, "SLACK_WEBHOOK_URL": double.url}
        result = run("all", environ, "--json")
    assert result.exit_code == 1
    verdicts: list[dict[str, Any]] = json.loads(result.output)
    assert verdicts == [
        {"channel": "webhook", "delivered": True, "status": 200, "said": "ok"},
        {"channel": "slack", "delivered": False, "status": 403, "said": "invalid_token"},
    ]


@pytest.mark.parametrize("channel", ["webhook", "slack", "pagerduty", "email", "all"])
def test_a_channel_that_is_not_configured_says_which_option_it_needs(channel: str) -> None:
    result = run(channel, {})
    assert (result.exit_code, "configured" in result.output) == (1, True)
    assert "docs/alerts.md" in result.output
