"""Processes of one service as seen from the one that has the port: members are real files, locks and sockets."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Mapping
from pathlib import Path

import pytest

from otel_llm_router import _whole_files, aggregation
from otel_llm_router.aggregation import (
    Aggregation,
    Description,
    GaugePoint,
    HistogramPoint,
    Labels,
    Numbers,
    Point,
    Snapshot,
    SumPoint,
)
from otel_llm_router.export import _locks, workers
from otel_llm_router.export.workers import _calls, _members
from otel_llm_router.export.workers._gather import SNAPSHOT, Gatherer
from otel_llm_router.export.workers._state import Reader, State, UnreadableError, Writer

pytestmark = pytest.mark.skipif(not workers.AVAILABLE, reason="there are no sockets with paths here")

HITS = Description(name="hits", shape="counter")
WAIT = Description(name="wait", shape="histogram", bounds=(1.0, 2.0))
OPEN = Description(name="open", shape="up_down_counter")
SIZE = Description(name="size", shape="gauge")
LIMIT = Description(name="limit", shape="gauge", merge="max")
BEGAN = Description(name="began", shape="gauge", merge="min")
LEFT = Description(name="left", shape="gauge", merge="last")
SEEN = Description(name="seen", shape="counter", merge="max")
POOL = Description(name="pool", shape="gauge", merge="per_worker")

NONE: Labels = ()


@pytest.fixture
def directory() -> Generator[Path]:
    base = tempfile.mkdtemp(prefix="llmr-", dir="/tmp")
    yield workers.private(workers.key("a test"), base)
    shutil.rmtree(base)


def state(live: Snapshot, *, number: int = 1, ended: Snapshot | None = None, **about: object) -> State:
    told = {"number": number, "pid": 1, "supervisor": False, "resource": {"service.name": "a"}, **about}
    return State(told, live, ended or {})


def counted(number: float) -> Snapshot:
    return {HITS: {NONE: SumPoint(number, 0)}}


class Process:
    """Another process: a member that answers what it is told to."""

    def __init__(self, directory: Path, said: State) -> None:
        self.member = _members.Member(directory, supervisor=bool(said.about["supervisor"]))
        self.identity = self.member.identity
        self.said = said
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def leave(self, said: State) -> None:
        self.member.leave_behind(Writer(time.time_ns).write(said))

    def _serve(self) -> None:
        while not self._stop.is_set():
            _calls.answer(self.member.socket, self._answer)
            time.sleep(0.001)

    def _answer(self, question: str) -> bytes:
        assert question == SNAPSHOT
        return Writer(time.time_ns).write(self.said)

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(20)

    def end(self) -> None:
        self.stop()
        self.member.abandon()


Start = Callable[..., Process]


@pytest.fixture
def start(directory: Path) -> Generator[Start]:
    started: list[Process] = []

    def one(said: State) -> Process:
        started.append(Process(directory, said))
        return started[-1]

    yield one
    for process in started:
        process.end()


def value(snapshot: Snapshot, one: Description, *labels: tuple[str, str]) -> float:
    point = snapshot[one][labels]
    return point.count if isinstance(point, HistogramPoint) else point.value


def states(snapshot: Snapshot) -> Mapping[str, float]:
    points = next(points for one, points in snapshot.items() if one.name == "llm_router.telemetry.workers")
    return {labels[0][1]: point.value for labels, point in points.items() if isinstance(point, GaugePoint)}


# --- states -------------------------------------------------------------------------------------


def test_what_is_read_is_what_was_written() -> None:
    store = Aggregation()
    for number in range(3):
        store.family(HITS).bind({"k": str(number), "l": "\u00e4"}).add(number + 0.5)
        store.family(WAIT).bind({"k": str(number)}).add(number)
    store.family(HITS).bind({"k": "big"}).add(2**62)
    writer, reader = Writer(lambda: 7), Reader()
    for _ in range(2):
        store.family(HITS).bind({"k": "more"}).add(1)
        live = {**store.snapshot(), LEFT: {NONE: GaugePoint(3.0)}}
        found = reader.read(writer.write(State({"pid": 4}, writer.dated(live), counted(9))))
        assert found.about == {"pid": 4}
        assert value(found.ended, HITS) == 9
        assert aggregation.numbers(found.live[HITS]) == aggregation.numbers(live[HITS])
        assert list(found.live[HITS]) == list(live[HITS])
        assert list(aggregation.tallies(found.live[WAIT])) == list(aggregation.tallies(live[WAIT]))
        left = found.live[LEFT]
        assert isinstance(left, Numbers)
        assert left.times == [7]


@pytest.mark.parametrize("cut", [0, 5, 16, -1])
def test_torn_bytes_are_no_state(cut: int) -> None:
    data = Writer(time.time_ns).write(State({}, counted(1)))
    with pytest.raises(UnreadableError):
        Reader().read(data[:cut])
    with pytest.raises(UnreadableError):
        Reader().read(data[:-2] + bytes([data[-2] ^ 1]) + data[-1:])


# --- gauges -------------------------------------------------------------------------------------


def test_each_gauge_is_merged_by_its_rule(directory: Path, start: Start) -> None:
    def live(number: float, when: int) -> Snapshot:
        gauges: dict[Description, Mapping[Labels, Point]] = {
            one: {NONE: GaugePoint(number)} for one in (SIZE, LIMIT, BEGAN, POOL)
        }
        return {
            **gauges,
            LEFT: Numbers([NONE], [number], times=[when]),
            SEEN: {NONE: SumPoint(number, 0)},
            OPEN: {NONE: SumPoint(number, 0)},
        }

    start(state(live(5, 10), pid=2))
    start(state(live(50, 5), pid=3, supervisor=True))
    own = Process(directory, state({}))
    try:
        snapshot = Gatherer(directory, own.identity).gather(state(live(3, 20))).snapshot
    finally:
        own.end()
    found = [value(snapshot, one) for one in (SIZE, LIMIT, BEGAN, LEFT, OPEN, SEEN)]
    assert found == [8, 5, 3, 3, 8, 5]
    assert value(snapshot, POOL, ("worker", "1")) == 3
    assert value(snapshot, POOL, ("worker", "2")) == 5
    assert states(snapshot) == {"live": 2, "unresponsive": 0, "ended": 0, "supervisor": 1}


def test_alone_no_series_is_told_apart_by_worker(directory: Path, start: Start) -> None:
    own = start(state({}))
    gathered = Gatherer(directory, own.identity).gather(state({POOL: {NONE: GaugePoint(1)}}))
    assert list(gathered.snapshot[POOL]) == [NONE]
    assert gathered.resource == {"service.name": "a"}


def test_who_is_sending_is_what_all_say(directory: Path, start: Start) -> None:
    own = start(state({}))
    other = start(state({}, resource={"service.name": "a", "service.instance.id": "2"}))
    gatherer = Gatherer(directory, own.identity)
    mine = state({}, resource={"service.name": "a", "service.instance.id": "1"})
    assert gatherer.gather(mine).resource == {"service.name": "a"}
    other.end()
    assert gatherer.gather(mine).resource == {"service.name": "a"}


# --- the dead -----------------------------------------------------------------------------------


def test_counts_of_the_dead_stay_and_their_gauges_go(directory: Path, start: Start) -> None:
    own, other = start(state({})), start(state({}))
    gatherer = Gatherer(directory, own.identity)
    other.said = state({**counted(5), SIZE: {NONE: GaugePoint(7)}, OPEN: {NONE: SumPoint(2, 0)}})
    assert value(gatherer.gather(state(counted(1))).snapshot, HITS) == 6
    other.end()  # it left nothing: what it said last is known
    for _ in range(2):
        snapshot = gatherer.gather(state(counted(1))).snapshot
        assert value(snapshot, HITS) == 6
        assert SIZE not in snapshot
        assert OPEN not in snapshot
        assert states(snapshot)["ended"] == 1
    # Another one that follows knows it as well.
    assert value(Gatherer(directory, own.identity).gather(state(counted(1))).snapshot, HITS) == 6
    assert _members.members(directory) == [own.identity]


def nothing(*_: object) -> None:
    pass


def no_space(*_: object) -> None:
    raise OSError("no space left")


def test_a_process_is_folded_in_once_whenever_its_folding_is_cut_short(
    directory: Path, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, first, second = start(state({})), start(state({})), start(state({}))
    first.leave(state(counted(10)))
    second.leave(state(counted(100)))
    first.end()
    with monkeypatch.context() as killed:  # after the file was written, before the rest is removed
        killed.setattr(_members, "remove", nothing)
        assert value(Gatherer(directory, own.identity).gather(state(counted(1))).snapshot, HITS) == 11
    assert first.identity in _members.members(directory)
    second.end()
    with monkeypatch.context() as killed:  # before the file takes the other one's place
        killed.setattr(_whole_files.os, "replace", no_space)
        assert value(Gatherer(directory, own.identity).gather(state(counted(1))).snapshot, HITS) == 111
    for _ in range(2):
        gatherer = Gatherer(directory, own.identity)
        assert value(gatherer.gather(state(counted(1))).snapshot, HITS) == 111
    assert _members.members(directory) == [own.identity]


def test_a_thousand_that_ended_are_one_file(directory: Path, start: Start) -> None:
    own = start(state({}))
    gatherer = Gatherer(directory, own.identity)
    sizes: set[int] = set()
    for number in range(100):
        for _ in range(10):
            one = _members.Member(directory, supervisor=False)
            live = {**counted(1), WAIT: {NONE: HistogramPoint(1, 0.1, (1, 0, 0), WAIT.bounds, 0.1, 0.1, 0)}}
            one.leave_behind(Writer(time.time_ns).write(state(live)))
            one.abandon()
        gatherer.fold()
        if number > 90:
            sizes.add((directory / _members.ENDED).stat().st_size // 200)
    snapshot = gatherer.gather(state({})).snapshot
    assert value(snapshot, HITS) == value(snapshot, WAIT) == 1000
    assert len(sizes) == 1
    assert len(list(directory.iterdir())) == 4  # the file, a lock, and this one's own two


def test_sums_of_floats_never_fall_when_one_ends(directory: Path, start: Start) -> None:
    own = start(state({}))
    gatherer = Gatherer(directory, own.identity)
    highest = 0.0
    for number in range(40):
        one = start(state(counted(0.1 * (number % 7) + 1e-9)))
        mine = state(counted(0.3))
        before = value(gatherer.gather(mine).snapshot, HITS)
        one.end()
        after = value(gatherer.gather(mine).snapshot, HITS)
        assert highest <= before <= after
        highest = after


def test_series_of_the_dead_are_bounded_and_those_in_use_stay(directory: Path, start: Start) -> None:
    own, lasting = start(state({})), start(state({}))
    gatherer = Gatherer(directory, own.identity)
    lasting.said = state({HITS: {(("k", "0"),): SumPoint(1, 0)}})
    gatherer.gather(state({}))
    for first in (0, 1500):
        one = _members.Member(directory, supervisor=False)
        series = {(("k", str(number)),): SumPoint(1, 0) for number in range(first, first + 1500)}
        one.leave_behind(Writer(time.time_ns).write(state({HITS: series})))
        one.abandon()
        gatherer.fold()
    snapshot = gatherer.gather(state({})).snapshot
    assert len(snapshot[HITS]) == 2000
    assert value(snapshot, HITS, ("k", "0")) == 2
    assert ("k", "1") not in {labels[0] for labels in snapshot[HITS]}


def test_what_one_process_dropped_counts_as_long_as_another_has_the_series(directory: Path, start: Start) -> None:
    own, other = start(state({})), start(state(counted(5)))
    gatherer = Gatherer(directory, own.identity)
    assert value(gatherer.gather(state(counted(2))).snapshot, HITS) == 7
    dropped = state({}, ended=counted(2))
    assert value(gatherer.gather(dropped).snapshot, HITS) == 7
    other.said = state({}, ended=counted(5))
    assert HITS not in gatherer.gather(dropped).snapshot
    other.said = state(counted(1), ended=counted(5))
    assert value(gatherer.gather(dropped).snapshot, HITS) == 8


# --- those that do not answer -------------------------------------------------------------------


def test_one_that_does_not_answer_counts_with_what_it_left(directory: Path, start: Start) -> None:
    own, stuck = start(state({})), start(state(counted(5)))
    gatherer = Gatherer(directory, own.identity)
    stuck.stop()
    stuck.leave(state(counted(4)))
    snapshot = gatherer.gather(state(counted(1))).snapshot
    assert value(snapshot, HITS) == 5
    assert states(snapshot) == {"live": 1, "unresponsive": 1, "ended": 0, "supervisor": 0}


def test_what_is_no_answer_is_none(directory: Path, start: Start) -> None:
    one = start(state(counted(1)))
    (directory / "nobody.sock").write_bytes(b"")
    paths = {name: directory / f"{name}.sock" for name in (one.identity, "nobody", "missing")}
    assert set(_calls.ask(paths, SNAPSHOT)) == {one.identity}


# --- members ------------------------------------------------------------------------------------

HOLDING = """
import sys, time
from pathlib import Path
from otel_llm_router.export.workers._members import Member
member = Member(Path(sys.argv[1]), supervisor=False)
print(member.identity, flush=True)
time.sleep(600)
"""


def test_a_process_that_is_killed_is_gone_at_once(directory: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLDING, str(directory)], stdout=subprocess.PIPE, text=True) as one:
        assert one.stdout is not None
        identity = one.stdout.readline().strip()
        assert _members.others(directory, "") == ([identity], [])
        assert _members.card(directory, identity)["pid"] == one.pid
        one.send_signal(signal.SIGKILL)
        one.wait(20)
    assert _members.others(directory, "") == ([], [identity])
    with_nobody_alive = _members.Member(directory, supervisor=False)
    assert _members.members(directory) == [with_nobody_alive.identity]
    with_nobody_alive.leave()
    with_nobody_alive.abandon()
    assert {one.name for one in directory.iterdir()} == {_members.JOIN}


def test_one_lock_has_one_holder(directory: Path) -> None:
    path = directory / "a.lock"
    first = _locks.hold(path)
    assert first is not None
    assert _locks.hold(path) is None
    assert _locks.is_held(path)
    os.close(first)
    assert not _locks.is_held(path)
    assert not _locks.is_held(directory / "missing.lock")


# --- the directory ------------------------------------------------------------------------------


def test_a_directory_is_for_one_user(directory: Path) -> None:
    assert directory.stat().st_mode & 0o777 == 0o700
    base = directory.parents[1]
    assert workers.private(directory.name, str(base)) == directory
    for mode in (0o770, 0o702):
        directory.chmod(mode)
        with pytest.raises(workers.DirectoryError, match="this user's alone"):
            workers.private(directory.name, str(base))
    directory.chmod(0o700)
    (directory.parent / "link").symlink_to(directory)
    with pytest.raises(workers.DirectoryError, match="this user's alone"):
        workers.private("link", str(base))


def test_a_directory_that_cannot_be_made_says_what_to_do(directory: Path) -> None:
    file = directory / "file"
    file.write_bytes(b"")
    for base in (str(file), str(directory / ("long" * 30))):
        with pytest.raises(workers.DirectoryError, match="OTEL_LLM_ROUTER_RUNTIME_DIR"):
            workers.private("a", base)
    open_to_all = directory.parents[1] / "open"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    with pytest.raises(workers.DirectoryError, match="writable"):
        workers.private("a", str(open_to_all))


def test_services_have_directories_of_their_own() -> None:
    assert workers.key("a", "b") == workers.key("a", "b") != workers.key("ab", "")


# --- from another process than the one with the port --------------------------------------------


def test_who_does_not_fold_shows_the_same(directory: Path, start: Start) -> None:
    own, other = start(state({})), start(state(counted(5)))
    holder = Gatherer(directory, other.identity)
    visitor = Gatherer(directory, own.identity, folds=False)
    dying = start(state(counted(10)))
    dying.leave(state(counted(10)))
    assert value(visitor.gather(state(counted(1))).snapshot, HITS) == 16
    dying.end()
    assert value(visitor.gather(state(counted(1))).snapshot, HITS) == 16
    assert dying.identity in _members.members(directory)
    holder.fold()
    assert dying.identity not in _members.members(directory)
    for _ in range(2):
        assert value(visitor.gather(state(counted(1))).snapshot, HITS) == 16
