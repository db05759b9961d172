"""`otel-llm-router alerts`: Alertmanager's configuration, test messages, and the relay for webhooks.

Room: `cli`. The options of alerts come in from the environment; files, messages and verdicts go out.
"""

from __future__ import annotations

import json
import signal
import sys
import threading
from pathlib import Path, PurePosixPath
from types import FrameType

import click

from otel_llm_router.cli._collector_settings import split_address
from otel_llm_router.cli.alerts import _channels, _files
from otel_llm_router.cli.alerts._channels import NAMES, PAGE, Channels

_EXPORT_EXAMPLE = """\b
Example:
  SLACK_WEBHOOK_URL=https://hooks.slack.com/services/... otel-llm-router alerts export alertmanager
  alertmanager --config.file=alertmanager/alertmanager.yaml
"""
_TEST_EXAMPLE = """\b
Example:
  otel-llm-router alerts test slack
  otel-llm-router alerts test all --json
"""
_RELAY_EXAMPLE = """\b
Example:
  ALERT_WEBHOOK_URL=https://alerts.example.com/llm otel-llm-router alerts relay
"""


@click.group()
def alerts() -> None:
    """Send alerts to people: configure Alertmanager, test channels, relay to a webhook.

    The channels are options; docs/alerts.md lists them. A router sends no alert itself: Prometheus finds
    them by the rules, and Alertmanager sends them.
    """


@alerts.command(epilog=_EXPORT_EXAMPLE)
@click.argument("directory", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--secrets",
    metavar="PATH",
    type=PurePosixPath,
    help="Where Alertmanager sees the secrets; by default where they are written, DIR/secrets.",
)
@click.option("--force", is_flag=True, help="Overwrite files that are there and differ.")
def export(*, directory: Path, secrets: PurePosixPath | None, force: bool) -> None:
    """Write Alertmanager's configuration into DIR.

    alertmanager.yaml routes by severity; escalation.yaml is a rule for Prometheus. Each secret is in a
    file of its own below DIR/secrets, which nobody else can read, and in none of the others. The exit
    code is 1, and nothing is written, if a different file is in the way or an option cannot be used.
    """
    channels, enabled = _channels.read()
    for path in _files.write(channels, directory, secrets, enabled=enabled, force=force):
        click.echo(path)
    if not enabled:
        click.echo(f"nobody is told: {_channels.named('alerts')} is off", err=True)
    elif not channels.names:
        click.echo(f"nobody is told: no channel is configured (see {PAGE})", err=True)
    else:
        click.echo(f"alerts go to: {', '.join(channels.names)}", err=True)


@alerts.command(epilog=_TEST_EXAMPLE)
@click.argument("channel", type=click.Choice([*NAMES, "all"]))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array.")
def test(*, channel: str, as_json: bool) -> None:
    """Send a test message to CHANNEL, and say what came back.

    The message goes to the channel itself, past Alertmanager. The exit code is 1 if it was not taken.
    """
    from otel_llm_router.cli.alerts import _testing  # noqa: PLC0415 - export needs no sockets

    channels, _ = _channels.read()
    if channel == "all" and not channels.names:
        raise _channels.WrongOptionError(f"no channel is configured (see {PAGE})")
    if channel != "all":
        _expect(channel, channels)
    verdicts = [_testing.send(one, channels) for one in (channels.names if channel == "all" else (channel,))]
    if as_json:
        click.echo(json.dumps([verdict.as_json() for verdict in verdicts], indent=2))
    else:
        for verdict in verdicts:
            number = "" if verdict.status is None else f" {verdict.status}"
            click.echo(
                f"{verdict.channel}: {'taken' if verdict.delivered else 'NOT TAKEN'}{number} {verdict.said}".rstrip()
            )
    sys.exit(0 if all(verdict.delivered for verdict in verdicts) else 1)


@alerts.command(epilog=_RELAY_EXAMPLE)
@click.option(
    "--listen", metavar="HOST:PORT", default="127.0.0.1:9095", show_default=True, help="Address to listen on."
)
def relay(*, listen: str) -> None:
    """Turn Alertmanager's webhook into one JSON object for each alert.

    Each goes to ALERT_WEBHOOK_URL as {alert, severity, message, timestamp, metadata: {current_value,
    threshold, ...}}. What cannot be delivered is tried again; what has been delivered is not sent twice.
    The exit code is 0 after SIGTERM or SIGINT, 1 if it cannot start.
    """
    from otel_llm_router.cli.alerts._relay import Relay  # noqa: PLC0415 - as above
    from otel_llm_router.cli.alerts._server import RelayServer  # noqa: PLC0415

    try:
        host, port = split_address(listen)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--listen") from error
    channels, enabled = _channels.read()
    _expect("webhook", channels)
    if not enabled:
        raise _channels.WrongOptionError(f"{_channels.named('alerts')} is off")
    if not _channels.is_loopback(host) and not channels.relay_token:
        raise _channels.WrongOptionError(
            f"{listen} can be reached from elsewhere: {_channels.named('alerts_relay_token')} is needed (see {PAGE})"
        )

    def say(line: str) -> None:
        click.echo(line, err=True)

    try:
        server = RelayServer((host, port), Relay(channels.webhook_url, say=say), token=channels.relay_token)
    except OSError as error:
        raise click.ClickException(f"cannot listen on {listen}: {error.strerror or error}") from error

    def stop(_number: int, _frame: FrameType | None) -> None:
        # From another thread: the server's own waits for this handler to return.
        threading.Thread(target=server.shutdown).start()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    with server:
        click.echo(f"relaying alerts from http://{listen}", err=True)
        server.serve_forever(poll_interval=0.2)


def _expect(channel: str, channels: Channels) -> None:
    if channel in channels.names:
        return
    option = {
        "webhook": "alerts_webhook_url",
        "slack": "alerts_slack_url",
        "pagerduty": "alerts_pagerduty_key",
        "email": "alerts_email",
    }[channel]
    raise _channels.WrongOptionError(f"{channel} is not configured: set {_channels.named(option)} (see {PAGE})")
