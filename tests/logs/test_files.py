"""Files that several processes write to, and rotate: each record once, and whole."""

from __future__ import annotations

import logging
import os
import stat
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from otel_llm_router import logs
from tests.logs.conftest import Logged, lines_of

WRITER = """
import sys
from otel_llm_router import logs
place = logs.place(sys.argv[1], max_bytes=30_000, backups=1000)
sys.stdin.readline()
for first in range(0, 1000, 5):
    place.write("application", ['{"who":%s,"number":%d,"padding":"%s"}' % (sys.argv[2], number, "x" * 50) for number in range(first, first + 5)])
"""


def test_four_processes_rotate_one_file_and_no_record_is_torn_or_lost(tmp_path: Path):
    path = tmp_path / "all.log"
    started = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(path), str(who)], stdin=subprocess.PIPE) for who in range(4)
    ]
    for one in started:
        one.communicate(b"go\n", timeout=120)
    assert [one.returncode for one in started] == [0] * 4
    files = sorted(tmp_path.glob("all.log*"))
    read = [record for file in files for record in lines_of(file)]
    assert Counter((one["who"], one["number"]) for one in read) == {
        (who, n): 1 for who in range(4) for n in range(1000)
    }
    assert len(files) > 5
    assert all(file.stat().st_size < 31_000 for file in files)


def test_what_is_kept_is_bounded(tmp_path: Path, logged: Callable[..., Logged]):
    found = logged(max_bytes=5_000, backups=2)
    for _ in range(20):
        for _ in range(10):
            found.emit("x" * 100)
        found.settle()
    assert {one.name for one in tmp_path.glob("all*")} == {"all.log", "all.log.1", "all.log.2"}


def test_a_directory_has_a_file_for_each_stream(tmp_path: Path, logged: Callable[..., Logged]):
    found = logged(f"{tmp_path}/new/")
    found.emit("fine")
    found.emit("bad", "ERROR")
    for name, scope in (("llm_router.http.request", "otel_llm_router"), ("llm_router.audit.login", "app")):
        found.emit("event", scope=scope, event_name=name)
    found.emit("worst", "ERROR", event_name="llm_router.metrics.summary")
    found.settle()
    files = {path.name: [one["message"] for one in lines_of(path)] for path in (tmp_path / "new").glob("[a-z]*")}
    assert files == {
        "application.log": ["fine"],
        "error.log": ["bad"],
        "access.log": ["event"],
        "audit.log": ["event"],
        "metrics.log": ["worst"],
    }
    assert found.counts.lines == {"application": 1, "error": 1, "access": 1, "audit": 1, "metrics": 1}


def test_files_are_not_everybodys_business(tmp_path: Path, logged: Callable[..., Logged]):
    found = logged()
    found.emit("x")
    found.settle()
    assert stat.S_IMODE((tmp_path / "all.log").stat().st_mode) == 0o640


def test_a_file_that_was_renamed_from_outside_is_made_anew(tmp_path: Path, logged: Callable[..., Logged]):
    found, path = logged(), tmp_path / "all.log"
    found.emit("before")
    found.settle()
    path.rename(tmp_path / "moved")
    found.emit("after")
    found.settle()
    assert [one["message"] for one in lines_of(path)] == ["after"]
    assert [one["message"] for one in lines_of(tmp_path / "moved")] == ["before"]


def test_a_line_that_a_killed_process_tore_takes_no_other_with_it(tmp_path: Path, logged: Callable[..., Logged]):
    path = tmp_path / "all.log"
    path.write_text('{"whole":1}\n{"torn":')
    found = logged()
    found.emit("next")
    found.settle()
    whole, torn, after = path.read_text().splitlines()
    assert (whole, torn) == ('{"whole":1}', '{"torn":')
    assert '"message":"next"' in after


def test_the_applications_own_file_is_left_to_it(tmp_path: Path, logged: Callable[..., Logged]):
    found, path = logged(), tmp_path / "all.log"
    handler = logging.FileHandler(path)
    logger = logging.getLogger("tests.logs.own")
    logger.addHandler(handler)
    try:
        logger.warning("its own")
        found.emit("ours")
        found.settle()
    finally:
        logger.removeHandler(handler)
        handler.close()
    assert path.read_text() == "its own\n"
    assert [one["message"] for one in lines_of(tmp_path / "all.llm_router.log")] == ["ours"]


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="the system does not say which files are open")
def test_a_file_that_the_application_has_open_is_left_to_it(tmp_path: Path, logged: Callable[..., Logged]):
    found, path = logged(), tmp_path / "all.log"
    with path.open("w") as own:
        own.write("its own\n")
        own.flush()
        found.emit("ours")
        found.settle()
    found.emit("ours again")
    found.settle()
    assert path.read_text() == "its own\n"
    assert [one["message"] for one in lines_of(tmp_path / "all.llm_router.log")] == ["ours", "ours again"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full")
def test_lines_that_cannot_be_written_are_counted_and_said_once(
    logged: Callable[..., Logged], caplog: pytest.LogCaptureFixture
):
    found = logged("/dev/full")
    for _ in range(3):
        found.emit("x")
        found.settle()
    assert found.counts.lost == {("application", "write_failed"): 3}
    assert not found.counts.lines
    said = [one.message for one in caplog.records if "cannot be written" in one.message]
    assert len(said) == 1
    assert "No space left on device" in said[0]


def test_writing_goes_on_when_the_disk_has_room_again(tmp_path: Path, logged: Callable[..., Logged]):
    (tmp_path / "in").write_text("a file where a directory should be")
    found = logged(str(tmp_path / "in" / "all.log"))
    found.emit("lost")
    found.settle()
    (tmp_path / "in").unlink()
    found.emit("written")
    found.settle()
    assert [one["message"] for one in lines_of(tmp_path / "in" / "all.log")] == ["written"]
    assert found.counts.lost == {("application", "write_failed"): 1}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")
def test_a_forked_child_writes_its_own_and_nothing_of_its_parents(tmp_path: Path, logged: Callable[..., Logged]):
    found = logged()
    found.emit("parent before")
    found.settle()
    found.emit("parent while")
    child = os.fork()
    if child == 0:
        found.emit("child")
        os._exit(0 if found.streams.force_flush(30_000) else 1)
    assert os.waitpid(child, 0)[1] == 0
    found.emit("parent after")
    found.settle()
    read = lines_of(tmp_path / "all.log")
    said = Counter(one["message"] for one in read)
    assert said == {"parent before": 1, "parent while": 1, "child": 1, "parent after": 1}
    assert {one["message"]: one["pid"] for one in read}["child"] == child


def test_standard_output_is_a_place(capfd: pytest.CaptureFixture[str], logged: Callable[..., Logged]):
    found = logged("stdout")
    found.emit("one\ntwo")
    found.settle()
    out = capfd.readouterr().out
    assert out.count("\n") == 1
    assert '"message":"one\\ntwo"' in out
    assert not logs.place("stderr", max_bytes=0, backups=1).terminal
