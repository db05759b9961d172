"""Files of `deploy/` that repeat what is declared elsewhere, in the shape that their readers want.

The rule files and the configuration of Alertmanager come in; the resource of the Prometheus operator, and what the
Compose file begins with, go out.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any, Final

import yaml

from dashboards.source import alerts, recording
from dashboards.source.rules import GENERATED_NOTE, dump
from otel_llm_router.cli.alerts import _alertmanager
from otel_llm_router.cli.alerts._channels import Channels

SECRETS: Final = PurePosixPath("/etc/alertmanager/secrets")
"""Where the Alertmanager of the Compose file sees secrets."""
ESCALATE_MINUTES: Final = 60


def prometheus_rule() -> str:
    """Render our rules as the Prometheus operator reads them."""
    groups: list[Any] = []
    for text in (alerts.text(), recording.text()):
        groups += yaml.safe_load(text)["groups"]
    content = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "llm-router"},
        "spec": {"groups": groups},
    }
    return f"# Our alerts and recorded series, for the Prometheus operator.\n# {GENERATED_NOTE}\n{dump(content)}"


def alertmanager() -> str:
    """Render a configuration of Alertmanager that tells nobody, to begin with."""
    return _alertmanager.configuration(Channels(), SECRETS)


def escalation() -> str:
    """Render the rule that escalates."""
    return _alertmanager.escalation(ESCALATE_MINUTES)
