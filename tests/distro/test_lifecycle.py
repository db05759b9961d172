"""The end of the process: who is waited for, and for how long."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator

import pytest

from otel_llm_router.distro._lifecycle import Lifecycle
from otel_llm_router.telemetry.instrumenting import set_strict


@pytest.fixture
def strict() -> Generator[None]:
    """The guard raises what it catches."""
    set_strict(strict=True)
    yield
    set_strict(strict=False)


def test_what_is_local_is_waited_for_beyond_the_budget() -> None:
    done: list[str] = []
    never = threading.Event()
    lifecycle = Lifecycle(0.05)

    def slowly() -> None:
        deadline = lifecycle.ending.deadline
        assert deadline is not None
        while time.monotonic() < deadline + 0.3:  # an overloaded machine
            time.sleep(0.01)
        done.append("local")

    lifecycle.add([slowly], local=True)
    lifecycle.add([never.wait])
    lifecycle.close()
    assert done == ["local"]
    assert not never.is_set()
    never.set()


@pytest.mark.usefixtures("strict")
def test_a_flush_that_runs_out_of_time_is_no_error_and_another_failure_is() -> None:
    begun: list[str] = []

    def out_of_time(milliseconds: int) -> None:
        begun.append("late")
        time.sleep(milliseconds / 1000 + 0.01)
        raise TimeoutError

    lifecycle = Lifecycle(0.05)
    lifecycle.add_flush([out_of_time], last=True)
    lifecycle.flush()
    assert begun == ["late"]

    def broken(_milliseconds: int) -> None:
        raise RuntimeError

    lifecycle = Lifecycle(20)
    lifecycle.add_flush([broken], last=True)
    with pytest.raises(RuntimeError):
        lifecycle.flush()
