"""`otel-llm-router alerts export`: what Alertmanager is told, and where secrets are."""

from __future__ import annotations

import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

import promql_parser as promql
import pytest
import yaml
from click.testing import CliRunner, Result

from alertmanager_schema import wrong
from otel_llm_router.cli.alerts.command import alerts

SLACK = "https://hooks.slack.com/services/T000/B000/sl4ck-s3cret"
ALL = {
    "SLACK_WEBHOOK_URL": SLACK,
    "PAGERDUTY_ROUTING_KEY": "pd-s3cret",
    "ALERT_WEBHOOK_URL": "https://alerts.example.com/llm/hook-s3cret",
    "EMAIL_ALERTS_ENABLED": "true",
    "ALERT_EMAIL_TO": "ops@example.com, oncall@example.com",
    "SMTP_FROM": "alerts@example.com",
    "SMTP_HOST": "mail.example.com",
    "SMTP_USER": "mailer",
    "SMTP_PASSWORD": "smtp-s3cret",
    "OTEL_LLM_ROUTER_ALERTS_RELAY_TOKEN": "relay-s3cret",
}
SECRETS = {
    "slack_url": SLACK,
    "pagerduty_key": "pd-s3cret",
    "smtp_password": "smtp-s3cret",
    "relay_token": "relay-s3cret",
}


def export(directory: Path, environ: dict[str, str], *arguments: str) -> Result:
    return CliRunner().invoke(alerts, ["export", str(directory), *arguments], env=environ)


def configuration(directory: Path) -> dict[str, Any]:
    return yaml.safe_load((directory / "alertmanager.yaml").read_text())


def receiver(directory: Path, name: str) -> dict[str, Any]:
    (found,) = [one for one in configuration(directory)["receivers"] if one["name"] == name]
    return found


CHANNELS: dict[str, dict[str, str]] = {
    "none": {},
    "slack": {"SLACK_WEBHOOK_URL": SLACK},
    "pagerduty": {"PAGERDUTY_ROUTING_KEY": "pd-s3cret"},
    "webhook": {"ALERT_WEBHOOK_URL": ALL["ALERT_WEBHOOK_URL"]},
    "email": {name: value for name, value in ALL.items() if "EMAIL" in name or "SMTP" in name},
    "implicit TLS": {**ALL, "SMTP_PORT": "465"},
    "all": ALL,
    "off": {**ALL, "ALERTING_ENABLED": "false"},
}


@pytest.mark.parametrize("environ", CHANNELS.values(), ids=CHANNELS)
def test_the_configuration_is_one_that_alertmanager_reads(environ: dict[str, str], tmp_path: Path) -> None:
    result = export(tmp_path, environ)
    assert result.exit_code == 0, result.output
    assert wrong(configuration(tmp_path)) == []
    if amtool := shutil.which("amtool"):  # where it is; the schema stands in for it elsewhere
        checked = subprocess.run(
            [amtool, "check-config", tmp_path / "alertmanager.yaml"], capture_output=True, text=True, check=False
        )
        assert checked.returncode == 0, checked.stdout + checked.stderr


def test_secrets_are_in_files_of_their_own_that_nobody_else_reads(tmp_path: Path) -> None:
    result = export(tmp_path, ALL)
    below = tmp_path / "secrets"
    assert {path.name: path.read_text() for path in below.iterdir()} == SECRETS
    shown = result.output + (tmp_path / "alertmanager.yaml").read_text() + (tmp_path / "escalation.yaml").read_text()
    assert "s3cret" not in shown
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (below, *below.iterdir())}
    assert modes == {"secrets": 0o700, **dict.fromkeys(SECRETS, 0o600)}
    assert stat.S_IMODE((tmp_path / "alertmanager.yaml").stat().st_mode) == 0o600
    text = (tmp_path / "alertmanager.yaml").read_text()
    assert {name for name in SECRETS if f"{below}/{name}\n" in text} == set(SECRETS)


def test_alertmanager_may_see_the_secrets_elsewhere(tmp_path: Path) -> None:
    export(tmp_path, ALL, "--secrets", "/etc/alertmanager/secrets")
    assert (
        receiver(tmp_path, "critical")["pagerduty_configs"][0]["routing_key_file"]
        == "/etc/alertmanager/secrets/pagerduty_key"
    )
    assert str(tmp_path) not in (tmp_path / "alertmanager.yaml").read_text()


def test_severity_decides_who_is_told_and_how_often(tmp_path: Path) -> None:
    export(tmp_path, ALL)
    routes = {route["receiver"]: route for route in configuration(tmp_path)["route"]["routes"]}
    assert routes["critical"]["matchers"] == ['severity="critical"']
    assert (routes["critical"]["repeat_interval"], routes["warning"]["repeat_interval"]) == ("1h", "4h")
    everybody = {"name", "slack_configs", "email_configs", "webhook_configs"}
    assert set(receiver(tmp_path, "warning")) == everybody
    assert set(receiver(tmp_path, "critical")) == everybody | {"pagerduty_configs"}


def test_critical_inhibits_the_warning_of_the_same_thing_only(tmp_path: Path) -> None:
    export(tmp_path, {})
    (rule,) = configuration(tmp_path)["inhibit_rules"]
    assert (rule["source_matchers"], rule["target_matchers"]) == (['severity="critical"'], ['severity="warning"'])
    assert {"service", "component", "instance"} <= set(rule["equal"])


