"""Read the structure of a bbolt database, as far as it takes to say that the Collector can open it.

Room: `cli`. A file comes in; what is wrong with it goes out. The Collector's queues are such files: one that is damaged
ends the Collector, often only when it comes to the damaged page.
Source: https://github.com/etcd-io/bbolt, `internal/common/page.go`, `meta.go`, `bucket.go`.
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_PAGE: Final = struct.Struct("<QHHI")  # id, flags, count, overflow
_META: Final = struct.Struct("<IIIIQQQQQQ")  # magic, version, page size, flags, root, sequence, freelist, pages, txid, checksum
_BRANCH: Final = struct.Struct("<IIQ")  # position, key size, page
_LEAF: Final = struct.Struct("<IIII")  # flags, position, key size, value size
_BUCKET: Final = struct.Struct("<QQ")  # root page, sequence
_MAGIC: Final = 0xED0CDAED
_VERSION: Final = 2
_IS_BRANCH, _IS_LEAF, _IS_META, _IS_FREELIST = 1, 2, 4, 16
_BUCKET_LEAF: Final = 1
_NO_FREELIST: Final = (1 << 64) - 1
_LARGEST_PAGE: Final = 65536


class _DamagedError(Exception):
    """What is wrong, in words."""


@dataclass(frozen=True)
class _Meta:
    page_size: int
    root: int
    freelist: int
    pages: int
    transaction: int


def fault(path: Path) -> str | None:
    """Say what is wrong with a database, or None when its structure is whole.

    The content of values is not looked at: the Collector drops those that it cannot decode, and goes on.

    Raises:
        OSError: The file cannot be read.
    """
    size = path.stat().st_size
    if size == 0:
        # A new one, which the database lays out when it opens it.
        return None
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            meta = _newest_meta(data)
            if meta.pages * meta.page_size > len(data):
                raise _DamagedError(f"it has {len(data)} bytes and should have {meta.pages * meta.page_size}")
            _Walk(data, meta).database()
        except _DamagedError as damage:
            return str(damage)
        except (struct.error, RecursionError) as error:
            return f"a page points outside the file ({error})"
    return None


def _newest_meta(data: mmap.mmap) -> _Meta:
    """Return the newer of the two meta pages; as the database does, one that is damaged does not count."""
    found: list[_Meta] = []
    first = _meta_at(data, 0)
    sizes = [first.page_size] if first else [1 << power for power in range(10, 17)]
    for offset in (0, *sizes):
        meta = _meta_at(data, offset)
        if meta is not None and (offset == 0 or meta.page_size == offset):
            found.append(meta)
    if not found:
        raise _DamagedError("neither of its two meta pages is whole")
    return max(found, key=lambda meta: meta.transaction)


def _meta_at(data: mmap.mmap, offset: int) -> _Meta | None:
    start = offset + _PAGE.size
    if start + _META.size > len(data):
        return None
    magic, version, page_size, _flags, root, _sequence, freelist, pages, transaction, checksum = _META.unpack_from(
        data, start
    )
    if magic != _MAGIC or version != _VERSION or not 0 < page_size <= _LARGEST_PAGE:
        return None
    if checksum != _fnv1a(data[start : start + _META.size - 8]):
        return None
    return _Meta(page_size, root, freelist, pages, transaction)


def _fnv1a(content: bytes) -> int:
    value = 0xCBF29CE484222325
    for byte in content:
        value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return value


class _Walk:
    """One pass over all pages that can be reached."""

    def __init__(self, data: mmap.mmap, meta: _Meta) -> None:
        self._data = data
        self._meta = meta
        self._seen: set[int] = set()

    def database(self) -> None:
        """Look at the free list and at every bucket.

        Raises:
            _DamagedError: something is not as it must be.
        """
        if self._meta.freelist != _NO_FREELIST:
            flags, _count, _end = self._page(self._meta.freelist)
            if flags != _IS_FREELIST:
                raise _DamagedError(f"page {self._meta.freelist} should be the free list and is of kind {flags}")
        self._tree(self._meta.root)

    def _tree(self, root: int) -> None:
        waiting = [root]
        while waiting:
            number = waiting.pop()
            flags, count, end = self._page(number)
            start = number * self._meta.page_size
            if flags == _IS_BRANCH:
                waiting += self._branch(start, count, end)
            elif flags == _IS_LEAF:
                waiting += self._leaf(start, count, end)
            else:
                raise _DamagedError(f"page {number} should hold records and is of kind {flags}")

    def _page(self, number: int) -> tuple[int, int, int]:
        """Return kind, number of elements and end of a page that has not been come to before."""
        if not 2 <= number < self._meta.pages:  # noqa: PLR2004 - the first two are the meta pages
            raise _DamagedError(f"there is no page {number}")
        start = number * self._meta.page_size
        own, flags, count, overflow = _PAGE.unpack_from(self._data, start)
        if own != number:
            raise _DamagedError(f"page {number} says that it is page {own}")
        if number + overflow >= self._meta.pages:
            raise _DamagedError(f"page {number} is longer than the file")
        for one in range(number, number + overflow + 1):
            if one in self._seen:
                raise _DamagedError(f"page {one} is used twice")
            self._seen.add(one)
        return flags, count, start + (overflow + 1) * self._meta.page_size

    def _branch(self, start: int, count: int, end: int) -> list[int]:
        if count == 0:
            raise _DamagedError(f"page {start // self._meta.page_size} leads nowhere")
        found: list[int] = []
        before = b""
        for number in range(count):
            at = start + _PAGE.size + number * _BRANCH.size
            position, key_size, page = _BRANCH.unpack_from(self._data, at)
            before = self._ordered(before, number, self._part(at + position, key_size, start, end))
            found.append(page)
        return found

    def _leaf(self, start: int, count: int, end: int) -> list[int]:
        found: list[int] = []
        before = b""
        for number in range(count):
            at = start + _PAGE.size + number * _LEAF.size
            flags, position, key_size, value_size = _LEAF.unpack_from(self._data, at)
            before = self._ordered(before, number, self._part(at + position, key_size, start, end))
            if at + position + key_size + value_size > end:
                raise _DamagedError(f"a value on page {start // self._meta.page_size} is longer than its page")
            if flags == _BUCKET_LEAF:
                found += self._bucket(at + position + key_size, value_size)
            elif flags:
                raise _DamagedError(f"a record on page {start // self._meta.page_size} is of kind {flags}")
        return found

    def _bucket(self, start: int, size: int) -> list[int]:
        if size < _BUCKET.size:
            raise _DamagedError("a bucket is too short")
        root, _sequence = _BUCKET.unpack_from(self._data, start)
        if root:
            return [root]
        # A small bucket is a leaf page within the record.
        inline = start + _BUCKET.size
        _own, flags, count, _overflow = _PAGE.unpack_from(self._data, inline)
        if flags != _IS_LEAF:
            raise _DamagedError(f"a small bucket is of kind {flags}")
        return self._leaf(inline, count, start + size)

    def _part(self, start: int, size: int, lowest: int, end: int) -> bytes:
        if not lowest <= start <= start + size <= end:
            raise _DamagedError(f"a key on page {lowest // self._meta.page_size} is outside its page")
        return self._data[start : start + size]

    @staticmethod
    def _ordered(before: bytes, number: int, key: bytes) -> bytes:
        if number and key <= before:
            raise _DamagedError("keys are not in order")
        return key
