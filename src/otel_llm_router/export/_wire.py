"""Protobuf's wire format, as far as OTLP's attributes need it.

Room: `export`. Texts, values and attributes go in; bytes go out, without secrets. What comes again and
again is kept as bytes, within bounds: keys and values of a service are few, and nearly all of its
attributes are ones that were looked at and encoded before.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from otel_llm_router import redaction

_MAX_PIECE: Final = 256
"""Bytes of the longest piece that is kept."""

_MAX_KEPT: Final = 2048
"""Pieces that are kept in one place."""

_MAX_VALUES: Final = 256
"""Values of one key that are kept: beyond that it has a new one in every span."""

_MAX_NAMED: Final = 100
"""Bytes of the longest key that is kept by itself: with a number its field's length is one byte."""

_SMALL: Final = 1 << 6
"""Integers from here on seldom come again."""

_LARGE: Final = 1 << 63
"""The first integer that OTLP does not have."""

_ONE_BYTE_ENDS: Final = 1 << 7
_TWO_BYTES_END: Final = 1 << 14
_ONE_BYTE: Final = tuple(bytes((number,)) for number in range(_ONE_BYTE_ENDS))

_double: Final = struct.Struct("<d").pack

_NUMBER: Final = tuple(bytes((0x12, size + 1, 0x18)) for size in range(10))
"""What precedes an integer of so many bytes, in a field of a key and a value."""

_TEXT: Final = tuple(bytes((0x12, size + 2, 0x0A, size)) for size in range(_ONE_BYTE_ENDS - 2))
"""What precedes a text of so many bytes there."""

_TRUE: Final = b"\x10\x01"
_FALSE: Final = b"\x10\x00"


class UnknownValue(Exception):  # noqa: N818  # nothing is wrong with it
    """A value that the stock encoder is asked about: its versions differ there."""


def varint(number: int) -> bytes:
    """Return an unsigned integer in base 128."""
    if number < _ONE_BYTE_ENDS:
        return _ONE_BYTE[number]
    if number < _TWO_BYTES_END:
        return bytes((number & 0x7F | 0x80, number >> 7))
    return bytes((number & 0x7F | 0x80,)) + varint(number >> 7)


def field(tag: bytes, content: bytes) -> bytes:
    """Return a field of bytes, a text or a message."""
    return tag + varint(len(content)) + content


def any_value(value: object) -> bytes:
    """Return an ``AnyValue``; kinds are told apart in the order in which the stock encoder does.

    Raises:
        UnknownValue: None, or a kind that OTLP does not have.
        OverflowError: an integer of more than 64 bits.
        UnicodeEncodeError: a text with half a surrogate pair.
    """
    if isinstance(value, bool):
        return _TRUE if value else _FALSE
    if isinstance(value, str):
        return field(b"\x0a", str.encode(value))
    if isinstance(value, int):
        if not -(1 << 63) <= value < 1 << 63:
            raise OverflowError
        return b"\x18" + varint(int.__index__(value) & 0xFFFF_FFFF_FFFF_FFFF)
    if isinstance(value, float):
        return b"\x21" + _double(value)
    if isinstance(value, bytes):
        return field(b"\x3a", value)
    if isinstance(value, Sequence):
        values = cast("Sequence[object]", value)
        return field(b"\x2a", b"".join([field(b"\x0a", any_value(item)) for item in values]))
    if isinstance(value, Mapping):
        members = cast("Mapping[object, object]", value)
        return field(b"\x32", b"".join([field(b"\x0a", key_value(str(key), item)) for key, item in members.items()]))
    raise UnknownValue


def key_value(key: str, value: object) -> bytes:
    """Return a ``KeyValue``.

    Raises:
        TypeError: the key is not a text.
    """
    return field(b"\x0a", str.encode(key)) + field(b"\x12", any_value(value))


class Kept:
    """Pieces by what they are of, within bounds."""

    __slots__ = ("_counts", "_pieces", "get")

    def __init__(self) -> None:
        self._pieces: dict[Any, bytes] = {}
        self._counts: dict[object, int] = {}
        self.get = self._pieces.get
        """Looks for a piece, without the cost of a call of ours."""

    def keep(self, what: object, key: object, piece: bytes) -> bytes:
        """Keep a piece that was not found, if there is room, and return it.

        Args:
            what: What it is found by.
            key: What has no more than its share of the room.
            piece: The piece.
        """
        count = self._counts.get(key, 0)
        if count < _MAX_VALUES and len(piece) <= _MAX_PIECE and len(self._pieces) < _MAX_KEPT:
            self._counts[key] = count + 1
            self._pieces[what] = piece
        return piece

    def forget(self) -> None:
        """Start afresh: what was usual may not be any more."""
        self._pieces.clear()
        self._counts.clear()


class Attributes(Kept):
    """Repeated fields of attributes.

    Args:
        tag: The field's.
    """

    __slots__ = ("_keys", "_tag")

    def __init__(self, tag: bytes) -> None:
        super().__init__()
        self._tag = tag
        self._keys: dict[str, bytes] = {}

    def forget(self) -> None:
        """Start afresh."""
        super().forget()
        self._keys.clear()

    def fields(self, attributes: Mapping[str, object]) -> list[bytes]:
        """Return the fields of attributes, in order.

        Raises:
            Exception: as `any_value` does; the attributes are left to the stock encoder.
        """
        get, new = self.get, self._new
        try:
            # With its type: 1 == True == 1.0.
            return [get((key, value, type(value))) or new(key, value) for key, value in attributes.items()]
        except TypeError:  # a list cannot be looked for
            return [self._encode(key, value) for key, value in attributes.items()]

    def _encode(self, key: str, value: object) -> bytes:
        return field(self._tag, key_value(key, redaction.value(key, value)))

    def _new(self, key: str, value: Any) -> bytes:
        """Return a field that was not found: its value is new, or of a kind that is not kept."""
        kind: type[object] = type(value)  # pyright: ignore[reportUnknownVariableType]
        named = self._keys.get(key) or self._named(key)
        if named is None:
            return self._encode(key, value)
        if kind is float:
            return self._tag + _ONE_BYTE[len(named) + 11] + named + b"\x12\x09\x21" + _double(value)
        if kind is int and _SMALL <= value < _LARGE:
            number = varint(value)
            size = len(number)
            return self._tag + _ONE_BYTE[len(named) + size + 3] + named + _NUMBER[size] + number
        if kind is str:
            content = redaction.value(key, value).encode()
            size = len(content)
            length = len(named) + size + 4
            if length >= _ONE_BYTE_ENDS:
                return self._keep(key, value, self._encode(key, value))
            return self._keep(key, value, self._tag + _ONE_BYTE[length] + named + _TEXT[size] + content)
        piece = self._encode(key, value)
        return self._keep(key, value, piece) if _is_plain(kind, value) else piece

    def _keep(self, key: str, value: object, piece: bytes) -> bytes:
        return self.keep((key, value, type(value)), key, piece) if self._counts.get(key, 0) < _MAX_VALUES else piece

    def _named(self, key: str) -> bytes | None:
        """Return a key's own part of a field, if it is short and not one whose values are hidden."""
        if type(key) is not str or redaction.hides(key) or len(named := field(b"\x0a", key.encode())) > _MAX_NAMED:
            return None
        if len(self._keys) < _MAX_KEPT:
            self._keys[key] = named
        return named


def _is_plain(kind: type[object], value: object) -> bool:
    """Whether what equals a value and is of its type is encoded alike; texts are."""
    if kind is tuple:
        return all(type(item) is str for item in cast("tuple[object, ...]", value))
    return kind is bool or kind is int
