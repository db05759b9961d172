"""What happens is on disk before anybody is told, whatever becomes of the file and of the process."""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import resource
import signal
import stat
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import pytest

from otel_llm_router.logs.audit import Seal, _chain, _head, _trail
from otel_llm_router.logs.audit.verify import VerifyError, verify
from otel_llm_router.signals import attributes as a
from otel_llm_router.signals import events

KEY = b"a secret that is long enough"
HERE = Path(__file__).parent


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def kinds(path: Path) -> list[str]:
    return [str(record["event_name"]).rpartition(".")[2] for record in records(path)]


def said(record: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in record.items() if key.startswith("llm_router.")}


def forked() -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # other threads run here
        return os.fork()


def test_a_record_says_who_did_what_and_is_on_disk_before_anybody_is_told(opened: Any, path: Path):
    one = opened(export=True)
    assert one.act(actor="ada", resource="key 7", outcome="denied", reason="no right to").result(30) is True
    record = records(path)[-1]
    assert record["event_name"] == "llm_router.audit.action"
    assert (record["service"], record["host"], record["pid"], record["level"]) == (
        "router",
        "here",
        os.getpid(),
        "INFO",
    )
    assert said(record) == {
        "llm_router.audit.actor": "ada",
        "llm_router.audit.action": "key.rotate",
        "llm_router.audit.resource": "key 7",
        "llm_router.audit.outcome": "denied",
        "llm_router.audit.reason": "no right to",
    }
    one.close()
    (sent,) = [found for name, found in one.sent if name == "llm_router.audit.action"]
    assert sent == {**said(record), "log.record.uid": record["log.record.uid"]}
    assert ("llm_router.audit.records", ("action",)) in one.counted


def test_only_this_user_may_read_it(opened: Any, path: Path):
    opened().act().result(30)
    modes = {found.name: stat.S_IMODE(found.stat().st_mode) for found in (path.parent, *path.parent.iterdir())}
    assert modes == {"audit": 0o700, "audit.jsonl": 0o600, "audit.jsonl.head": 0o600}


def test_no_secret_is_on_record_and_a_key_has_one_hash(opened: Any, path: Path):
    one = opened()
    secret = "sk-proj-abcdefghijklmnop1234567890"
    one.act("call with Bearer " + secret, actor="https://me:hunter22hunter22@host/")
    for number in range(2):
        one.tell(events.AUDIT_KEY_USE, {a.AUDIT_KEY_HASH: "team key", a.REQUEST_MODEL: f"model {number}"})
    one.act().result(30)
    text = path.read_text()
    assert secret not in text
    assert "hunter22" not in text
    assert "team key" not in text
    used = [found for found in records(path) if found["event_name"].endswith("key_use")]
    (digest,) = {found["llm_router.audit.key_hash"] for found in used}
    assert len(digest) == 16
    assert digest != hashlib.sha256(b"team key").hexdigest()[:16]


def test_a_value_that_nobody_expected_takes_no_other_record_along(opened: Any, path: Path):
    class Strange(list[str]):
        def __str__(self) -> str:
            raise RuntimeError

        __repr__ = __str__

    one = opened()
    for reason in (["no", "list"], ["no", "list"], Strange()):
        one.tell(events.AUDIT_AUTHENTICATION, {a.AUDIT_OUTCOME: "failure", a.AUDIT_REASON: reason})
    assert one.act().result(30) is True
    one.close()
    assert kinds(path) == ["opened", "authentication", "action", "authentication"]
    assert records(path)[-1]["llm_router.audit.count"] == 1
    assert one.counted.count(("llm_router.audit.lost", ("encoding",))) == 1


def test_without_a_file_to_ship_it_a_record_is_sent_only_as_a_checkpoint(opened: Any, path: Path):
    one = opened()
    one.act().result(30)
    one.close()
    last = records(path)[-1]
    assert one.sent[-1] == (
        "llm_router.audit.checkpoint",
        {
            "llm_router.audit.chain": last["chain"],
            "llm_router.audit.sequence": last["seq"],
            "llm_router.audit.hash": last["hash"],
        },
    )
    assert {name for name, _ in one.sent} == {"llm_router.audit.checkpoint"}


def test_what_is_not_wanted_is_not_on_record_and_an_action_always_is(opened: Any, path: Path, monkeypatch: Any):
    one = opened()
    monkeypatch.setattr(one.trail, "_wanted", frozenset({"decision"}))
    one.tell(events.AUDIT_KEY_USE, {a.AUDIT_KEY_HASH: "k"})
    one.tell(events.AUDIT_DECISION, {a.AUDIT_ACTION: "budget"})
    assert one.act().result(30)
    assert kinds(path) == ["opened", "decision", "action"]


