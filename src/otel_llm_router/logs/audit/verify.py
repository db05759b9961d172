"""Whether audit files are as they were written: edited, deleted, reordered, inserted and cut-off records are found.

Room: `logs`. Files and directories come in; a `Report` goes out. Nothing is written.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from otel_llm_router.logs.audit import _chain, _head
from otel_llm_router.logs.audit._head import Head
from otel_llm_router.logs.audit._record import LONGEST, LineError, Record, Seal, read
from otel_llm_router.logs.audit._verifying import Problem, Walk

_EVERY: Final = 1000
"""Lines between two notes of progress."""

Progress = Callable[[int, int], object]
"""Takes the bytes that were read and those there are."""


class VerifyError(Exception):
    """It cannot be verified as asked; the message says why and what to do."""


@dataclass(frozen=True)
class ChainReport:
    """What was found in one chain.

    Args:
        chain: Its identifier; empty where no record says it.
        files: Names of its files, in their order.
        records: Records that were read.
        first: Number of the first record.
        last: Number of the last record.
        hash: Hash of the last record.
        torn: Lines that a process left half written when it was killed.
        problems: What is wrong, the first first.
    """

    chain: str
    files: tuple[str, ...]
    records: int
    first: int
    last: int
    hash: str
    torn: int
    problems: tuple[Problem, ...]


@dataclass(frozen=True)
class Report:
    """What was found.

    Args:
        chains: Each chain.
        notes: What is no tampering and worth knowing, in sentences.
    """

    chains: tuple[ChainReport, ...]
    notes: tuple[str, ...] = ()

    @property
    def intact(self) -> bool:
        """Whether nothing is wrong."""
        return not any(one.problems for one in self.chains)

    @property
    def first_problem(self) -> Problem | None:
        """The first thing that is wrong."""
        return next((problem for one in self.chains for problem in one.problems), None)


@dataclass
class _Part:
    path: Path
    size: int
    head: Head | None = None
    trouble: str = ""
    chain: str = ""
    first: int = 0
    key: str = ""


def verify(
    paths: Sequence[Path],
    *,
    keys: Sequence[bytes] = (),
    heads: Mapping[int, str] | None = None,
    without_head: bool = False,
    complete: bool = False,
    progress: Progress = lambda _done, _all: None,
) -> Report:
    """Verify audit files, of any number of chains.

    Args:
        paths: Files, and directories of which each ``*.jsonl`` is one.
        keys: Secrets that chains are sealed with.
        heads: Hashes by the numbers of records, as an outside system holds them.
        without_head: Whether to verify files that have no head, whose end may be missing then.
        complete: Whether a chain has to begin with its first record.
        progress: Told how far it is.

    Raises:
        VerifyError: it cannot be done as asked.
        OSError: a file cannot be read.
    """
    try:
        seals = {seal.key_id: seal for seal in (Seal(key) for key in keys)}
    except ValueError as error:
        raise VerifyError(str(error)) from error
    seals = seals or {"": Seal()}
    parts = [part for path in paths for part in _parts(path, seals)]
    if not parts:
        raise VerifyError("there is no audit file here: no *.jsonl")
    chains: dict[str, list[_Part]] = {}
    reports: list[ChainReport] = []
    for part in sorted(parts, key=lambda one: one.first):
        if part.chain:
            chains.setdefault(part.chain, []).append(part)
        else:
            nothing = Problem(
                part.path.name,
                1,
                "deleted",
                f"there is no record in this file{part.trouble and ', and '}{part.trouble}",
            )
            reports.append(ChainReport("", (part.path.name,), 0, 0, 0, "", 0, (nothing,)))
    if heads and len(chains) > 1:
        raise VerifyError("a known head is of one chain, and there are several: name the files of one")
    total, done = sum(part.size for part in parts), 0
    notes: list[str] = []
    for several in chains.values():
        walk, head, trouble = _walk(
            several, seals, heads or {}, lambda read_here, so_far=done: progress(so_far + read_here, total)
        )
        done += sum(part.size for part in several)
        if head is None and not heads and not without_head and not trouble and not walk.problems:
            raise VerifyError(
                f"{several[-1].path.name} has no head beside it, by which missing records at its end are known: give "
                "--head NUMBER:HASH as another system holds it, or --without-head to do without"
            )
        problems = [
            *walk.problems,
            *([Problem(f"{several[-1].path.name}{_head.SUFFIX}", 1, "edited", trouble)] if trouble else []),
        ]
        if walk.first > 1 and complete:
            problems.append(Problem(several[0].path.name, 1, "deleted", f"the chain begins with record {walk.first}"))
        notes += _notes(walk, head, without_head=without_head or bool(heads))
        files = tuple(part.path.name for part in several)
        reports.append(
            ChainReport(
                walk.chain,
                files,
                walk.records,
                walk.first,
                walk.place.sequence,
                walk.place.digest,
                walk.torn,
                tuple(problems),
            )
        )
    return Report(tuple(reports), tuple(notes))


def _walk(
    parts: Sequence[_Part], seals: Mapping[str, Seal], known: Mapping[int, str], progress: Callable[[int], object]
) -> tuple[Walk, Head | None, str]:
    head = next((part.head for part in reversed(parts) if part.head is not None), None)
    trouble = next((part.trouble for part in parts if part.trouble), "")
    places = (head.floor.sequence, head.intended.sequence) if head is not None else ()
    walk = Walk(seals, known, wanted=frozenset((*places, *known)))
    before = 0
    for part in parts:
        walk.begin(part.path.name)
        for count, (line, position) in enumerate(_lines(part)):
            walk.take(line)
            if count % _EVERY == 0:
                progress(before + position)
        before += part.size
    walk.finish(head)
    return walk, head, trouble


def _lines(part: _Part) -> Iterator[tuple[bytes, int]]:
    """Read the lines of a file up to the size that it had, none longer than a record can be."""
    left = part.size
    if not left:
        return
    with part.path.open("rb") as file:
        while left > 0 and (line := file.readline(min(left, LONGEST + 2))):
            left -= len(line)
            yield line, part.size - left


def _parts(path: Path, seals: Mapping[str, Seal]) -> Iterator[_Part]:
    if path.is_dir():
        # A file that has just been put aside leaves its head, which knows how far it went.
        heads = (name.with_name(name.name.removesuffix(_head.SUFFIX)) for name in path.glob(f"*.jsonl{_head.SUFFIX}"))
        for name in sorted({*path.glob("*.jsonl"), *heads}):
            yield _part(name, seals)
        return
    yield _part(path, seals)


def _part(path: Path, seals: Mapping[str, Seal]) -> _Part:
    content = None
    with _chain.shared(path):
        with suppress(FileNotFoundError):
            content = path.with_name(path.name + _head.SUFFIX).read_bytes()
        part = _Part(path, path.stat().st_size if content is None or path.exists() else 0)
    if content is not None:
        try:
            head, mac = _head.parse(content)
        except _head.HeadError:
            part.trouble = "the head cannot be read"
        else:
            if head.key not in seals:
                raise _other_key(part, head.key)
            if _head.sealed(head, mac, seals[head.key]):
                part.head = head
            else:
                part.trouble = "the seal of the head is wrong: it was edited"
    record = _first_record(part, seals)
    if record is not None:
        part.chain, part.first = record.chain, record.place.sequence
    elif part.head is not None:
        part.chain, part.first = part.head.chain, part.head.floor.sequence
    return part


def _first_record(part: _Part, seals: Mapping[str, Seal]) -> Record | None:
    """Return the first record in a file that can be checked.

    Raises:
        VerifyError: all are sealed otherwise.
    """
    key: str | None = None
    for line, _ in _lines(part):
        try:
            return read(line.removesuffix(b"\n"), seals)
        except LineError:  # noqa: PERF203  # most lines are records
            continue
        except KeyError as error:
            key = str(error.args[0])
    if key is not None:
        raise _other_key(part, key)
    return None


def _other_key(part: _Part, key: str) -> VerifyError:
    name = os.fspath(part.path)
    if key:
        return VerifyError(f"{name} is sealed with the key {key}: give it with --key-file")
    return VerifyError(f"{name} is not sealed with a key: verify it by itself, without --key-file")


def _notes(walk: Walk, head: Head | None, *, without_head: bool) -> Iterator[str]:
    name = walk.chain or "?"
    if walk.torn:
        yield f"chain {name}: {walk.torn} line(s) were left half written by a process that was killed; no record is lost by that"
    if walk.first > 1:
        yield f"chain {name} begins with record {walk.first}: what was before is not among these files"
    if head is None and not without_head:
        yield f"chain {name}: its head is not known"
    if head is not None and walk.place.sequence > head.floor.sequence:
        yield f"chain {name}: a process was killed between a write and the note of it; nothing is missing"


__all__ = ["ChainReport", "Problem", "Report", "VerifyError", "verify"]
