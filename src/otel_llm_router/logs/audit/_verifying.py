"""Whether records are those that were written: the walk along one chain.

Room: `logs`. Lines of files come in, in the order of the chain; what is wrong goes out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from otel_llm_router.logs.audit import _resuming
from otel_llm_router.logs.audit._head import Head
from otel_llm_router.logs.audit._record import LONGEST, START, LineError, Place, Record, Seal, read

PREFIX: Final = "llm_router.audit."
"""What the names of our events begin with."""
MAX_PROBLEMS: Final = 100
_REMEMBERED: Final = 100_000


@dataclass(frozen=True)
class Problem:
    """Something that nobody but a tamperer does, or a disk that fails.

    Args:
        file: Name of the file.
        line: Number of the line, from 1.
        kind: ``edited``, ``deleted``, ``reordered``, ``duplicated``, ``inserted``, ``truncated`` or ``anomaly``.
        message: What was found, in a sentence.
    """

    file: str
    line: int
    kind: str
    message: str


@dataclass
class Walk:
    """One chain, record by record.

    Args:
        seals: Seals by the identifiers of their keys.
        known: Records that are known from elsewhere: hashes by their numbers.
    """

    seals: Mapping[str, Seal]
    known: Mapping[int, str] = field(default_factory=dict[int, str])
    chain: str = ""
    first: int = 0
    place: Place = START
    records: int = 0
    torn: int = 0
    problems: list[Problem] = field(default_factory=list[Problem])
    hashes: dict[int, str] = field(default_factory=dict[int, str])
    """Hashes of the records that somebody may know of."""
    wanted: frozenset[int] = frozenset()
    _file: str = ""
    _line: int = 0
    _opened: bool = False
    _rest: bytes = b""
    _rest_line: int = 0
    _rest_why: str = ""
    _missing: set[int] = field(default_factory=set[int])

    def begin(self, file: str) -> None:
        """Begin a file."""
        self.end_of_file()
        self._file, self._line, self._opened = file, 0, False

    def take(self, line: bytes) -> None:
        """Take a line, with its end."""
        self._line += 1
        try:
            record = read(line[:-1] if line.endswith(b"\n") else b"", self.seals)
        except (LineError, KeyError) as error:
            if not self._rest:
                why = str(error) if isinstance(error, LineError) else "it is sealed with another key, or with none"
                self._rest_line, self._rest_why = self._line, why
            if len(self._rest) <= LONGEST:  # more is nothing that a process left half written
                self._rest += line
            return
        self._record(record)

    def end_of_file(self) -> None:
        """End a file after which another comes."""
        if self._rest:
            self._problem(self._rest_line, "edited", f"this line is no record: {self._rest_why}")
            self._rest = b""

    def finish(self, head: Head | None) -> None:
        """End the last file.

        Args:
            head: What the head of the chain says; None where it is not known.
        """
        if self._rest and head is not None and head.floor.sequence <= self.place.sequence < head.intended.sequence:
            self.torn += 1
            self._rest = b""
        self.end_of_file()
        if head is not None:
            self._against(head)
        for number, digest in self.known.items():
            self._held_against(number, digest, "a known head")

    def _record(self, record: Record) -> None:
        event = record.event.removeprefix(PREFIX)
        begins = self.records == 0
        if begins and not self.chain:
            self.chain, self.first = record.chain, record.place.sequence
            self.place = Place(record.place.sequence - 1, record.before)
            if self.first == 1 and record.before != START.digest:
                self._problem(self._line, "edited", "the first record of a chain names one before it")
        follows = (
            record.chain == self.chain
            and record.place.sequence == self.place.sequence + 1
            and record.before == self.place.digest
        )
        if self._rest:
            self._settle_rest(record, follows=follows and event == _resuming.TORN)
        elif not follows:
            self._out_of_place(record)
        if not self._opened:
            self._opened = event == _resuming.OPENED
            if not self._opened and event != _resuming.TORN:
                self._opened = True
                self._problem(self._line, "deleted", "the file does not begin with the record of its opening")
        if event == _resuming.ANOMALY:
            reason = record.fields.get(f"{PREFIX}reason", "")
            self._problem(
                self._line, "anomaly", f"the process that wrote this found the file not as it was left: {reason}"
            )
        self.records += 1
        if record.place.sequence in self.wanted:
            self.hashes[record.place.sequence] = record.place.digest
        if record.chain == self.chain:
            self.place = record.place

    def _settle_rest(self, record: Record, *, follows: bool) -> None:
        said = record.fields.get(f"{PREFIX}hash")
        left = {hashlib.sha256(rest).hexdigest() for rest in (self._rest, self._rest.removesuffix(b"\n"))}
        if follows and said in left:
            self.torn += 1
        else:
            self._problem(self._rest_line, "edited", f"this line is no record: {self._rest_why}")
        self._rest = b""

    def _out_of_place(self, record: Record) -> None:
        expected, number = self.place.sequence + 1, record.place.sequence
        if record.chain != self.chain:
            self._problem(self._line, "inserted", "this record is of another chain")
        elif number in self._missing:
            self._missing.discard(number)
            self._problem(self._line, "reordered", f"record {number} is not in its place")
        elif number > expected:
            if len(self._missing) < _REMEMBERED:
                self._missing.update(range(expected, min(number, expected + _REMEMBERED)))
            what = f"record {expected} is" if number == expected + 1 else f"records {expected} to {number - 1} are"
            self._problem(self._line, "deleted", f"{what} not where it belongs: record {number} follows {expected - 1}")
        elif number < expected:
            kind = "duplicated" if record.place == self.place else "inserted"
            self._problem(self._line, kind, f"record {number} is here again, or is another of that number")
        else:
            self._problem(self._line, "edited", f"record {number} follows another than the one before it here")

    def _against(self, head: Head) -> None:
        end = self.place.sequence
        if end < head.floor.sequence:
            gone = head.floor.sequence - end
            self._problem(self._line, "truncated", f"the head knows of {gone} more record(s), to {head.floor.sequence}")
        elif end > head.intended.sequence:
            self._problem(self._line, "inserted", f"the head knows of no record after {head.intended.sequence}")
        else:
            for place in (head.floor, head.intended):
                if 0 < place.sequence <= end:
                    self._held_against(place.sequence, place.digest, "the head")

    def _held_against(self, number: int, digest: str, who: str) -> None:
        if number > self.place.sequence:
            gone = number - self.place.sequence
            self._problem(self._line, "truncated", f"{who} knows of {gone} more record(s), to {number}")
        elif number >= self.first and self.hashes.get(number) != digest:
            self._problem(self._line, "edited", f"record {number} is not the one that {who} knows")

    def _problem(self, line: int, kind: str, message: str) -> None:
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(Problem(self._file, line, kind, message))
