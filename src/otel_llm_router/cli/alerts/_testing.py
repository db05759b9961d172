"""A test message to a channel.

Room: `cli`. `Channels` and the name of one come in; what the other side said goes out.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from otel_llm_router import redaction
from otel_llm_router.cli.alerts import _alert, _mail
from otel_llm_router.cli.alerts._alert import Alert
from otel_llm_router.cli.alerts._channels import Channels
from otel_llm_router.cli.alerts._post import NotDeliveredError, post

_SHOWN = 200


@dataclass(frozen=True)
class Verdict:
    """What became of a test message.

    Args:
        channel: Its channel.
        delivered: Whether the other side has taken it.
        said: What the other side said, or what went wrong.
        status: HTTP's number; None where there is none.
    """

    channel: str
    delivered: bool
    said: str
    status: int | None = None

    def as_json(self) -> dict[str, Any]:
        """Give the verdict for ``--json``."""
        return {"channel": self.channel, "delivered": self.delivered, "status": self.status, "said": self.said}


def send(channel: str, channels: Channels) -> Verdict:
    """Send a test message to a channel that is configured."""
    alert = _test_alert()
    try:
        if channel == "email":
            if channels.email is None:
                return Verdict(channel, False, "not configured")
            return Verdict(channel, True, _mail.send(_alert.email(alert, channels.email), channels.email))
        url, body = {
            "webhook": (channels.webhook_url, _alert.webhook(alert)),
            "slack": (channels.slack_url, _alert.slack(alert)),
            "pagerduty": (channels.pagerduty_url, _alert.pagerduty(alert, channels.pagerduty_key)),
        }[channel]
        answer = post(url, body)
    except NotDeliveredError as error:
        return Verdict(channel, False, _printable(str(error)))
    return Verdict(channel, answer.accepted, _printable(answer.text), answer.status)


def _test_alert() -> Alert:
    now = dt.datetime.now(dt.timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z")
    return Alert(
        name="TestAlert",
        severity="info",
        status="firing",
        message="A test of this channel by otel-llm-router alerts test. Nothing is wrong.",
        timestamp=now,
        current_value=1.0,
        threshold=0.0,
        labels={"service": "llm-router", "component": "alerts"},
        key="otel-llm-router/alerts-test",
    )


def _printable(text: str) -> str:
    """Make what a stranger said fit for a terminal: one line, no secrets, no control characters."""
    line = redaction.text(text[:_SHOWN])
    return "".join(character if character.isprintable() else " " for character in line).strip()
