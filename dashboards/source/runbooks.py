"""The runbook page: for each alert what it means, what to look at and what to do.

Alerts come in, Markdown goes out. The advice is in `runbook_texts`; the conditions and queries are those of
the rules themselves, so that the page cannot name a threshold that no longer holds.
"""

from __future__ import annotations

from collections.abc import Sequence

from dashboards.source import collector_alerts
from dashboards.source.alerts import ALERTS
from dashboards.source.collector_runbooks import TEXTS as COLLECTOR_TEXTS
from dashboards.source.rules import GENERATED_NOTE, Alert
from dashboards.source.runbook_texts import TEXTS, Runbook

_INTRODUCTION = f"""# Runbooks

<!-- {GENERATED_NOTE} -->

One section per alert in `collector-config/prometheus/alerts.yaml`. Each alert carries the labels `severity`
(`warning` or `critical`), `service` (the job) and `component`, and an annotation `runbook` that leads here.
Panels are named as in Grafana. The first query of a section is the condition of the rule itself; add `job="…"` to look at
one service.
"""


def text() -> str:
    """Render the page.

    Raises:
        KeyError: an alert has no advice.
    """
    texts = {**TEXTS, **COLLECTOR_TEXTS}
    alerts = (*ALERTS, *collector_alerts.ALERTS)
    return "\n".join([_INTRODUCTION, *(_section(alert, texts[alert.name]) for alert in alerts)])


def _section(alert: Alert, runbook: Runbook) -> str:
    queries = [alert.query.text, *(query.text for query in runbook.queries)]
    return "\n".join(
        [
            f"## {alert.name}",
            "",
            f"`severity: {alert.severity}`, `component: {alert.component}`, fires after {alert.hold}.",
            "",
            f"**What it means.** {runbook.meaning}",
            "",
            "**What to look at.**",
            "",
            *_bullets([f"*{dashboard}*, panel *{panel}*" for dashboard, panel in runbook.panels]),
            "",
            "```promql",
            *"\n\n".join(queries).splitlines(),
            "```",
            "",
            "**What to do.**",
            "",
            *_bullets(runbook.actions),
            "",
        ]
    )


def _bullets(items: Sequence[str]) -> list[str]:
    return [f"- {item}" for item in items]
