"""Our own scope's points, written as Prometheus text without an object for each sample.

Room: `export`. A snapshot of the aggregation comes in, the lines that `prometheus_client` would write
for it go out, character for character. What the lines of a series begin with is kept from one scrape to
the next, for as long as there is the series and for at most `MAX_KEPT` of them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Container, Hashable, Iterable, Mapping
from itertools import accumulate
from typing import Any, Final, Generic, TypeVar

from prometheus_client.utils import floatToGoString  # pyright: ignore[reportUnknownVariableType]

from otel_llm_router.aggregation import Description, Exemplar, Labels, Point, Snapshot, numbers, tallies
from otel_llm_router.export._families import once
from otel_llm_router.export._names import KINDS, family_name, joined_labels
from otel_llm_router.export._texts import text_of

MAX_KEPT: Final = 50_000
"""Series whose text is kept, some 400 bytes each; what is beyond is made anew each time."""

_PLAIN: Final = 1_000_000
"""From here on Go writes an exponent where Python does not yet."""

T = TypeVar("T", bound=Hashable)
V = TypeVar("V")


class OwnText:
    """Writes snapshots; not for several threads at once."""

    def __init__(self) -> None:
        self._families: dict[Description, _Family[Any]] = {}

    def __len__(self) -> int:
        """Return of how many series the text is kept."""
        return sum(map(len, self._families.values()))

    def apart(self, snapshot: Snapshot, taken: Container[str]) -> tuple[Snapshot, Snapshot]:
        """Return what can be written here, and what shares the name of its family with something else.

        Args:
            snapshot: All there is.
            taken: Names of families that are written elsewhere.
        """
        known = self._families
        self._families = {one: known[one] if one in known else _made(one) for one in snapshot}
        times = Counter(family.name for family in self._families.values())
        own: dict[Description, Mapping[Labels, Point]] = {}
        shared: dict[Description, Mapping[Labels, Point]] = {}
        for description, points in snapshot.items():
            name = self._families[description].name
            (shared if times[name] > 1 or name in taken else own)[description] = points
        return own, shared

    def text(self, own: Snapshot, *, open_metrics: bool) -> bytes:
        """Return the lines of what ``apart`` found, as OpenMetrics or in the text format 0.0.4."""
        room = MAX_KEPT
        parts: list[bytes] = []
        for description, points in own.items():
            family = self._families[description]
            lines = [family.head(open_metrics=open_metrics)]
            family.write(points, lines, open_metrics=open_metrics)
            family.forget(points, room)
            room -= len(family)
            parts.append("".join(lines).encode())
        return b"".join(parts)


class _Family(Generic[T]):
    """One instrument, and what the lines of its series begin with."""

    def __init__(self, description: Description) -> None:
        self.kind = KINDS[description.shape]
        self.name = family_name(description.name, description.unit, self.kind)
        self._help = text_of(description.description)
        self._kept: dict[Labels, T] = {}

    def __len__(self) -> int:
        """Return of how many series the text is kept."""
        return len(self._kept)

    def head(self, *, open_metrics: bool) -> str:
        """Return the comments ahead of the samples."""
        name = self.name if open_metrics or self.kind != "counter" else f"{self.name}_total"
        text = self._help.replace("\\", r"\\").replace("\n", r"\n")
        if open_metrics:
            text = text.replace('"', r"\"")
        return f"# HELP {name} {text}\n# TYPE {name} {self.kind}\n"

    def write(self, points: Mapping[Labels, Any], lines: list[str], *, open_metrics: bool) -> None:
        """Append the lines of the samples."""
        raise NotImplementedError

    def forget(self, points: Mapping[Labels, Any], room: int) -> None:
        """Keep the texts of ``points`` only, and none if there are more than ``room``."""
        if len(points) > room:
            self._kept = {}
        elif len(self._kept) > len(points):
            self._kept = {labels: self._kept[labels] for labels in points}

    def _series(self, points: Mapping[Labels, Any], values: Iterable[V]) -> Iterable[tuple[T, V]]:
        """Return text and value of each series, but for those whose labels read like those of one before."""
        kept = self._kept
        texts = [kept.get(labels) or kept.setdefault(labels, self._text(labels)) for labels in points]
        if len(set(texts)) == len(texts):
            return zip(texts, values, strict=True)
        once(f"the scrape shows one of several series {self.name} with equal labels")
        first: dict[T, V] = {}
        for text, value in zip(texts, values, strict=True):
            first.setdefault(text, value)
        return first.items()

    def _text(self, labels: Labels) -> T:
        raise NotImplementedError


class _Numbers(_Family[str]):
    """A counter or gauge: a line for each series, of which all but the value is kept."""

    def write(self, points: Mapping[Labels, Any], lines: list[str], *, open_metrics: bool) -> None:  # noqa: ARG002
        lines += [
            f"{text}{value!r}\n" if type(value) is float and -_PLAIN < value < _PLAIN else f"{text}{_number(value)}\n"
            for text, value in self._series(points, numbers(points))
        ]

    def _text(self, labels: Labels) -> str:
        suffix = "_total" if self.kind == "counter" else ""
        return f"{self.name}{suffix}{_braces(_pairs(labels).values())} "


class _Histograms(_Family[tuple[str, str, str]]):
    """A histogram: of each series the labels are kept, and what stands before and behind a bound among them."""

    def __init__(self, description: Description) -> None:
        super().__init__(description)
        self._bounds = description.bounds
        self._les = [floatToGoString(bound) for bound in (*description.bounds, float("inf"))]

    def write(self, points: Mapping[Labels, Any], lines: list[str], *, open_metrics: bool) -> None:
        name, les = self.name, self._les
        for (braces, before, behind), (count, total, buckets, exemplars) in self._series(points, tallies(points)):
            lines.append(f"{name}_count{braces} {_number(count)}\n")
            if open_metrics and exemplars:
                shown = {bisect_left(self._bounds, one.value): _exemplar(one) for one in exemplars}
                lines += [
                    f"{before}{le}{behind}{_number(below)}{shown.get(bucket, '')}\n"
                    for bucket, (le, below) in enumerate(zip(les, accumulate(buckets), strict=True))
                ]
            elif count < _PLAIN:
                lines += [
                    f"{before}{le}{behind}{below}.0\n" for le, below in zip(les, accumulate(buckets), strict=True)
                ]
            else:
                lines += [
                    f"{before}{le}{behind}{_number(below)}\n"
                    for le, below in zip(les, accumulate(buckets), strict=True)
                ]
            lines.append(f"{name}_sum{braces} {_number(total)}\n")

    def _text(self, labels: Labels) -> tuple[str, str, str]:
        pairs = _pairs(labels)
        before = "".join([f"{pair}," for key, pair in pairs.items() if key < "le"])
        behind = "".join([f",{pair}" for key, pair in pairs.items() if key > "le"])
        return _braces(pairs.values()), f'{self.name}_bucket{{{before}le="', f'"{behind}}} '


def _made(description: Description) -> _Family[Any]:
    return _Histograms(description) if description.shape == "histogram" else _Numbers(description)


def _pairs(labels: Labels) -> dict[str, str]:
    """Return ``key="value"`` by key, in the order of the keys."""
    return {key: f'{key}="{_escaped(value)}"' for key, value in sorted(joined_labels(labels).items())}


def _braces(pairs: Iterable[str]) -> str:
    text = ",".join(pairs)
    return f"{{{text}}}" if text else ""


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _number(value: float) -> str:
    if type(value) is int and -_PLAIN < value < _PLAIN:
        return f"{value}.0"
    return floatToGoString(value)


def _exemplar(one: Exemplar) -> str:
    labels = f'span_id="{one.span_id:016x}",trace_id="{one.trace_id:032x}"'
    return f" # {{{labels}}} {floatToGoString(one.value)} {one.time / 1e9}"
