"""Alertmanager's configuration, and the rule that escalates.

Room: `cli`. `Channels` come in; the text of ``alertmanager.yaml`` and ``escalation.yaml`` goes out, and the secrets
that the first refers to, each for a file of its own. Valid for Alertmanager 0.27 and newer.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any, Final

import yaml

from otel_llm_router.cli.alerts._channels import Channels, Email, is_loopback

SECRETS: Final = ("slack_url", "pagerduty_key", "smtp_password", "relay_token")
"""Names of the files that secrets are in."""

# Alerts of one service that begin together are one message: an outage is one message, not six.
_GROUP_BY: Final = ["service", "namespace"]
# Labels that say what an alert is about. One that neither alert has counts as equal.
_SAME: Final = ["service", "component", "namespace", "instance", "queue_type"]
_TITLE: Final = (
    '[{{ .Status | toUpper }}{{ if eq .Status "firing" }}: {{ .Alerts.Firing | len }}{{ end }}] '
    "{{ .CommonLabels.service }}: {{ range $i, $a := .Alerts }}{{ if $i }}, {{ end }}{{ $a.Labels.alertname }}{{ end }}"
)
_TEXT: Final = (
    "{{ range .Alerts }}{{ .Labels.alertname }} ({{ .Labels.severity }}, {{ .Status }}): "
    "{{ .Annotations.description }}\n"
    "{{ if .Annotations.runbook }}Runbook: {{ .Annotations.runbook }}\n{{ end }}{{ end }}"
)
_COLOR: Final = (
    '{{ if ne .Status "firing" }}good{{ else if eq .CommonLabels.severity "critical" }}danger{{ else }}warning{{ end }}'
)
_NOBODY: Final = "nobody"
_HEADER: Final = """\
# Alertmanager for LLM routers: critical alerts at once and every hour, warnings every four hours.
# Written by otel-llm-router alerts export; the secrets are in files of their own.
"""
_ESCALATION_HEADER: Final = """\
# A warning that nobody has ended becomes critical. Load it into Prometheus beside alerts.yaml.
# Written by otel-llm-router alerts export.
"""


def secrets(channels: Channels) -> Mapping[str, str]:
    """Give each secret that the configuration refers to, by the name of its file."""
    password = channels.email.password if channels.email is not None else ""
    values = (
        channels.slack_url,
        channels.pagerduty_key,
        password,
        channels.relay_token if channels.webhook_url else "",
    )
    return {name: value for name, value in zip(SECRETS, values, strict=True) if value}


def configuration(channels: Channels, directory: PurePath, *, enabled: bool = True) -> str:
    """Write ``alertmanager.yaml``.

    Args:
        channels: Where alerts go.
        directory: Where Alertmanager finds the files of `secrets`.
        enabled: False writes a configuration that takes alerts and tells nobody.
    """
    receivers = _receivers(channels, directory) if enabled else dict[str, dict[str, Any]]()
    routes = [
        {"receiver": severity, "matchers": [f'severity="{severity}"'], **timing}
        for severity, timing in (
            ("critical", {"group_wait": "10s", "repeat_interval": "1h"}),
            ("warning", {"group_wait": "30s", "repeat_interval": "4h"}),
        )
        if receivers.get(severity)
    ]
    content: dict[str, Any] = {
        **({"global": _mail_server(channels.email, directory)} if enabled and channels.email is not None else {}),
        "route": {
            # What no route below takes: alerts of a severity that is not ours, or of no severity.
            "receiver": "warning" if receivers.get("warning") else _NOBODY,
            "group_by": _GROUP_BY,
            "group_wait": "30s",
            "group_interval": "5m",
            "repeat_interval": "4h",
            **({"routes": routes} if routes else {}),
        },
        "inhibit_rules": [
            {"source_matchers": ['severity="critical"'], "target_matchers": ['severity="warning"'], "equal": _SAME}
        ],
        "receivers": [{"name": _NOBODY}, *({"name": name, **there} for name, there in receivers.items() if there)],
    }
    return _HEADER + _dump(content)


def escalation(minutes: int) -> str:
    """Write ``escalation.yaml``: a rule that makes a warning critical after ``minutes``; none for 0."""
    same = ", ".join(("job", "alertname", *_SAME))
    firing = 'ALERTS{alertstate="firing", severity="warning", service=~".+", component=~".+"}'
    rule = {
        "alert": "UnattendedWarning",
        "expr": f'label_replace(max by ({same}) ({firing}), "warning", "$1", "alertname", "(.+)")',
        "for": f"{minutes}m",
        "labels": {"severity": "critical"},
        "annotations": {
            "summary": "{{ $labels.service }}: nobody has ended {{ $labels.warning }}",
            "description": f"The warning {{{{ $labels.warning }}}} has fired for {minutes} minutes.",
            "runbook": "docs/alerts.md#escalation",
        },
    }
    groups = [{"name": "llm-router-escalation", "interval": "1m", "rules": [rule]}] if minutes else []
    return _ESCALATION_HEADER + _dump({"groups": groups})


def _receivers(channels: Channels, directory: PurePath) -> Mapping[str, dict[str, Any]]:
    """Whoever gets warnings, and whoever gets critical alerts; PagerDuty, which wakes people, only the latter."""
    both: dict[str, Any] = {}
    if channels.slack_url:
        both["slack_configs"] = [
            {
                "api_url_file": str(directory / "slack_url"),
                "send_resolved": True,
                "color": _COLOR,
                "title": _TITLE,
                "fallback": _TITLE,
                "text": _TEXT,
            }
        ]
    if channels.email is not None:
        # Without HTML: what an alert says is text.
        both["email_configs"] = [
            {
                "to": ", ".join(channels.email.to),
                "send_resolved": True,
                "headers": {"Subject": _TITLE},
                "html": "",
                "text": _TEXT,
            }
        ]
    if channels.webhook_url:
        token = {"authorization": {"credentials_file": str(directory / "relay_token")}} if channels.relay_token else {}
        both["webhook_configs"] = [
            {
                "url": channels.relay_url,
                "send_resolved": True,
                "http_config": {"follow_redirects": False, **token},
            }
        ]
    pager: dict[str, Any] = {}
    if channels.pagerduty_key:
        pager["pagerduty_configs"] = [
            {
                "routing_key_file": str(directory / "pagerduty_key"),
                "url": channels.pagerduty_url,
                "send_resolved": True,
                "severity": "critical",
                "description": _TITLE,
                "component": "{{ .CommonLabels.component }}",
            }
        ]
    return {"warning": both, "critical": {**both, **pager}}


def _mail_server(email: Email, directory: PurePath) -> Mapping[str, Any]:
    host = f"[{email.host}]" if ":" in email.host else email.host
    settings: dict[str, Any] = {
        "smtp_smarthost": f"{host}:{email.port}",
        "smtp_from": email.sender,
        "smtp_require_tls": not (is_loopback(email.host) or email.implicit_tls),
    }
    if email.user:
        settings["smtp_auth_username"] = email.user
    if email.password:
        settings["smtp_auth_password_file"] = str(directory / "smtp_password")
    return settings


class _Dumper(yaml.SafeDumper):
    """No anchors: a person reads the file."""

    def ignore_aliases(self, data: Any) -> bool:
        del data
        return True


def _dump(content: Mapping[str, Any]) -> str:
    return yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10_000)
