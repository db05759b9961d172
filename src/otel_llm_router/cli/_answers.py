"""Whether a process that was started answers yet, and what it logged last.

Room: `cli`.
"""

from __future__ import annotations

import http.client
from urllib.parse import urlsplit


def answers(url: str, *, seconds: float) -> bool:
    """Whether an HTTP URL answers 200 within that time."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=seconds)
    try:
        connection.request("GET", f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def last_lines(log: str, count: int) -> str:
    """Return the end of a log as the end of a sentence; empty when it has no lines."""
    lines = log.splitlines()[-count:]
    return f":\n{chr(10).join(lines)}" if lines else ""