@pytest.mark.parametrize("environ", [{}, {**ALL, "ALERTING_ENABLED": "false"}], ids=["no channel", "off"])
def test_nobody_is_told_without_a_channel_and_when_it_is_off(environ: dict[str, str], tmp_path: Path) -> None:
    result = export(tmp_path, environ)
    assert "nobody is told" in result.output
    assert configuration(tmp_path)["receivers"] == [{"name": "nobody"}]
    assert configuration(tmp_path)["route"]["receiver"] == "nobody"
    assert not list((tmp_path / "secrets").iterdir())


def test_mail_is_never_sent_in_the_clear_but_to_this_machine(tmp_path: Path) -> None:
    export(tmp_path / "far", ALL)
    export(tmp_path / "near", {**ALL, "SMTP_HOST": "127.0.0.1"})
    assert configuration(tmp_path / "far")["global"]["smtp_require_tls"] is True
    assert configuration(tmp_path / "near")["global"]["smtp_require_tls"] is False


def test_a_warning_that_goes_on_becomes_critical(tmp_path: Path) -> None:
    export(tmp_path, {"OTEL_LLM_ROUTER_ALERTS_ESCALATE": "15"})
    (group,) = yaml.safe_load((tmp_path / "escalation.yaml").read_text())["groups"]
    (rule,) = group["rules"]
    assert (rule["for"], rule["labels"]["severity"]) == ("15m", "critical")
    assert promql.parse(rule["expr"])
    # It keeps what the warning is about, so that Alertmanager holds the warning back.
    assert all(label in rule["expr"] for label in configuration(tmp_path)["inhibit_rules"][0]["equal"])
    # And it does not escalate itself.
    assert 'severity="warning"' in rule["expr"]


def test_escalation_can_be_off(tmp_path: Path) -> None:
    export(tmp_path, {"OTEL_LLM_ROUTER_ALERTS_ESCALATE": "0"})
    assert yaml.safe_load((tmp_path / "escalation.yaml").read_text()) == {"groups": []}


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"ALERT_WEBHOOK_URL": "http://alerts.example.com/s3cret"}, "ALERT_WEBHOOK_URL"),
        ({"SLACK_WEBHOOK_URL": "http://hooks.slack.com/s3cret"}, "SLACK_WEBHOOK_URL"),
        ({"SLACK_WEBHOOK_URL": "hooks.slack.com/s3cret"}, "SLACK_WEBHOOK_URL"),
        ({"SLACK_WEBHOOK_URL": "https://hooks.slack.com/s3cret\n- x"}, "SLACK_WEBHOOK_URL"),
        ({"SLACK_WEBHOOK_URL": "https://hooks.slack.com:99999/s3cret"}, "SLACK_WEBHOOK_URL"),
        ({"ALERT_WEBHOOK_URL": "https://me:s3cret@alerts.example.com"}, "ALERT_WEBHOOK_URL"),
        ({"ALERTING_ENABLED": "maybe"}, "ALERTING_ENABLED"),
        ({"SMTP_PORT": "mail"}, "SMTP_PORT"),
        ({"EMAIL_ALERTS_ENABLED": "true", "SMTP_HOST": "m", "SMTP_FROM": "a@b.c"}, "ALERT_EMAIL_TO"),
        ({**ALL, "ALERT_EMAIL_TO": "ops@example.com\nBcc: x@y.z"}, "ALERT_EMAIL_TO"),
        ({**ALL, "SMTP_FROM": "nobody"}, "SMTP_FROM"),
        ({"OTEL_LLM_ROUTER_ALERTS_RELAY_URL": "http://relay:9095/"}, "OTEL_LLM_ROUTER_ALERTS_RELAY_TOKEN"),
        ({"PAGERDUTY_ROUTING_KEY": "a\x1bs3cret"}, "PAGERDUTY_ROUTING_KEY"),
    ],
)
def test_an_option_that_cannot_be_used_is_named_and_nothing_is_written(
    environ: dict[str, str], named: str, tmp_path: Path
) -> None:
    result = export(tmp_path / "out", environ)
    assert (result.exit_code, named in result.output) == (1, True), result.output
    assert "s3cret" not in result.output
    assert not (tmp_path / "out").exists()


def test_a_webhook_on_this_machine_needs_no_tls(tmp_path: Path) -> None:
    for url in ("http://127.0.0.1:8080/x", "http://[::1]:8080/x", "http://localhost/x"):
        assert export(tmp_path, {"ALERT_WEBHOOK_URL": url}, "--force").exit_code == 0


def test_what_differs_stays_unless_it_is_forced_and_old_secrets_go(tmp_path: Path) -> None:
    export(tmp_path, ALL)
    before = (tmp_path / "alertmanager.yaml").read_bytes()
    assert export(tmp_path, ALL).exit_code == 0
    fewer = {"SLACK_WEBHOOK_URL": SLACK}
    result = export(tmp_path, fewer)
    assert (result.exit_code, "Nothing was written" in result.output) == (1, True)
    assert (tmp_path / "alertmanager.yaml").read_bytes() == before
    assert export(tmp_path, fewer, "--force").exit_code == 0
    assert [path.name for path in (tmp_path / "secrets").iterdir()] == ["slack_url"]


def test_a_directory_that_cannot_be_written_is_one_message(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = export(tmp_path / "file" / "below", {})
    assert (result.exit_code, "cannot export to" in result.output) == (1, True)
