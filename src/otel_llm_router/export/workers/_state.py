"""What one process says of itself, as bytes.

Room: `export.workers`. Snapshots in columns come in, and go out where they are read. No pickle: numbers, texts and
lists only. The labels of an instrument are bytes of their own, which both sides keep as long as they are the same:
they are most of it, and seldom change.
"""

from __future__ import annotations

import marshal
import sys
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from struct import Struct
from typing import Any, Final, TypeVar

from otel_llm_router.aggregation import Description, Exemplar, HistogramPoint, Labels, Numbers, Point, Snapshot, numbers
from otel_llm_router.signals import Merge

_HEADER: Final = Struct("!8sII")
_MAGIC: Final = b"olr1" + bytes((*sys.version_info[:2], marshal.version, 0))
"""Another Python may write other bytes: what it says is not read."""
_MARSHAL: Final = 2
"""The version without references, which cost more than they save."""

T = TypeVar("T")

_tally = attrgetter("count", "sum", "exemplars", "buckets")


class UnreadableError(ValueError):
    """Bytes that are no state: torn, or of another version."""


@dataclass
class State:
    """All that a process says.

    Args:
        about: Who it is: numbers and texts.
        live: What it counts and shows now.
        ended: What series had counted that have made room; see `Aggregation.keep_ended`.
    """

    about: dict[str, Any]
    live: Snapshot = field(default_factory=dict[Description, Mapping[Labels, Point]])
    ended: Snapshot = field(default_factory=dict[Description, Mapping[Labels, Point]])


class Writer:
    """Writes states of one process; not for several threads at once."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._labels: dict[tuple[str, Description], tuple[list[Labels], bytes]] = {}
        self._changed: dict[Description, dict[Labels, tuple[float, int]]] = {}

    def write(self, state: State) -> bytes:
        """Return the bytes of a state."""
        kept, self._labels = self._labels, {}
        parts = [
            [self._section(name, one, points, kept) for one, points in part.items()]
            for name, part in (("live", state.live), ("ended", state.ended))
        ]
        body = marshal.dumps((state.about, *parts), _MARSHAL)
        return _HEADER.pack(_MAGIC, zlib.crc32(body), len(body)) + body

    def _section(
        self, part: str, one: Description, points: Mapping[Labels, Any], kept: Mapping[Any, tuple[list[Labels], bytes]]
    ) -> tuple[Any, ...]:
        labels = list(points)
        before = kept.get((part, one))
        packed = before[1] if before is not None and before[0] == labels else marshal.dumps(labels, _MARSHAL)
        self._labels[part, one] = (labels, packed)
        described = (one.name, one.shape, one.unit, one.description, one.bounds, one.merge)
        if one.shape == "histogram":
            counts, sums, exemplars, buckets = zip(*map(_tally, points.values()), strict=True)
            shown = [(row, [tuple(one) for one in found]) for row, found in enumerate(exemplars) if found]
            return (*described, packed, counts, _plain(sums), buckets, shown)
        values = _plain([*numbers(points)])
        return (*described, packed, values, getattr(points, "times", None))

    def dated(self, snapshot: Snapshot) -> Snapshot:
        """Return a snapshot in which gauges whose last change counts say when each was first seen to have its value."""
        return {
            one: self._dated(one, points) if one.merge == Merge.LAST.value else points
            for one, points in snapshot.items()
        }

    def _dated(self, one: Description, points: Mapping[Labels, Point]) -> Numbers:
        before, now = self._changed.get(one, {}), self._clock()
        found: dict[Labels, tuple[float, int]] = {}
        for key, value in zip(points, numbers(points), strict=True):
            known = before.get(key)
            found[key] = known if known is not None and known[0] == value else (value, now)
        self._changed[one] = found
        return Numbers(list(found), [value for value, _ in found.values()], times=[when for _, when in found.values()])


def _plain(values: Sequence[float]) -> Sequence[float]:
    """Return values of Python's own types: an application's can be of a library's, which are not written."""
    if set(map(type, values)) <= {int, float}:
        return values
    return [value if type(value) in {int, float} else float(value) for value in values]


class Reader:
    """Reads states of one process, one after the other; not for several threads at once."""

    def __init__(self) -> None:
        self._labels: dict[tuple[str, Description], tuple[bytes, list[Labels]]] = {}

    def read(self, data: bytes) -> State:
        """Return the state in ``data``.

        Raises:
            UnreadableError: it is torn, or another version's.
        """
        try:
            magic, checksum, length = _HEADER.unpack_from(data)
            body = memoryview(data)[_HEADER.size :]
            if magic != _MAGIC or len(body) != length or zlib.crc32(body) != checksum:
                raise UnreadableError("no state of this version")  # noqa: TRY301  # as with what follows
            about, live, ended = marshal.loads(body)  # noqa: S302  # of this user's own processes, and checked
            kept, self._labels = self._labels, {}
            return State(about, self._part("live", live, kept), self._part("ended", ended, kept))
        except UnreadableError:
            raise
        except Exception as error:
            raise UnreadableError(f"no state: {type(error).__name__}") from error

    def _part(self, part: str, sections: Sequence[Any], kept: Mapping[Any, tuple[bytes, list[Labels]]]) -> Snapshot:
        found: dict[Description, Mapping[Labels, Point]] = {}
        for name, shape, unit, text, bounds, merge, packed, *columns in sections:
            one = Description(name=name, shape=shape, unit=unit, description=text, bounds=bounds, merge=merge)
            before = kept.get((part, one))
            labels = before[1] if before is not None and before[0] == packed else marshal.loads(packed)  # noqa: S302
            self._labels[part, one] = (packed, labels)
            found[one] = _points(one, labels, columns)
        return found


def _points(one: Description, labels: list[Labels], columns: Sequence[Any]) -> Mapping[Labels, Point]:
    if one.shape != "histogram":
        values, times = columns
        starts = None if one.shape == "gauge" else lambda: [0] * len(values)
        return Numbers(labels, values, starts, times)
    counts, sums, buckets, exemplars = columns
    inf = float("inf")
    made = [
        HistogramPoint(count, total, cells, one.bounds, inf, -inf, 0)
        for count, total, cells in zip(counts, sums, buckets, strict=True)
    ]
    for row, found in exemplars:
        made[row].exemplars = tuple(Exemplar(*exemplar) for exemplar in found)
    return dict(zip(labels, made, strict=True))
