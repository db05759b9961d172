"""Where alerts go: the options of alerts, checked.

Room: `cli`. The environment comes in; `Channels` goes out, or one message that names the option that is wrong.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

import click

from otel_llm_router.distro import settings as settings_module
from otel_llm_router.distro.settings import Settings
from otel_llm_router.signals import Option, options

PAGE: Final = "docs/alerts.md"
_IMPLICIT_TLS_PORT: Final = 465
# What a header or an envelope may carry; whether somebody is there, only the mail server knows.
_ADDRESS: Final = re.compile(r"[^\s@,<>\x00-\x1f]+@[^\s@,<>\x00-\x1f]+")
_BY_NAME: Final[Mapping[str, Option]] = {option.name: option for option in options.OPTIONS}


class WrongOptionError(click.ClickException):
    """An option of alerts is missing, or has a value that cannot be used."""


@dataclass(frozen=True, kw_only=True)
class Email:
    """How alerts go by email.

    Args:
        to: Addresses.
        sender: Address that they come from.
        host: Mail server.
        port: Its port.
        user: Its user; empty when it asks for none.
        password: That user's password.
    """

    to: tuple[str, ...]
    sender: str
    host: str
    port: int
    user: str = ""
    password: str = field(default="", repr=False)

    @property
    def implicit_tls(self) -> bool:
        """Whether TLS begins with the first byte."""
        return self.port == _IMPLICIT_TLS_PORT

    @property
    def needs_tls(self) -> bool:
        """Whether nothing may be sent in the clear: always, but to this machine."""
        return not is_loopback(self.host)


@dataclass(frozen=True, kw_only=True)
class Channels:
    """The channels that the options name; one that they do not name is empty.

    Args:
        webhook_url: Where the relay posts.
        relay_url: Where Alertmanager finds the relay.
        relay_token: What the relay asks of Alertmanager.
        slack_url: Slack's incoming webhook.
        pagerduty_key: Routing key of PagerDuty.
        pagerduty_url: PagerDuty's Events API.
        email: The email channel.
        escalate: Minutes after which a warning becomes critical; 0 for never.
    """

    webhook_url: str = field(default="", repr=False)
    relay_url: str = ""
    relay_token: str = field(default="", repr=False)
    slack_url: str = field(default="", repr=False)
    pagerduty_key: str = field(default="", repr=False)
    pagerduty_url: str = ""
    email: Email | None = None
    escalate: int = 0

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the channels that are there."""
        there = {
            "webhook": self.webhook_url,
            "slack": self.slack_url,
            "pagerduty": self.pagerduty_key,
            "email": self.email,
        }
        return tuple(name for name, value in there.items() if value)


NAMES: Final = ("webhook", "slack", "pagerduty", "email")
"""Names of all channels."""


def read(environ: Mapping[str, str] | None = None) -> tuple[Channels, bool]:
    """Read the options.

    Args:
        environ: The process's own environment by default.

    Returns:
        The channels, and whether alerts are switched on.

    Raises:
        WrongOptionError: One of them cannot be used.
    """
    found, problems = settings_module.read(environ)
    for problem in problems:
        if "ALERT" in problem or "SMTP" in problem:
            # A router starts with a wrong option; a configuration that sends nothing must not be written in silence.
            raise WrongOptionError(problem.rpartition(";")[0])
    pagerduty_url = _checked("alerts_pagerduty_url", found.alerts_pagerduty_url)
    channels = Channels(
        webhook_url=_checked("alerts_webhook_url", found.alerts_webhook_url),
        relay_url=_relay_url(found),
        relay_token=_one_line("alerts_relay_token", found.alerts_relay_token),
        slack_url=_checked("alerts_slack_url", found.alerts_slack_url),
        pagerduty_key=_one_line("alerts_pagerduty_key", found.alerts_pagerduty_key),
        pagerduty_url=pagerduty_url,
        email=_email(found) if found.alerts_email else None,
        escalate=found.alerts_escalate,
    )
    return channels, found.alerts


def named(name: str) -> str:
    """How a message names an option: its variable and the other ones that set it."""
    option = _BY_NAME[name]
    return " or ".join((option.env, *option.aliases))


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _email(found: Settings) -> Email:
    to = tuple(part.strip() for part in found.alerts_email_to.split(",") if part.strip())
    for name, value in (
        ("alerts_email_to", found.alerts_email_to),
        ("alerts_email_from", found.alerts_email_from),
        ("alerts_smtp_host", found.alerts_smtp_host),
    ):
        if not value:
            raise WrongOptionError(f"{named('alerts_email')} is on, and {named(name)} is missing (see {PAGE})")
    for name, addresses in (("alerts_email_to", to), ("alerts_email_from", (found.alerts_email_from,))):
        for address in addresses:
            if not _ADDRESS.fullmatch(address):
                raise WrongOptionError(f"{named(name)}: {address!r} is not an address such as ops@example.com")
    return Email(
        to=to,
        sender=found.alerts_email_from,
        host=found.alerts_smtp_host,
        port=found.alerts_smtp_port,
        user=_one_line("alerts_smtp_user", found.alerts_smtp_user),
        password=_one_line("alerts_smtp_password", found.alerts_smtp_password),
    )


def _relay_url(found: Settings) -> str:
    url, name = found.alerts_relay_url, "alerts_relay_url"
    host = _parts(name, url)
    if not is_loopback(host) and not found.alerts_relay_token:
        raise WrongOptionError(
            f"{named(name)} is another machine ({host}): {named('alerts_relay_token')} is needed, so that nobody else "
            f"can send alerts (see {PAGE})"
        )
    return url


def _checked(name: str, url: str) -> str:
    """Return a URL that alerts may be sent to; the message about another one does not show it: it is a secret."""
    if url and not url.startswith("https://") and not is_loopback(_parts(name, url)):
        raise WrongOptionError(f"{named(name)} has to begin with https://, unless it is this machine (see {PAGE})")
    if url:
        _parts(name, url)
    return url


def _parts(name: str, url: str) -> str:
    """Return the host of a URL."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and parts.hostname and (parts.port is None or parts.port)
    except ValueError:
        usable, parts = False, urlsplit("")
    if not usable or not re.fullmatch(r"[\x21-\x7e]+", url) or parts.hostname is None:
        raise WrongOptionError(f"{named(name)} is not a URL such as https://alerts.example.com/path (see {PAGE})")
    if parts.username is not None:
        raise WrongOptionError(f"{named(name)} holds a user or a password; put a token into its path (see {PAGE})")
    return parts.hostname


def _one_line(name: str, value: str) -> str:
    if not value.isprintable():
        raise WrongOptionError(f"{named(name)} holds a character that cannot be printed (see {PAGE})")
    return value
