"""Named checks, and the state they add up to."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from typing import Any

import pytest

from otel_llm_router.health import Checker, Result


def ok() -> Result:
    return Result(healthy=True, message="fine")


def bad() -> Result:
    return Result(healthy=False, message="bad")


def eventually(true: Callable[[], bool]) -> bool:
    waiting = threading.Event()
    return any(true() or waiting.wait(0.02) for _ in range(1000))


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def checker(clock: Clock) -> Checker:
    return Checker(version="1", clock=clock)


@pytest.mark.parametrize(
    ("checks", "status"),
    [
        ({}, "healthy"),
        ({"memory_usage": ok, "disk_space": ok}, "healthy"),
        ({"memory_usage": ok, "disk_space": bad}, "degraded"),
        ({"memory_usage": bad, "disk_space": ok}, "critical"),
        ({"router_initialized": bad}, "critical"),
        ({"models_available": bad}, "critical"),
        ({"my_own": bad}, "degraded"),
    ],
)
def test_overall_state(checker: Checker, checks: Any, status: str) -> None:
    for name, check in checks.items():
        checker.add(name, check)
    report = checker.report()
    assert report["status"] == status
    assert checker.status() == (status if checks else None)
    assert report["summary"]["total"] == len(checks)
    assert set(report) == {"status", "timestamp", "uptime", "version", "checks", "summary"}


def test_whether_a_check_is_critical_can_be_said(checker: Checker) -> None:
    checker.add("my_own", bad, critical=True)
    checker.add("memory_usage", ok, critical=False)
    report = checker.report()
    assert report["status"] == "critical"
    assert [report["checks"][name]["critical"] for name in ("my_own", "memory_usage")] == [True, False]
    checker.add("my_own", bad, critical=False)
    assert checker.report()["status"] == "degraded"


async def _async_ok() -> Result:
    await asyncio.sleep(0)
    return ok()


async def _async_hangs() -> bool:
    await asyncio.sleep(60)
    return True


def _raises() -> None:
    raise RuntimeError("password=hunter2")


@pytest.mark.parametrize(
    ("check", "healthy", "message"),
    [
        (ok, True, "fine"),
        (lambda: True, True, "ok"),
        (lambda: None, True, "ok"),
        (lambda: False, False, "the check says no"),
        (lambda: "yes", False, "the check returned str, not a Result or a bool"),
        (_raises, False, "the check raised RuntimeError"),
        (_async_ok, True, "fine"),
        (_async_hangs, False, "no answer within 0.05 s"),
    ],
)
def test_what_checks_may_be(checker: Checker, check: Any, healthy: bool, message: str) -> None:
    checker.add("one", check, timeout=0.05 if check is _async_hangs else 5, retries=1)
    found = checker.report()["checks"]["one"]
    assert found["status"] == ("healthy" if healthy else "failed")
    assert found["message"] == message


def test_a_check_counts_as_failed_after_three_tries(checker: Checker) -> None:
    tries: list[int] = []

    def flaky() -> Result:
        tries.append(1)
        return ok() if len(tries) == 3 else bad()

    checker.add("flaky", flaky)
    assert checker.report()["status"] == "healthy"
    assert len(tries) == 3


def test_a_check_that_hangs_costs_one_thread(checker: Checker, clock: Clock) -> None:
    release, began = threading.Event(), list[int]()

    def hangs() -> Result:
        began.append(1)
        release.wait(60)
        return ok()

    checker.add("hangs", hangs, timeout=0.05)
    for _ in range(5):
        assert checker.report()["checks"]["hangs"]["message"] == "no answer within 0.05 s"
        clock.now += 30
    assert len(began) == 1
    release.set()

    def recovered() -> bool:  # the thread that hung has to end before the next run can begin
        clock.now += 30
        return checker.report()["status"] == "healthy"

    assert eventually(recovered)
    assert len(began) >= 2


def test_checks_run_at_their_interval_and_come_and_go(checker: Checker, clock: Clock) -> None:
    runs: list[int] = []
    checker.add("counted", lambda: runs.append(1), interval=10)
    assert checker.states() == {}
    for _ in range(10):
        checker.report()
    assert len(runs) == 1
    assert checker.states() == {"counted": True}
    clock.now += 10
    checker.report()
    assert len(runs) == 2
    checker.remove("counted")
    checker.remove("not there")
    assert checker.report()["checks"] == {}


def test_defaults_are_those_of_checks_added_later(checker: Checker, clock: Clock) -> None:
    runs: list[str] = []
    checker.defaults(timeout=1, interval=5)
    checker.add("default", lambda: runs.append("default"))
    checker.add("own", lambda: runs.append("own"), interval=50)
    checker.report()
    clock.now += 5
    checker.report()
    assert sorted(runs) == ["default", "default", "own"]


@pytest.mark.parametrize("wrong", [{"timeout": 0}, {"interval": -1}, {"retries": 0}, {"timeout": float("nan")}])
def test_options_that_cannot_be(checker: Checker, wrong: Any) -> None:
    with pytest.raises(ValueError, match=f"'x': {next(iter(wrong))}=.*above 0"):
        checker.add("x", ok, **wrong)


def test_there_is_a_bound(checker: Checker) -> None:
    for number in range(200):
        checker.add(str(number), ok)
    checker.add("0", bad)
    with pytest.raises(ValueError, match="200 checks already"):
        checker.add("one more", ok)


def test_states_are_those_of_the_last_run_until_it_is_stale(checker: Checker, clock: Clock) -> None:
    checker.add("fine", ok)
    checker.report()
    clock.now += 90
    assert checker.states() == {"fine": True}
    clock.now += 1
    assert checker.states() == {}
    assert checker.status() is None


def test_changes_are_told(checker: Checker, clock: Clock) -> None:
    told: list[tuple[str, bool, str]] = []
    healthy = [True]
    checker.listen(lambda name, healthy, message: told.append((name, healthy, message)))
    checker.add("one", lambda: ok() if healthy[0] else bad())
    checker.add("two", bad)
    for state in (True, True, False, False, True):
        healthy[0] = state
        checker.report()
        clock.now += 30
    assert told == [("two", False, "bad"), ("one", False, "bad"), ("one", True, "fine")]


def test_a_started_checker_runs_by_itself_and_never_waits_for_what_hangs() -> None:
    checker = Checker(version="1")
    runs, hanging, release = list[int](), threading.Event(), threading.Event()
    healthy = [True]
    checker.defaults(timeout=60, interval=0.05)

    def hangs() -> None:
        if runs:
            hanging.set()
            release.wait(60)

    checker.add("hangs", hangs)
    checker.add("counted", lambda: runs.append(1) or healthy[0])
    try:
        checker.report()
        checker.start()
        assert hanging.wait(30)
        assert checker.report()["status"] == "healthy"  # as last seen, while a run is going on
        release.set()
        count = len(runs)
        assert eventually(lambda: len(runs) > count + 1)
        healthy[0] = False
        assert eventually(lambda: checker.status() == "degraded")
    finally:
        release.set()
        checker.stop()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_checks_for_itself() -> None:
    checker = Checker(version="1")
    parent, release = os.getpid(), threading.Event()

    def check() -> bool:
        if os.getpid() == parent:
            release.wait(60)  # the parent's run is going on, and locks are held, when the child is made
        return True

    checker.add("one", check, interval=0.05, timeout=0.2)
    checker.start()
    assert eventually(lambda: checker.states() == {"one": False})
    child = os.fork()
    if child == 0:
        os._exit(0 if eventually(lambda: checker.states() == {"one": True}) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    release.set()
    checker.stop()
