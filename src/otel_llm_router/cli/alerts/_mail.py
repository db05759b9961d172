"""An email through a mail server.

Room: `cli`. A message comes in, the server's verdict goes out.
"""

from __future__ import annotations

import smtplib
import ssl
from email.message import EmailMessage
from typing import Final, NoReturn

from otel_llm_router.cli.alerts._channels import Email
from otel_llm_router.cli.alerts._post import NotDeliveredError

SECONDS: Final = 10.0
"""How long the server may take for each of its answers."""


def send(message: EmailMessage, channel: Email) -> str:
    """Send a message; the result says what the server took it for.

    Raises:
        NotDeliveredError: The server is not there, offers no TLS, or takes the message for none of the addresses;
            the message says which.
    """
    where = f"{channel.host}:{channel.port}"
    context = ssl.create_default_context()
    try:
        if channel.implicit_tls:
            server = smtplib.SMTP_SSL(channel.host, channel.port, timeout=SECONDS, context=context)
        else:
            server = smtplib.SMTP(channel.host, channel.port, timeout=SECONDS)
        with server:
            server.ehlo_or_helo_if_needed()
            if not channel.implicit_tls and server.has_extn("starttls"):
                server.starttls(context=context)
            elif not channel.implicit_tls and channel.needs_tls:
                _refuse(where)
            if channel.user:
                server.login(channel.user, channel.password)
            refused = server.send_message(message)
    except NotDeliveredError:
        raise
    except (OSError, smtplib.SMTPException) as error:
        raise NotDeliveredError(f"{where}: {error}") from error
    if refused:
        raise NotDeliveredError(f"{where} takes no mail for {', '.join(sorted(refused))}")
    return f"{where} has taken it for {', '.join(channel.to)}"


def _refuse(where: str) -> NoReturn:
    raise NotDeliveredError(f"{where} offers no TLS, and nothing is sent in the clear")
