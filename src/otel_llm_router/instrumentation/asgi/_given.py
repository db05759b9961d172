"""What a client is given as a stream: looked at as it passes, to its last byte.

Room: `instrumentation`. Parts of a response's body come in, as the application sends them; chunks with content,
their times, and the error that a stream may carry behind its status go out. Of nearly every part a look at its
bytes says all; what it does not is decoded beside the application.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from otel_llm_router.instrumentation._protocols import answers, decoders
from otel_llm_router.instrumentation._protocols.recognition import Dialect
from otel_llm_router.telemetry.instrumenting import Tally

_ERROR_EVENT: Final = re.compile(rb"(?:^|[\r\n])event: ?error[\r\n]")

_LIKELY: Final[Dialect] = "openai"

Look = Callable[[bytes], bool]
"""Whether a part of a stream, which begins and ends with events, carries output and nothing else of interest."""


class Given(Protocol):
    """A stream to a client.

    ``error`` is the type of a failure that it speaks of; ``complete`` whether it has said that it is.
    """

    error: str
    complete: bool

    def take(self, data: bytes) -> None:
        """Take a part."""
        ...

    def end(self) -> None:
        """Take the end."""
        ...


class Text:
    """A stream of plain text.

    Args:
        tally: Counts its chunks.
    """

    def __init__(self, tally: Tally) -> None:
        self.error = ""
        self.complete = False
        self._tally = tally

    def take(self, data: bytes) -> None:  # noqa: ARG002  # any text is output
        """Take a part."""
        _count(self._tally)

    def end(self) -> None:
        """Take the end."""


class Events:
    """A stream of server-sent events, or of lines of JSON.

    Args:
        tally: Counts its chunks.
        dialect: Protocol that it is in, where the request says so.
        lines: Whether it comes in lines.
    """

    def __init__(self, tally: Tally, dialect: Dialect | None, *, lines: bool) -> None:
        self.error = ""
        self.complete = False
        self._tally = tally
        self._dialect: Dialect | None = dialect
        self._decoder = decoders.JsonLines() if lines else decoders.EventStream()
        self._boundary = b"\n" if lines else b"\n\n"
        self._between = True
        self._unread = False
        self._plain: Look = _LOOKS.get(dialect or "", _never)

    def take(self, data: bytes) -> None:
        """Take a part."""
        if self._between and data.endswith(self._boundary) and self._plain(data):
            tally = self._tally
            tally.last = time.perf_counter_ns()
            tally.chunks += 1
            if tally.first is None:
                tally.first = tally.last
            return
        found = self._decoder.feed(data)
        self._between = self._decoder.between
        self._examine(found)
        if not self.error and b"error" in data and _ERROR_EVENT.search(data) is not None:
            self.error = "server_error"
        if self._dialect is None and not self._tally.chunks:
            self._take_its_own(data, found)

    def _take_its_own(self, data: bytes, found: list[dict[str, Any]]) -> None:
        """Take what may be the first event in a form of the router's own that is no JSON."""
        self._unread = self._unread or b"data:" in data
        if self._between:
            if self._unread and not self.error and not found:
                _count(self._tally)
                self._plain = _of_its_own
            self._unread = False

    def end(self) -> None:
        """Take the end."""
        if not self._between:
            self._examine(self._decoder.end())

    def _examine(self, found: list[dict[str, Any]]) -> None:
        for fields in found:
            if fields is decoders.PLAIN:
                _count(self._tally)
            elif fields is decoders.DONE:
                self.complete = True
            else:
                self._read(fields)

    def _read(self, fields: dict[str, Any]) -> None:
        if self._dialect is None:
            self._dialect = _dialect_of(fields)
            self._plain = _LOOKS.get(self._dialect or "", _never)
        piece = answers.read(self._dialect or _LIKELY, fields)
        if self._dialect is None and not piece.error:  # events in a form of the router's own
            _count(self._tally)
            self._plain = _of_its_own
        elif piece.content:
            _count(self._tally)
            if self._dialect == "openai" and isinstance(self._decoder, decoders.EventStream):
                self._decoder.quick = answers.is_plain
        self.complete = self.complete or piece.last
        self.error = self.error or piece.error


def stream_of(content_type: bytes, tally: Tally, dialect: Dialect | None) -> Given | None:
    """Return what looks at a response of a type, or None if it is no stream."""
    if content_type.startswith(b"text/event-stream"):
        return Events(tally, dialect, lines=False)
    if b"ndjson" in content_type or b"jsonl" in content_type or b"json-seq" in content_type:
        return Events(tally, dialect, lines=True)
    if content_type.startswith(b"text/plain"):
        return Text(tally)
    return None


def _count(tally: Tally) -> None:
    tally.last = time.perf_counter_ns()
    tally.chunks += 1
    if tally.first is None:
        tally.first = tally.last


def _dialect_of(fields: Mapping[str, Any]) -> Dialect | None:
    if "choices" in fields:
        return "openai"
    kind = fields.get("type")
    if kind == "message_start":
        return "anthropic"
    if isinstance(kind, str) and kind.startswith("response."):
        return "responses"
    if "candidates" in fields:
        return "gemini"
    return "ollama" if "done" in fields and "model" in fields else None


def _never(_data: bytes) -> bool:
    return False


def _openai(data: bytes) -> bool:
    at = data.find(b'"content":')
    start = data[at + 10 : at + 13]
    spoken = start[:2] == b' "' and start[2:] != b'"' if start[:1] == b" " else start[:1] == b'"' != start[1:2]
    return at >= 0 and spoken and b'"error"' not in data and data[-8:] != b"[DONE]\n\n"


def _anthropic(data: bytes) -> bool:
    return b'"content_block_delta"' in data and b'"error"' not in data


def _responses(data: bytes) -> bool:
    return b'.delta"' in data and b'"error"' not in data and b'"response"' not in data


def _ollama(data: bytes) -> bool:
    return b'"done":false' in data and b'"error"' not in data and b'"content":""' not in data


def _of_its_own(data: bytes) -> bool:
    return b"data:" in data and b"error" not in data and b"[DONE]" not in data


_LOOKS: Final[Mapping[str, Look]] = {
    "openai": _openai,
    "anthropic": _anthropic,
    "responses": _responses,
    "ollama": _ollama,
}
