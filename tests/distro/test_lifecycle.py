"""The end of the process: who is waited for, and for how long."""

from __future__ import annotations

import threading
import time

from otel_llm_router.distro._lifecycle import Lifecycle


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
