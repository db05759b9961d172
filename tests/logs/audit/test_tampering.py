"""A thousand random manipulations of audit files, each of which is found; files that nobody touched verify."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from otel_llm_router.logs.audit import Seal
from otel_llm_router.logs.audit._chain import Chain
from otel_llm_router.logs.audit._record import Place
from otel_llm_router.logs.audit.verify import verify

KEY = b"a secret that is long enough"
Files = dict[str, bytes]
Manipulation = Callable[[random.Random, Files, str], object]


def written(directory: Path, key: bytes | None) -> Files:
    """Write a chain that fills several files."""
    chain = Chain(
        directory / "audit.jsonl",
        Seal(key),
        limit=1500,
        own=lambda kind, found: {
            "event_name": f"llm_router.audit.{kind}",
            **{f"llm_router.audit.{name}": value for name, value in found.items()},
        },
    )
    number = 0
    while number < 24 or not chain.path.exists() or chain.path.read_bytes().count(b"\n") < 3:
        number += 1
        chain.append([{"event_name": "llm_router.audit.action", "who": f"user {number} é\n"}])
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def _lines(files: Files, name: str) -> list[bytes]:
    return files[name].splitlines(keepends=True)


def edit_byte(chance: random.Random, files: Files, name: str) -> None:
    content = bytearray(files[name])
    content[chance.randrange(len(content))] ^= chance.randrange(1, 256)
    files[name] = bytes(content)


def delete_line(chance: random.Random, files: Files, name: str) -> None:
    lines = _lines(files, name)
    del lines[chance.randrange(len(lines))]
    files[name] = b"".join(lines)


def swap_lines(chance: random.Random, files: Files, name: str) -> None:
    lines = _lines(files, name)
    one, other = chance.sample(range(len(lines)), 2)
    lines[one], lines[other] = lines[other], lines[one]
    files[name] = b"".join(lines)


def duplicate_line(chance: random.Random, files: Files, name: str) -> None:
    lines = _lines(files, name)
    lines.insert(chance.randrange(len(lines) + 1), chance.choice(lines))
    files[name] = b"".join(lines)


def insert_record(chance: random.Random, files: Files, name: str) -> None:
    """Insert a record with its own hash made anew, by somebody who has no key."""
    lines = _lines(files, name)
    at = chance.randrange(1, len(lines) + 1)
    before = json.loads(lines[at - 1])
    fields = {"event_name": "llm_router.audit.action", "who": "nobody"}
    made, _ = Seal().line(fields, before["chain"], Place(before["seq"], before["hash"]))
    lines.insert(at, made)
    files[name] = b"".join(lines)


def rewrite_record(chance: random.Random, files: Files, name: str) -> None:
    """Say something else in a record, and make its own hash anew."""
    lines = _lines(files, name)
    at = chance.randrange(len(lines))
    fields: dict[str, Any] = json.loads(lines[at])
    place = Place(fields["seq"] - 1, fields["prev"])
    changed = {"event_name": fields["event_name"], "who": "somebody else"}
    made, _ = Seal().line(changed, fields["chain"], place)
    lines[at] = made
    files[name] = b"".join(lines)


def truncate(chance: random.Random, files: Files, name: str) -> None:
    del name
    last = files["audit.jsonl"]
    files["audit.jsonl"] = last[: chance.randrange(len(last))]


def truncate_lines(chance: random.Random, files: Files, name: str) -> None:
    lines = _lines(files, name)
    files[name] = b"".join(lines[: chance.randrange(len(lines))])


def remove_file(chance: random.Random, files: Files, name: str) -> None:
    del chance, files[name]


MANIPULATIONS: tuple[Manipulation, ...] = (
    edit_byte,
    delete_line,
    swap_lines,
    duplicate_line,
    insert_record,
    rewrite_record,
    truncate,
    truncate_lines,
    remove_file,
)


@pytest.fixture(scope="module", params=[None, KEY], ids=["hashes", "keyed"])
def chain(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Files, list[bytes]]:
    files = written(tmp_path_factory.mktemp("chain"), request.param)
    assert len([name for name in files if name.endswith(".jsonl")]) > 3
    assert b"\n" in files["audit.jsonl"]
    return files, [request.param] if request.param else []


def laid_out(files: Files, directory: Path) -> Path:
    for path in directory.iterdir():
        path.unlink()
    for name, content in files.items():
        (directory / name).write_bytes(content)
    return directory


def test_what_nobody_touched_is_intact(chain: tuple[Files, list[bytes]], tmp_path: Path):
    files, keys = chain
    report = verify([laid_out(files, tmp_path)], keys=keys, complete=True)
    assert report.intact
    assert report.first_problem is None
    (one,) = report.chains
    assert (one.first, one.records, one.torn) == (1, one.last, 0)
    assert one.records >= 24
    assert report.notes == ()


def test_each_of_a_thousand_manipulations_is_found(chain: tuple[Files, list[bytes]], tmp_path: Path):
    files, keys = chain
    chance = random.Random(20261121)
    names = sorted(name for name in files if name.endswith(".jsonl"))
    done: Counter[str] = Counter()
    missed: list[tuple[str, str]] = []
    while done.total() < 500:  # with a key, and without
        manipulate, name = chance.choice(MANIPULATIONS), chance.choice(names)
        changed = dict(files)
        manipulate(chance, changed, name)
        if changed == files:
            continue  # cut off at its end, where nothing was
        done[manipulate.__name__] += 1
        report = verify([laid_out(changed, tmp_path)], keys=keys, complete=True)
        problem = report.first_problem
        if report.intact or problem is None:
            missed.append((manipulate.__name__, name))
        else:
            assert problem.line >= 0
            assert problem.message
    assert missed == []
    assert done.keys() == {one.__name__ for one in MANIPULATIONS}


@pytest.mark.parametrize(
    ("manipulate", "kinds"),
    [
        (edit_byte, {"edited"}),
        (rewrite_record, {"edited"}),
        (remove_file, {"deleted", "truncated"}),
        (truncate_lines, {"deleted", "truncated"}),
        (insert_record, {"inserted", "edited"}),
    ],
)
def test_it_is_called_what_it_is(
    chain: tuple[Files, list[bytes]], tmp_path: Path, manipulate: Manipulation, kinds: set[str]
):
    files, keys = chain
    chance = random.Random(7)
    names = sorted(name for name in files if name.endswith(".jsonl"))
    for _ in range(20):
        changed = dict(files)
        manipulate(chance, changed, chance.choice(names))
        report = verify([laid_out(changed, tmp_path)], keys=keys, complete=True)
        problem = report.first_problem
        assert problem is not None
        assert problem.kind in kinds, problem


def test_a_head_that_was_edited_is_found(chain: tuple[Files, list[bytes]], tmp_path: Path):
    files, keys = chain
    head = json.loads(files["audit.jsonl.head"])
    head["floor"][0] -= 3
    changed = {**files, "audit.jsonl.head": json.dumps(head).encode()}
    report = verify([laid_out(changed, tmp_path)], keys=keys)
    assert [problem.file for one in report.chains for problem in one.problems] == ["audit.jsonl.head"]


def test_a_chain_made_anew_as_a_whole_is_told_by_its_key_or_by_a_head_that_others_hold(
    chain: tuple[Files, list[bytes]], tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
):
    files, keys = chain
    last = json.loads(files["audit.jsonl"].splitlines()[-1])
    forged = written(tmp_path_factory.mktemp("forged"), b"another secret that is long" if keys else None)
    laid_out(forged, tmp_path)
    if not keys:
        assert verify([tmp_path]).intact  # whoever may write all files may write them all anew
        report = verify([tmp_path], heads={last["seq"]: last["hash"]})
        assert report.first_problem is not None
        assert report.first_problem.kind == "edited"
    assert verify([laid_out(files, tmp_path)], keys=keys, heads={last["seq"]: last["hash"]}).intact
