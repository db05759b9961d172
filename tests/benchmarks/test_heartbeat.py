from __future__ import annotations

import gc
import time
from collections.abc import Iterator

import pytest

from benchmarks.heartbeat import gaps


@pytest.fixture(autouse=True)
def _thawed() -> Iterator[None]:
    yield
    gc.unfreeze()


async def test_a_loop_that_is_held_up_shows_for_how_long():
    async def hold_up() -> None:
        time.sleep(0.03)  # noqa: ASYNC251  # holding the loop up is the point

    found = await gaps(hold_up, 0.2)
    assert found["longest"] >= 29
    assert found["late"] >= 1
    assert found["requests"] >= 1
