"""What went wrong with a connection, as an outcome.

Room: `export`.
"""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass

from otel_llm_router.export._outcome import Outcome


@dataclass
class Progress:
    """How far an attempt came.

    Args:
        connected: There is a connection.
        sent: The request was sent whole.
        answered: Something was answered.
    """

    connected: bool = False
    sent: bool = False
    answered: bool = False


def of_error(error: Exception, progress: Progress) -> Outcome:
    """Return what an attempt's error means: all of them may be over the next time."""
    if isinstance(error, ssl.SSLError) and not isinstance(error, TimeoutError):
        reason = "tls"
    elif isinstance(error, TimeoutError):
        reason = "timeout"
    elif isinstance(error, (socket.gaierror, ConnectionRefusedError)):
        reason = "refused"
    elif isinstance(error, OSError):
        reason = "disconnected" if progress.connected else "refused"
    else:
        reason = "other"  # what is answered is not the protocol
    return Outcome("again", reason, unknown=progress.sent)
