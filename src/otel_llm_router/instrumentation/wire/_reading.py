"""One answer, read beside the application: its bytes in, what they say out.

Room: `instrumentation`. Bytes come in the order in which the application gets them, or after it got them.
"""

from __future__ import annotations

from typing import Any, Final, Protocol

from otel_llm_router.instrumentation._protocols import answers, decoders, failures
from otel_llm_router.instrumentation._protocols.answers import Piece
from otel_llm_router.instrumentation._protocols.bodies import Fields
from otel_llm_router.instrumentation._protocols.recognition import Dialect
from otel_llm_router.instrumentation.wire import _compression
from otel_llm_router.instrumentation.wire._headers import Header

ERROR: Final = 400


class Keep(Protocol):
    """What takes the content of an answer."""

    def __call__(self, fields: Any, *, whole: bool) -> object:
        """Take one object, of which not all may be there."""
        ...


class Reading:
    """What reads one answer.

    Args:
        dialect: Shape of the answer.
        status: HTTP status.
        header: Look-up of the answer's headers.
        stream: Whether the answer was asked for in pieces.
        decoded: Whether the bytes come decompressed.
        keep: Takes what the answer says to a reader, where that is asked for.
    """

    def __init__(
        self, dialect: Dialect, status: int, header: Header, *, stream: bool, decoded: bool, keep: Keep | None = None
    ) -> None:
        self._dialect: Dialect = dialect
        self._status = status
        self._decoder: decoders.Decoder | None = None
        self._stream = stream
        self._keep = keep
        self._type = (header("content-type") or "").lower()
        self._readable = True
        self._decompress: _compression.Decompress | None = None
        self._encoding = (header("content-encoding") or "").strip().lower()
        if not decoded:
            self.decompress()
        self.failure = failures.of_answer(status, None) if status >= ERROR else ""

    @property
    def in_pieces(self) -> bool:
        """Whether the answer is a stream of events, as far as its headers tell."""
        return self._status < ERROR and (self._stream or "event-stream" in self._type or "ndjson" in self._type)

    @property
    def at_once(self) -> bool:
        """Whether what is read has no times of its own: it is there when all of it is there."""
        return isinstance(self._decoder, decoders.Whole)

    def decompress(self) -> None:
        """Take the bytes as the provider compressed them."""
        if self._encoding not in {"", "identity"}:
            self._decompress = _compression.decompressor(self._encoding)
            self._readable = self._decompress is not None

    def feed(self, data: bytes) -> list[Piece]:
        """Return what the events that ``data`` completes say."""
        if not self._readable or not data:
            return []
        if self._decompress is not None:
            try:
                data = self._decompress(data)
            except Exception:  # noqa: BLE001  # whatever the decompressor raises: the application meets it too
                self._readable = False
                return []
        if self._decoder is None:
            if not data.strip():
                return []
            # Ollama's streams are lines whatever they are declared as.
            if self._dialect == "ollama" and self._stream and self._status < ERROR:
                self._decoder = decoders.JsonLines()
            else:
                self._decoder = decoders.choose(self._type, data, stream=self._stream)
        return [self._piece(fields) for fields in self._decoder.feed(data)]

    def end(self) -> list[Piece]:
        """Return what is left to say at the natural end of the answer."""
        if self._decoder is None or not self._readable:
            return []
        return [self._piece(fields) for fields in self._decoder.end()]

    def _piece(self, fields: Fields) -> Piece:
        if fields is decoders.PLAIN:
            return answers.PLAIN
        if fields is decoders.DONE:
            return Piece(last=True)
        if self.failure:
            self.failure = failures.of_answer(self._status, fields)
            return Piece()
        piece = answers.read(self._dialect, fields)
        if self._keep is not None:
            self._keep(fields, whole=not (isinstance(self._decoder, decoders.Whole) and self._decoder.partial))
        elif piece.content and self._dialect == "openai" and isinstance(self._decoder, decoders.EventStream):
            self._decoder.quick = answers.is_plain
        return piece
