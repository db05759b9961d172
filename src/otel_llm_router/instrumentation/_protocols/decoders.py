"""Bytes of an answer, as they arrive, turned into JSON objects with bounded memory.

Room: `instrumentation`. Chunks cut anywhere come in; the objects that are complete go out. What is longer
than a bound is passed over, never kept. The bytes themselves belong to the application and are not changed.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final, Protocol, cast

from otel_llm_router.instrumentation._protocols import bodies
from otel_llm_router.instrumentation._protocols.bodies import Fields

MAX_EVENT: Final = 1024 * 1024
"""Longest event or line that is read, in bytes; the event that ends a response repeats all of it."""

_LINE: Final = 64
"""What it takes to remember a line beside its bytes."""

DONE: Final[Fields] = {}
"""Stands for ``[DONE]``: the end of a stream in OpenAI's protocol."""


PLAIN: Final[Fields] = {}
"""Stands for an event that a quick look recognised: output, and nothing else that is of interest."""


class Decoder(Protocol):
    """One way in which answers come."""

    def feed(self, data: bytes) -> list[Fields]:
        """Return the objects that ``data`` completes."""
        ...

    def end(self) -> list[Fields]:
        """Return what was complete but for a last line end."""
        ...


class _Lines:
    """Complete lines out of chunks."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._skipping = False

    def feed(self, data: bytes) -> list[bytes]:
        """Return the lines that ``data`` completes."""
        end = data.rfind(b"\n")
        if end < 0:
            self._keep(data)
            return []
        lines = data[:end].split(b"\n")
        if self._rest or self._skipping:
            lines[0] = b"" if self._skipping else bytes(self._rest) + lines[0]
            self._rest.clear()
            self._skipping = False
        self._keep(data[end + 1 :])
        return lines

    @property
    def empty(self) -> bool:
        """Whether the next chunk begins with a line."""
        return not self._rest and not self._skipping

    def end(self) -> bytes:
        """Return the line that no line end completed."""
        rest = bytes(self._rest)
        self._rest.clear()
        return rest

    def _keep(self, data: bytes) -> None:
        if self._skipping:
            return
        if len(self._rest) + len(data) > MAX_EVENT:
            self._rest.clear()
            self._skipping = True
        else:
            self._rest += data


class EventStream:
    """Server-sent events, each with one JSON object as its data.

    ``quick`` recognises the data of an event that need not be parsed.
    """

    def __init__(self) -> None:
        self.quick: Callable[[bytes], bool] | None = None
        self._lines = _Lines()
        self._data: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> list[Fields]:
        """Return the objects of the events that ``data`` completes."""
        # Nearly always it is one whole event of one line.
        if (
            data[:5] == b"data:"
            and data.find(b"\n") == len(data) - 2
            and data[-1:] == b"\n"
            and self._size == 0
            and self._lines.empty
            and len(data) <= MAX_EVENT
        ):
            fields = self._read(data[5:-2])
            return [] if fields is None else [fields]
        if b"\r" in data:  # a lone CR may end a line too; none of those providers sends one inside JSON
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        found: list[Fields] = []
        for line in self._lines.feed(data):
            self._take(line, found)
        return found

    @property
    def between(self) -> bool:
        """Whether the next chunk begins with an event."""
        return self._size == 0 and self._lines.empty

    def end(self) -> list[Fields]:
        """Return the object of an event that no empty line completed."""
        found: list[Fields] = []
        self._take(self._lines.end(), found)
        self._take(b"", found)
        return found

    def _take(self, line: bytes, found: list[Fields]) -> None:
        if line.startswith(b"data:"):
            self._size += len(line) + _LINE
            if self._size <= MAX_EVENT:
                self._data.append(line[5:])
        elif not line and self._data:
            text = self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
            if self._size <= MAX_EVENT:
                fields = self._read(text)
                if fields is not None:
                    found.append(fields)
            self._data.clear()
            self._size = 0
        elif not line:
            self._size = 0

    def _read(self, text: bytes) -> Fields | None:
        if self.quick is not None and self.quick(text):
            return PLAIN
        return DONE if text.strip() == b"[DONE]" else bodies.parse(text)


class JsonLines:
    """One JSON object in each line."""

    def __init__(self) -> None:
        self._lines = _Lines()

    def feed(self, data: bytes) -> list[Fields]:
        """Return the objects of the lines that ``data`` completes."""
        return [fields for line in self._lines.feed(data) if line and (fields := bodies.parse(line)) is not None]

    @property
    def between(self) -> bool:
        """Whether the next chunk begins with a line."""
        return self._lines.empty

    def end(self) -> list[Fields]:
        """Return the object of a last line that nothing ended."""
        fields = bodies.parse(self._lines.end())
        return [] if fields is None else [fields]


class Whole:
    """One JSON object, or an array of them, complete at the end; of a large one the ends are kept."""

    def __init__(self) -> None:
        self._head = bytearray()
        self._tail = bytearray()

    def feed(self, data: bytes) -> list[Fields]:
        """Keep what is needed of ``data``."""
        room = bodies.MAX_PARSED - len(self._head)
        if room > 0 and not self._tail:
            self._head += data[:room]
            data = data[room:]
        if data:
            self._tail += data[-bodies.TAIL :]
            del self._tail[: -bodies.TAIL]
        return []

    @property
    def partial(self) -> bool:
        """Whether it is too large to be read as a whole."""
        return bool(self._tail)

    def end(self) -> list[Fields]:
        """Return the object, or the array's objects."""
        if self._tail:
            fields = bodies.read_ends(bytes(self._head[: bodies.HEAD]), bytes(self._tail))
            return [] if fields is None else [fields]
        try:
            found: Any = json.loads(self._head)
        except (ValueError, RecursionError):
            return []
        entries = cast("list[Any]", found) if isinstance(found, list) else [found]
        return [cast("Fields", entry) for entry in entries if isinstance(entry, dict)]


def choose(content_type: str, start: bytes, *, stream: bool) -> Decoder:
    """Return what reads an answer.

    Args:
        content_type: What the answer says it is.
        start: Its first bytes, which are believed where the type says nothing of use.
        stream: Whether it was asked for in pieces.
    """
    if "event-stream" in content_type:
        return EventStream()
    if "ndjson" in content_type or "jsonl" in content_type or "json-seq" in content_type:
        return JsonLines()
    if stream and start.lstrip().startswith((b"data:", b"event:", b":")):
        return EventStream()
    return Whole()
