"""One process among those of its service: the port, what it leaves behind, and questions."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path

import pytest

from otel_llm_router.aggregation import Aggregation, Description, Snapshot, SumPoint
from otel_llm_router.export import workers
from otel_llm_router.export.workers import Workers, _members

pytestmark = pytest.mark.skipif(not workers.AVAILABLE, reason="there are no sockets with paths here")

HITS = Description(name="hits", shape="counter")


class Numbers:
    """What a process counts."""

    def __init__(self) -> None:
        self.store = Aggregation()

    def local(self, *, observe: bool) -> tuple[Snapshot, Snapshot]:
        whole = self.store.whole(observe=observe)
        return {**whole.recorded, **whole.observed}, whole.ended

    def pulse(self) -> Sequence[float] | None:
        return self.store.pulse()

    def resource(self) -> Mapping[str, str]:
        return {"service.name": "a"}

    def keep_ended(self) -> None:
        self.store.keep_ended()

    def restart(self) -> None:
        pass

    def count(self, number: int = 1) -> None:
        self.store.family(HITS).bind({}).add(number)


class Door:
    """What listens: on nothing, unless it is taken."""

    def __init__(self) -> None:
        self.taken = False
        self.open = False

    def start(self) -> str | None:
        self.open = not self.taken
        return "http://here" if self.open else None

    def stop(self) -> None:
        self.open = False

    def abandon(self) -> None:
        self.open = False


class Process(Workers):
    def __init__(self, directory: Path, *, taken: bool = False) -> None:
        self.numbers, self.door, self.where = Numbers(), Door(), directory
        self.door.taken = taken
        super().__init__(directory, self.numbers, self.door)
        self.start()

    def shown(self) -> float:
        point = self.gather().snapshot[HITS][()]
        assert isinstance(point, SumPoint)
        return point.value


@pytest.fixture
def start() -> Generator[Callable[[], Process]]:
    base = tempfile.mkdtemp(prefix="llmr-", dir="/tmp")
    started: list[Process] = []

    def one(*, taken: bool = False) -> Process:
        started.append(Process(workers.private("service", base), taken=taken))
        return started[-1]

    yield one
    for process in started:
        process.close()
    shutil.rmtree(base)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_one_has_the_port_and_the_next_one_follows(start: Callable[[], Process]) -> None:
    first, second = start(), start()
    assert (first.door.open, second.door.open) == (True, False)
    first.numbers.count(2)
    second.numbers.count(3)
    assert first.shown() == second.shown() == 5
    first.close()
    assert not first.door.open
    until(lambda: second.door.open)
    assert second.url == "http://here"


def test_a_supervisor_gives_the_port_up_and_never_takes_it(start: Callable[[], Process]) -> None:
    supervisor = start()
    supervisor.manage()
    assert not supervisor.door.open
    worker = start()
    assert worker.door.open
    worker.gather()
    assert worker.states() == {"live": 1, "unresponsive": 0, "ended": 0, "supervisor": 1}
    assert supervisor.states() == {}


def test_a_port_that_is_taken_is_tried_again(start: Callable[..., Process]) -> None:
    one = start(taken=True)
    assert one.url is None
    one.door.taken = False
    until(lambda: one.url is not None)


def test_what_was_counted_is_written_soon_for_when_this_process_is_killed(start: Callable[[], Process]) -> None:
    first, second = start(), start()
    second.numbers.count(7)

    def left() -> list[Path]:
        return [one for one in first.where.glob("*.state") if b"hits" in one.read_bytes()]

    until(lambda: bool(left()))
    written = left()[0].stat().st_mtime_ns
    second.numbers.count(1)
    until(lambda: left()[0].stat().st_mtime_ns != written)


def test_one_that_is_alone_writes_nothing_and_leaves_nothing(start: Callable[[], Process]) -> None:
    one = start()
    one.numbers.count()
    assert one.shown() == 1
    assert not list(one.where.glob(f"*{_members.STATE}"))
    one.close()
    assert not list(one.where.glob(f"*{_members.MEMBER}"))


def test_any_question_can_be_asked_of_all(start: Callable[[], Process]) -> None:
    first, second = start(), start()
    first.question("health", lambda: {"status": "healthy"})
    second.question("health", lambda: {"status": "critical"})
    assert sorted(one["status"] for one in first.ask("health").values()) == ["critical", "healthy"]
    assert list(second.ask("unknown").values()) == [None, None]
