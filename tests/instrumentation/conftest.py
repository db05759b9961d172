"""What the tests of all instrumentations share."""

from __future__ import annotations

import gc
from collections.abc import Generator

import pytest


@pytest.fixture(scope="module", autouse=True)
def nothing_is_left_to_the_next_module() -> Generator[None]:
    """Libraries leave connections open; Python says so where they are collected, which is here."""
    yield
    gc.collect()
