"""What an HTTP request to the router asks for: seen in what the application reads of its body, and never before.

Room: `instrumentation`. Path and messages of the body come in; whether a model is asked for, and which, goes out.
Of a large body both ends are kept, whatever its size.
"""

from __future__ import annotations

from typing import Any

from otel_llm_router.instrumentation._protocols import bodies
from otel_llm_router.instrumentation._protocols.recognition import Dialect, asks_for, dialect_at, may_ask, served_at


class Asked:
    """What a POST asks for.

    Args:
        path: Its path.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self.dialect: Dialect | None = served_at(path)
        """Protocol of the answer, where it is known."""
        self.certain = self.dialect is not None
        """Whether the path says that a model is asked for."""
        self._head = b""
        self._tail = b""
        self._fields: dict[str, Any] | None = None
        self._parsed = False

    def take(self, body: bytes, *, last: bool) -> bool:
        """Take a part of the body; return whether it has shown that a model is asked for."""
        if not self._tail and len(self._head) + len(body) <= bodies.MAX_PARSED:
            self._head = self._head + body if self._head else body
        elif not self._tail:
            whole = self._head + body[: bodies.MAX_PARSED]
            self._head, self._tail = whole[: bodies.HEAD], (whole + body[-bodies.TAIL :])[-bodies.TAIL :]
        elif body:
            self._tail = (self._tail + body[-bodies.TAIL :])[-bodies.TAIL :]
        if not last or self.certain:
            return False
        if not (may_ask(self._path, self._head) or (self._tail and may_ask(self._path, self._tail))):
            return False
        self.dialect = dialect_at(self._path)
        return self.said() is not None

    def said(self) -> str | None:
        """Return the model that the body, as far as it was read, asks for; None when it asks for none."""
        if not self._parsed:
            self._parsed = True
            if self._tail:
                self._fields = bodies.read_ends(self._head, self._tail)
            else:
                self._fields = bodies.read(self._head)
        return asks_for(self._path, self._fields)

    def model(self) -> str:
        """Return the model that is asked for, or nothing."""
        return self.said() or ""
