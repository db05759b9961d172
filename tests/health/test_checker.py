from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from otel_llm_router.health import Checker, Result, builtin_checks
from otel_llm_router.health import _checker as module


def ok() -> Result:
    return Result(healthy=True, message="fine")


def bad() -> Result:
    return Result(healthy=False, message="bad")


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
def test_overall_state(checks: Any, status: str) -> None:
    checker = Checker(version="1")
    for name, check in checks.items():
        checker.add(name, check)
    report = checker.report()
    assert report["status"] == status
    assert report["summary"]["total"] == len(checks)
    assert set(report) == {"status", "timestamp", "uptime", "version", "checks", "summary"}


def test_a_check_counts_as_failed_after_three_tries() -> None:
    tries: list[int] = []

    def flaky() -> Result:
        tries.append(1)
        return ok() if len(tries) == 3 else bad()

    checker = Checker(version="1")
    checker.add("flaky", flaky)
    assert checker.report()["status"] == "healthy"
    assert len(tries) == 3


def test_a_check_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TIMEOUT", 0.05)
    release = threading.Event()

    def hangs() -> Result:
        release.wait(10)
        return ok()

    checker = Checker(version="1")
    checker.add("hangs", hangs)
    began = time.monotonic()
    report = checker.report()
    release.set()
    assert report["checks"]["hangs"]["message"] == "no answer within 0.05 s"
    assert time.monotonic() - began < 5


def test_reports_are_kept_for_a_moment_and_checks_come_and_go() -> None:
    now, runs = [0.0], list[int]()

    def counted() -> Result:
        runs.append(1)
        return ok()

    checker = Checker(version="1", clock=lambda: now[0])
    checker.add("counted", counted)
    assert checker.states() == {}
    for _ in range(10):
        checker.report()
    assert len(runs) == 1
    assert checker.states() == {"counted": True}
    now[0] += module.FRESH
    checker.report()
    assert len(runs) == 2
    checker.remove("counted")
    checker.remove("not there")
    assert checker.report()["checks"] == {}


def test_builtin_checks_need_no_router() -> None:
    for name, check in builtin_checks().items():
        result = check()
        assert name in {"memory_usage", "disk_space"}
        assert result.details["threshold"] in {85.0, 90.0}
        assert result.healthy is (result.details["value"] < result.details["threshold"])


def test_states_are_those_of_the_last_report_until_it_is_stale() -> None:
    now = [100.0]
    checker = Checker(version="1", clock=lambda: now[0])
    checker.add("fine", lambda: Result(healthy=True, message=""))
    assert checker.states() == {}
    checker.report()
    now[0] += module.STALE
    assert checker.states() == {"fine": True}
    now[0] += 1
    assert checker.states() == {}