def test_the_same_over_and_over_is_one_record_with_a_count(opened: Any, path: Path):
    one = opened()
    for _ in range(500):
        one.tell(events.AUDIT_AUTHENTICATION, {a.AUDIT_OUTCOME: "failure", a.AUDIT_CLIENT: "10.0.0.1"})
    one.close()
    counts = [r.get("llm_router.audit.count") for r in records(path) if r["event_name"].endswith("authentication")]
    assert counts == [None, 499]
    assert ("llm_router.access.unusual", ("authentication_failures",)) in one.counted
    assert verify([path]).intact


def test_a_full_file_is_put_aside_and_the_chain_goes_on(opened: Any, path: Path):
    one = opened(limit=4096)
    for _ in range(60):
        one.act().result(30)
    one.close()
    files = sorted(path.parent.glob("*.jsonl"))
    assert len(files) > 4
    report = verify([path.parent], complete=True)
    assert report.intact
    assert report.chains[0].records == 60 + len(files)
    with pytest.raises(VerifyError, match="has no head"):
        verify([next(file for file in files if file != path)])


def test_a_restart_goes_on_with_the_chain(opened: Any, path: Path):
    for _ in range(3):
        one = opened()
        one.act().result(30)
        one.close()
    assert [record["seq"] for record in records(path)] == [1, 2, 3, 4]
    assert len({record["chain"] for record in records(path)}) == 1
    assert verify([path], complete=True).intact


def test_two_processes_write_one_chain(opened: Any, path: Path):
    trails = [opened(), opened()]
    receipts = [trail.act(f"{number}") for number in range(200) for trail in trails]
    assert all(receipt.result(30) for receipt in receipts)
    report = verify([path], complete=True)
    assert report.intact
    assert report.chains[0].records == 401


def test_a_line_left_half_written_is_no_tampering_and_is_on_record(opened: Any, path: Path):
    one = opened()
    one.act().result(30)
    one.close()
    # What a process leaves that is killed in the midst of its write: the head names what it was about to write.
    chain = _chain.Chain(path, Seal(), limit=1 << 20, own=lambda _kind, _found: {})
    killed = forked()
    if killed == 0:
        os_write = os.write

        def dies(descriptor: int, data: bytes) -> int:
            os_write(descriptor, bytes(data)[: len(data) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
            return 0

        os.write = dies
        chain.append([{"event_name": "llm_router.audit.action", "n": number} for number in range(3)])
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(killed, 0)[1]) == -signal.SIGKILL
    before = verify([path])
    assert before.intact
    assert before.chains[0].torn == 1
    assert "half written" in before.notes[0]
    assert opened().act().result(30)
    after = verify([path])
    assert after.intact
    assert after.chains[0].torn == 1
    # Torn lines are as safe as others: an edit of one is found.
    content = path.read_bytes()
    torn = next(line for line in content.splitlines() if not line.endswith(b"}"))
    path.write_bytes(content.replace(torn, torn[:-1]))
    assert not verify([path]).intact


def test_a_file_that_was_cut_off_before_a_restart_stays_found(opened: Any, path: Path):
    one = opened()
    for _ in range(5):
        one.act().result(30)
    one.close()
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-2]))
    again = opened()
    again.act().result(30)
    again.close()
    report = verify([path])
    assert [problem.kind for problem in report.chains[0].problems] == ["deleted", "anomaly"]
    assert records(path)[-2]["llm_router.audit.reason"] == "truncated"


@pytest.mark.parametrize("harm", ["appended", "garbled", "replaced", "head_damaged", "head_missing"])
def test_a_restart_says_what_it_finds_and_it_stays_found(opened: Any, path: Path, harm: str):
    one = opened()
    one.act().result(30)
    one.close()
    head = path.with_name(path.name + _head.SUFFIX)
    last = records(path)[-1]
    if harm == "appended":
        place = _chain.Place(last["seq"], last["hash"])
        path.write_bytes(path.read_bytes() + Seal().line({"event_name": "x"}, last["chain"], place)[0])
    elif harm == "garbled":
        path.write_bytes(path.read_bytes() + b"{}\n")
    elif harm == "replaced":
        place = _chain.Place(last["seq"] - 1, last["prev"])
        lines = path.read_bytes().splitlines(keepends=True)
        path.write_bytes(lines[0] + Seal().line({"event_name": "x"}, last["chain"], place)[0])
    elif harm == "head_damaged":
        head.write_bytes(b"{}")
    else:
        head.unlink()
    again = opened()
    again.act().result(30)
    again.close()
    report = verify([path])
    assert not report.intact
    anomalies = [found for found in records(path) if found.get("event_name") == "llm_router.audit.anomaly"]
    assert [found["llm_router.audit.reason"] for found in anomalies] == [harm]


