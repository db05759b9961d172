"""One alert, and how each channel writes it.

Room: `cli`. What Alertmanager posts, or a test, comes in; the bodies for webhook, Slack, PagerDuty and email go
out. Every text of an alert goes through `redaction` here, so that no channel can forget it.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any, Final, Literal, cast

from otel_llm_router import redaction
from otel_llm_router.cli.alerts._channels import Email

Status = Literal["firing", "resolved"]

MAX_TEXT: Final = 4_000
"""Characters of one text of an alert; the rest is cut off."""
SOURCE: Final = "otel-llm-router"


@dataclass(frozen=True, kw_only=True)
class Alert:
    """One alert.

    Args:
        name: Its name.
        severity: ``warning`` or ``critical``; other rules than ours may have more.
        status: Whether it still fires.
        message: What is wrong, in a sentence.
        timestamp: When it began, or ended when it is resolved; RFC 3339.
        current_value: Value that the rule saw last; None where the rule does not say it.
        threshold: What it was compared with.
        labels: Its other labels: service, component, instance ...
        runbook: Where it says what to do.
        key: What is the same for two messages about the same thing.
    """

    name: str
    severity: str
    status: Status
    message: str
    timestamp: str
    current_value: float | None = None
    threshold: float | None = None
    labels: Mapping[str, str]
    runbook: str = ""
    key: str = ""


class NotAnAlertError(ValueError):
    """A body is not what Alertmanager posts to a webhook."""


def of_alertmanager(body: bytes) -> list[Alert]:
    """Read what Alertmanager posts to a webhook (version 4).

    Raises:
        NotAnAlertError: It is something else.
    """
    try:
        given: Any = json.loads(body)
        return [_one(cast("Mapping[str, Any]", each)) for each in given["alerts"]]
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise NotAnAlertError("this is not what Alertmanager posts to a webhook") from error


def _one(given: Mapping[str, Any]) -> Alert:
    labels = {str(name): str(value) for name, value in given["labels"].items()}
    notes = {str(name): str(value) for name, value in given.get("annotations", {}).items()}
    status: Status = "resolved" if given["status"] == "resolved" else "firing"
    began, name = str(given["startsAt"]), labels.pop("alertname")
    same = [name, sorted(labels.items()), status, began]
    return Alert(
        name=name,
        severity=labels.pop("severity", "none"),
        status=status,
        message=notes.get("description") or notes.get("summary") or name,
        timestamp=str(given.get("endsAt") or began) if status == "resolved" else began,
        current_value=_number(notes.get("current_value")),
        threshold=_number(notes.get("threshold")),
        labels=labels,
        runbook=notes.get("runbook") or notes.get("runbook_url", ""),
        key=hashlib.sha256(json.dumps(same).encode()).hexdigest(),
    )


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) else None  # JSON has no word for the others


def webhook(alert: Alert) -> bytes:
    """Write an alert as our webhook's JSON: alert, severity, message, timestamp, metadata."""
    metadata = {
        "current_value": alert.current_value,
        "threshold": alert.threshold,
        "status": alert.status,
        "runbook": _clean(alert.runbook),
        "labels": _labels(alert),
    }
    content = {
        "alert": _clean(alert.name),
        "severity": _clean(alert.severity),
        "message": _clean(alert.message),
        "timestamp": _clean(alert.timestamp),
        "metadata": metadata,
    }
    return json.dumps(content).encode()


def slack(alert: Alert) -> bytes:
    """Write an alert for Slack's incoming webhook."""
    # Slack's own mark-up begins with these three: https://api.slack.com/reference/surfaces/formatting#escaping
    text = f"{_title(alert)}\n{_clean(alert.message)}"
    for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(character, entity)
    return json.dumps({"text": text}).encode()


def pagerduty(alert: Alert, routing_key: str) -> bytes:
    """Write an alert for PagerDuty's Events API v2."""
    severity = alert.severity if alert.severity in {"critical", "error", "warning", "info"} else "warning"
    content = {
        "routing_key": routing_key,
        "event_action": "trigger" if alert.status == "firing" else "resolve",
        "dedup_key": alert.key or f"{SOURCE}/{_clean(alert.name)}",
        "payload": {
            "summary": f"{_title(alert)}: {_clean(alert.message)}"[:1024],  # their limit
            "source": _clean(alert.labels.get("service", SOURCE)),
            "severity": severity,
            "timestamp": _clean(alert.timestamp),
            "custom_details": {
                "current_value": alert.current_value,
                "threshold": alert.threshold,
                "labels": _labels(alert),
            },
        },
    }
    return json.dumps(content).encode()


def email(alert: Alert, channel: Email) -> EmailMessage:
    """Write an alert as an email."""
    message = EmailMessage()
    message["Subject"] = " ".join(_title(alert).split())  # a header is one line
    message["From"] = channel.sender
    message["To"] = ", ".join(channel.to)
    lines = [_clean(alert.message), "", f"since: {_clean(alert.timestamp)}"]
    lines += [f"{name}: {value}" for name, value in _labels(alert).items()]
    message.set_content("\n".join(lines) + "\n")
    return message


def _title(alert: Alert) -> str:
    return f"[{alert.status.upper()}] {_clean(alert.name)} ({_clean(alert.severity)})"


def _labels(alert: Alert) -> dict[str, str]:
    return {_clean(name): _clean(str(redaction.value(name, value))) for name, value in alert.labels.items()}


def _clean(text: str) -> str:
    return redaction.text(text[:MAX_TEXT])
