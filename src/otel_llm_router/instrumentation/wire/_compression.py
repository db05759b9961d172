"""Compressed answers, read beside the application.

Room: `instrumentation`. Compressed chunks come in, as the application's HTTP library receives them; plain
chunks for our decoders go out. What the library decodes itself is taken from it and does not come here.
"""

from __future__ import annotations

import importlib
import zlib
from collections.abc import Callable
from functools import partial
from typing import Any, Final

MAX_OUTPUT: Final = 4 * 1024 * 1024
"""Bytes that one compressed chunk may become; an answer that exceeds it is no longer read."""

Decompress = Callable[[bytes], bytes]


class ExpansionError(Exception):
    """A chunk that becomes too much."""


def decompressor(encoding: str) -> Decompress | None:
    """Return what decompresses chunks of a content encoding, or None when it cannot be.

    Brotli and Zstandard need the package that the application's HTTP library decodes them with.
    """
    encoding = encoding.strip().lower()
    if encoding in {"gzip", "x-gzip"}:
        return _Zlib(16 + zlib.MAX_WBITS)
    if encoding == "deflate":
        return _Zlib(zlib.MAX_WBITS)
    if encoding == "br":
        return _brotli()
    if encoding == "zstd":
        return _zstandard()
    return None


class _Zlib:
    def __init__(self, window: int) -> None:
        self._object = zlib.decompressobj(window)
        self._first = window == zlib.MAX_WBITS

    def __call__(self, data: bytes) -> bytes:
        try:
            plain = self._object.decompress(data, MAX_OUTPUT)
        except zlib.error:
            if not self._first:
                raise
            self._object = zlib.decompressobj(-zlib.MAX_WBITS)  # some servers leave the header of deflate out
            plain = self._object.decompress(data, MAX_OUTPUT)
        self._first = False
        if self._object.unconsumed_tail:
            raise ExpansionError
        return plain


def _limited(decompress: Callable[[bytes], bytes]) -> Decompress:
    def limited(data: bytes) -> bytes:
        plain = decompress(data)
        if len(plain) > MAX_OUTPUT:
            raise ExpansionError
        return plain

    return limited


def _brotli() -> Decompress | None:
    for name in ("brotli", "brotlicffi"):
        module = _module(name)
        if module is not None:
            decoder = module.Decompressor()
            return _limited(decoder.process if hasattr(decoder, "process") else decoder.decompress)
    return None


def _zstandard() -> Decompress | None:
    for name in ("compression.zstd", "backports.zstd"):
        module = _module(name)
        if module is not None:
            return _limited(partial(_zstandard_step, module.ZstdDecompressor()))
    module = _module("zstandard")
    return None if module is None else _limited(module.ZstdDecompressor().decompressobj().decompress)


def _zstandard_step(decoder: Any, data: bytes) -> bytes:
    return b"" if decoder.eof else decoder.decompress(data, MAX_OUTPUT + 1)


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None
