"""Options of alerts: which channels there are, and their secrets.

Room: `signals`. The router's own process sends no alert and reads none of these: ``otel-llm-router alerts`` does.
"""

from __future__ import annotations

from otel_llm_router.signals._model import Option

ALERTS = Option(
    name="alerts",
    env="OTEL_LLM_ROUTER_ALERTS",
    type="bool",
    default=True,
    description=(
        "Whether `otel-llm-router alerts` makes a configuration that sends. The router itself never sends an alert: the rules "
        "in Prometheus find them and Alertmanager sends them; see [alerts.md](alerts.md)."
    ),
    aliases=("ALERTING_ENABLED",),
)
ALERTS_WEBHOOK_URL = Option(
    name="alerts_webhook_url",
    env="OTEL_LLM_ROUTER_ALERTS_WEBHOOK_URL",
    type="str",
    default="",
    description="Where `otel-llm-router alerts relay` posts each alert as JSON; HTTPS, unless it is this machine.",
    aliases=("ALERT_WEBHOOK_URL",),
    secret=True,
)
ALERTS_RELAY_URL = Option(
    name="alerts_relay_url",
    env="OTEL_LLM_ROUTER_ALERTS_RELAY_URL",
    type="str",
    default="http://127.0.0.1:9095/alerts",
    description="Where Alertmanager finds the relay.",
)
ALERTS_RELAY_TOKEN = Option(
    name="alerts_relay_token",
    env="OTEL_LLM_ROUTER_ALERTS_RELAY_TOKEN",
    type="str",
    default="",
    description="Bearer token that the relay asks of Alertmanager; needed when the relay listens beyond this machine.",
    secret=True,
)
ALERTS_SLACK_URL = Option(
    name="alerts_slack_url",
    env="OTEL_LLM_ROUTER_ALERTS_SLACK_URL",
    type="str",
    default="",
    description="Incoming webhook of Slack, to which alerts go.",
    aliases=("SLACK_WEBHOOK_URL",),
    secret=True,
)
ALERTS_PAGERDUTY_KEY = Option(
    name="alerts_pagerduty_key",
    env="OTEL_LLM_ROUTER_ALERTS_PAGERDUTY_KEY",
    type="str",
    default="",
    description="Routing key of PagerDuty's Events API v2, to which critical alerts go.",
    aliases=("PAGERDUTY_ROUTING_KEY",),
    secret=True,
)
ALERTS_PAGERDUTY_URL = Option(
    name="alerts_pagerduty_url",
    env="OTEL_LLM_ROUTER_ALERTS_PAGERDUTY_URL",
    type="str",
    default="https://events.pagerduty.com/v2/enqueue",
    description="PagerDuty's Events API; `https://events.eu.pagerduty.com/v2/enqueue` for its European service.",
)
ALERTS_EMAIL = Option(
    name="alerts_email",
    env="OTEL_LLM_ROUTER_ALERTS_EMAIL",
    type="bool",
    default=False,
    description="Send alerts by email too.",
    aliases=("EMAIL_ALERTS_ENABLED",),
)
ALERTS_EMAIL_TO = Option(
    name="alerts_email_to",
    env="OTEL_LLM_ROUTER_ALERTS_EMAIL_TO",
    type="str",
    default="",
    description="Addresses that alerts go to, with commas between them.",
    aliases=("ALERT_EMAIL_TO", "ALERT_EMAIL_RECIPIENTS"),
)
ALERTS_EMAIL_FROM = Option(
    name="alerts_email_from",
    env="OTEL_LLM_ROUTER_ALERTS_EMAIL_FROM",
    type="str",
    default="",
    description="Address that alerts come from.",
    aliases=("SMTP_FROM",),
)
ALERTS_SMTP_HOST = Option(
    name="alerts_smtp_host",
    env="OTEL_LLM_ROUTER_ALERTS_SMTP_HOST",
    type="str",
    default="",
    description="Mail server that takes alerts.",
    aliases=("SMTP_HOST",),
)
ALERTS_SMTP_PORT = Option(
    name="alerts_smtp_port",
    env="OTEL_LLM_ROUTER_ALERTS_SMTP_PORT",
    type="int",
    default=587,
    minimum=1,
    maximum=65535,
    description="Its port: TLS from the first byte on 465, STARTTLS on every other, required unless it is this machine.",
    aliases=("SMTP_PORT",),
)
ALERTS_SMTP_USER = Option(
    name="alerts_smtp_user",
    env="OTEL_LLM_ROUTER_ALERTS_SMTP_USER",
    type="str",
    default="",
    description="Its user, if it asks for one.",
    aliases=("SMTP_USER", "SMTP_USERNAME"),
)
ALERTS_SMTP_PASSWORD = Option(
    name="alerts_smtp_password",
    env="OTEL_LLM_ROUTER_ALERTS_SMTP_PASSWORD",
    type="str",
    default="",
    description="That user's password.",
    aliases=("SMTP_PASSWORD", "SMTP_PASS"),
    secret=True,
)
ALERTS_ESCALATE = Option(
    name="alerts_escalate",
    env="OTEL_LLM_ROUTER_ALERTS_ESCALATE",
    type="int",
    default=60,
    minimum=0,
    maximum=10_080,
    description="Minutes after which a warning that still fires becomes critical; 0 for never.",
)