def test_another_key_begins_another_chain_that_names_the_one_before(opened: Any, path: Path):
    for key in (None, KEY, KEY[::-1]):
        one = opened(key=key)
        one.act().result(30)
        one.close()
    with pytest.raises(VerifyError, match="not sealed with a key"):
        verify([path.parent], keys=[KEY, KEY[::-1]])
    last = records(path)
    assert last[0]["event_name"].endswith("opened")
    assert last[0]["llm_router.audit.sequence"] == 2
    assert verify([path], keys=[KEY[::-1]]).intact
    with pytest.raises(VerifyError, match="give it with --key-file"):
        verify([path], keys=[KEY])


def test_a_disk_that_is_full_is_said_once_and_what_waits_is_written_when_there_is_room(
    opened: Any, path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(_trail, "RETRY_SECONDS", 0.01)
    one = opened()
    assert one.act("first").result(30)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 700, hard))  # one whole line, and a half
        waiting = [one.act(f"waits {number}") for number in range(3)]
        while ("llm_router.audit.failures", ()) not in one.counted:
            time.sleep(0.01)
        assert not waiting[2].done()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)
    assert all(receipt.result(30) for receipt in waiting)
    one.close()
    warned = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert len([text for text in warned if "cannot be written" in text]) == 1
    assert len([text for text in warned if "is written again" in text]) == 1
    report = verify([path])
    assert report.intact
    actions = [r["llm_router.audit.action"] for r in lines_that_are_records(path) if r["event_name"].endswith("action")]
    assert actions == ["first", "waits 0", "waits 1", "waits 2"]


def lines_that_are_records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines() if line.endswith(b"}")]


def test_a_directory_that_cannot_be_had_costs_the_records_and_nothing_else(
    opened: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    (tmp_path / "file").write_text("in the way")
    one = opened(path=tmp_path / "file" / "audit.jsonl")
    receipt = one.act()
    one.close()
    assert receipt.result(30) is False
    assert ("llm_router.audit.lost", ("shutdown",)) in one.counted
    assert len([record for record in caplog.records if "cannot be written" in record.message]) == 1


def test_more_than_may_wait_is_lost_and_counted(opened: Any, path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_trail, "WAITING", 5)
    monkeypatch.setattr(_trail, "RETRY_SECONDS", 0.01)
    one = opened()
    one.act().result(30)
    monkeypatch.setattr(_chain, "LOCK_SECONDS", 0.01)
    with path.with_name("audit.jsonl.head").open("r+b") as head:
        fcntl.flock(head, fcntl.LOCK_EX)  # as another process that has been stopped in the midst of its write
        receipts = [one.act() for _ in range(50)]
        while ("llm_router.audit.lost", ("queue_full",)) not in one.counted:
            time.sleep(0.01)
    outcomes = [receipt.result(30) for receipt in receipts]
    one.close()
    assert outcomes.count(False) == one.counted.count(("llm_router.audit.lost", ("queue_full",)))
    assert outcomes.count(True) + 2 == len(records(path))
    assert verify([path]).intact


def test_a_forked_child_writes_its_own_and_nothing_twice(opened: Any, path: Path):
    one = opened()
    assert one.act("parent").result(30)
    child = forked()
    if child == 0:
        told = one.act("child").result(30)
        os._exit(0 if told else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert one.act("parent again").result(30)
    one.close()
    written = [(r.get("llm_router.audit.action"), r["pid"]) for r in records(path)[1:]]
    assert written == [("parent", os.getpid()), ("child", child), ("parent again", os.getpid())]
    assert verify([path]).intact


def test_processes_that_are_killed_lose_nothing_that_was_acknowledged(path: Path):
    """Two processes write; each is killed in the midst of it, several times over."""
    acknowledged: set[str] = set()
    for _ in range(3):
        writers = [
            subprocess.Popen([sys.executable, HERE / "writes.py", path], stdout=subprocess.PIPE) for _ in range(2)
        ]
        for number, writer in enumerate(writers):
            assert writer.stdout is not None
            for _ in range(30 + 17 * number):
                acknowledged.add(writer.stdout.readline().decode().strip())
            writer.kill()
            rest = writer.communicate()[0].decode().split("\n")
            acknowledged |= set(rest[:-1])  # the last one may be cut off
    assert len(acknowledged) > 150
    report = verify([path.parent], complete=True)
    assert report.intact, report
    files = list(path.parent.glob("*.jsonl"))
    assert len(files) > 2
    on_disk = {r.get("llm_router.audit.action") for one in files for r in lines_that_are_records(one)}
    assert acknowledged <= on_disk
