"""``otel-llm-router audit``: exit codes, what is said, and JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from otel_llm_router.cli import audit as command
from otel_llm_router.cli import main
from otel_llm_router.logs.audit import Seal
from otel_llm_router.logs.audit._chain import Chain

KEY = b"a secret that is long enough"


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["audit", *map(str, arguments)])


def written(path: Path, key: bytes | None = None) -> Path:
    chain = Chain(path, Seal(key), limit=1 << 20, own=lambda kind, _found: {"event_name": f"llm_router.audit.{kind}"})
    who = "llm_router.audit.actor"
    chain.append([{"event_name": "llm_router.audit.action", who: f"user {number}"} for number in range(3)])
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return written(tmp_path / "audit.jsonl")


def test_intact_is_0_and_says_the_last_record_for_the_next_time(path: Path):
    result = run("verify", path)
    assert result.exit_code == 0
    last = json.loads(path.read_bytes().splitlines()[-1])
    assert f"the last is 4:{last['hash']}" in result.output
    assert run("verify", path, "--head", f"4:{last['hash']}").exit_code == 0
    assert run("verify", path.parent, "--complete").exit_code == 0


def test_tampered_is_1_and_says_the_first_bad_line_and_what_is_wrong(path: Path):
    path.write_bytes(path.read_bytes().replace(b"user 1", b"user 9"))
    result = run("verify", path)
    assert result.exit_code == 1
    assert result.output.startswith(
        "edited: audit.jsonl, line 3: this line is no record: its hash is wrong: it was edited"
    )
    assert "TAMPERED" in result.output
    report = json.loads(run("verify", path, "--json").output)
    assert report["intact"] is False
    assert report["chains"][0]["problems"][0]["line"] == 3


def test_cut_off_is_found_against_the_head_and_against_one_that_is_known_elsewhere(path: Path):
    last = json.loads(path.read_bytes().splitlines()[-1])
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    assert run("verify", path).output.startswith(
        "truncated: audit.jsonl, line 3: the head knows of 1 more record(s), to 4"
    )
    path.with_name("audit.jsonl.head").unlink()
    assert run("verify", path).exit_code == 2
    assert run("verify", path, "--without-head").exit_code == 0
    known = run("verify", path, "--head", f"4:{last['hash']}")
    assert known.exit_code == 1
    assert known.output.startswith("truncated")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere.jsonl"], "nowhere.jsonl"),
        (["{path}", "--head", "last"], "NUMBER:HASH"),
        (["{path}", "--key-file", "nowhere"], "nowhere"),
        (["{path}", "--key-file", "{key}"], "without --key-file"),
        ([], "PATHS"),
        (["{empty}"], "there is no audit file here"),
    ],
)
def test_what_cannot_be_verified_as_asked_is_2(path: Path, tmp_path: Path, arguments: list[str], said: str):
    key, empty = tmp_path / "key", tmp_path / "empty"
    key.write_bytes(KEY + b"\n")
    empty.mkdir()
    result = run("verify", *(one.format(path=path, key=key, empty=empty) for one in arguments))
    assert result.exit_code == 2
    assert said in result.output


def test_a_chain_with_a_key_needs_it(tmp_path: Path):
    key = tmp_path / "key"
    key.write_bytes(KEY + b"\n")
    path = written(tmp_path / "keyed" / "audit.jsonl", KEY)
    assert run("verify", path, "--key-file", key).exit_code == 0
    without = run("verify", path)
    assert without.exit_code == 2
    assert "give it with --key-file" in without.output


def test_a_large_file_says_how_far_it_is(path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(command, "_LARGE", 0)
    result = run("verify", path)
    assert result.exit_code == 0
    assert "verifying ..." in result.stderr


def test_show_prints_records_readably_and_as_they_are(path: Path):
    assert [line.split() for line in run("show", path, "--last", "1").output.splitlines()] == [
        ["4", "action", "actor=user", "2"]
    ]
    shown = run("show", path, "--event", "action", "--json").output
    assert shown.encode() == b"".join(path.read_bytes().splitlines(keepends=True)[1:])
