"""Which records are written where, by level and by stream; and that nobody waits for it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from otel_llm_router import logs
from otel_llm_router.logs._writer import MAX_ENTRIES, Writer
from otel_llm_router.signals import EVENTS
from tests.logs.conftest import Logged, lines_of


def test_each_declared_event_has_one_stream():
    by_stream: dict[str, set[str]] = {}
    for event in EVENTS:
        severity = {"INFO": 9, "WARN": 13, "ERROR": 17}[event.severity]
        by_stream.setdefault(logs.stream_of(event.name, severity), set()).add(event.name)
    assert set(by_stream) <= set(logs.STREAMS)
    assert by_stream["access"] == {"llm_router.http.request"}
    assert by_stream["metrics"] == {"llm_router.metrics.summary"}
    assert "llm_router.inference.error" in by_stream["error"]
    assert "llm_router.inference.completed" in by_stream["application"]


def test_the_level_holds_back_what_is_said_and_not_what_is_recorded(tmp_path: Path, logged: Callable[..., Logged]):
    found = logged(level=17)
    for severity in ("DEBUG", "INFO", "WARN", "ERROR", "FATAL"):
        found.emit(severity, severity)
    found.emit("request", event_name="llm_router.http.request")
    found.emit("login", event_name="llm_router.audit.login")
    found.settle()
    assert [one["message"] for one in lines_of(tmp_path / "all.log")] == ["ERROR", "FATAL", "request", "login"]


def test_streams_that_nobody_asked_for_are_not_written(tmp_path: Path, logged: Callable[..., Logged]):
    found = logged(streams=("error",))
    found.emit("fine")
    found.emit("bad", "ERROR")
    found.settle()
    assert [one["message"] for one in lines_of(tmp_path / "all.log")] == ["bad"]


def test_a_stream_can_be_taken_elsewhere(tmp_path: Path, logged: Callable[..., Logged]):
    found = logged(streams=("application",))
    taken: list[Mapping[str, Any]] = []
    found.streams.divert("audit", taken.append)
    found.emit("login", event_name="llm_router.audit.login", attributes={"who": "a"})
    found.emit("fine")
    found.settle()
    assert [(one["message"], one["stream"], one["who"]) for one in taken] == [("login", "audit", "a")]
    assert [one["message"] for one in lines_of(tmp_path / "all.log")] == ["fine"]


class Slow:
    """What writes when it is let."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.began = threading.Event()
        self.batches: list[list[int]] = []
        self.lost: list[tuple[int, str]] = []
        self.writer: Writer[int] = Writer(
            self._write, lambda one, why: self.lost.append((one, why)), contextlib.nullcontext
        )

    def _write(self, batch: Sequence[int]) -> None:
        self.began.set()
        assert self.go.wait(30)
        self.batches.append(list(batch))

    @property
    def written(self) -> list[int]:
        return [one for batch in self.batches for one in batch]


def test_who_logs_does_not_wait_for_a_disk_and_what_is_too_much_is_counted():
    slow = Slow()
    for number in range(MAX_ENTRIES + 1_000):  # nothing is written meanwhile
        slow.writer.put(number, 1)
        assert number or slow.began.wait(30)
    assert not slow.writer.flush(0)
    slow.go.set()
    assert slow.writer.flush(30)
    lost = [one for one, why in slow.lost if why == "queue_full"]
    assert sorted([*slow.written, *lost]) == list(range(MAX_ENTRIES + 1_000))
    assert slow.written == sorted(slow.written)
    assert len(lost) == 999


def test_what_waits_is_bounded_by_its_bytes():
    slow = Slow()
    for number in range(40):
        slow.writer.put(number, 1_048_576)
        assert number or slow.began.wait(30)
    slow.go.set()
    assert slow.writer.flush(30)
    assert len(slow.written) == 17
    assert len(slow.lost) == 40 - len(slow.written)
    slow.writer.put(99, 1_048_576)
    assert slow.writer.flush(30)
    assert slow.written[-1] == 99


def test_what_comes_after_the_end_is_counted():
    slow = Slow()
    slow.go.set()
    slow.writer.put(1, 1)
    assert slow.writer.close(30)
    slow.writer.put(2, 1)
    assert (slow.written, slow.lost) == ([1], [(2, "shutdown")])


def test_threads_that_begin_together_lose_nothing_and_share_one_writer():
    slow = Slow()
    slow.go.set()
    ready = threading.Barrier(8)

    def put(first: int) -> None:
        ready.wait()
        for number in range(first, first + 100):
            slow.writer.put(number, 1)

    threads = [threading.Thread(target=put, args=(which * 100,)) for which in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert slow.writer.flush(30)
    assert sorted(slow.written) == list(range(800))


@pytest.mark.parametrize("error", [ValueError("x"), OSError(5, "it broke")])
def test_a_taker_that_fails_takes_no_other_record_with_it(
    tmp_path: Path, logged: Callable[..., Logged], error: Exception
):
    found = logged()
    found.streams._guard = lambda: contextlib.suppress(Exception)  # pyright: ignore[reportPrivateUsage]

    def fail(_: Mapping[str, Any]) -> None:
        raise error

    found.streams.divert("audit", fail)
    found.emit("login", event_name="llm_router.audit.login")
    found.emit("fine")
    found.settle()
    assert [one["message"] for one in lines_of(tmp_path / "all.log")] == ["fine"]
