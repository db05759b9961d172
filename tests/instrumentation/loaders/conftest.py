"""The loaders' libraries, real where they are installed, else of their shape; and models to load."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

from otel_llm_router import testing
from tests.instrumentation.loaders import shapes


@pytest.fixture
def captured() -> Generator[testing.Captured]:
    with testing.capture() as found:
        yield found


@pytest.fixture
def library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Generator[Callable[[str, dict[str, str]], tuple[Any, bool]]]:
    """Import a library; whether it is the real one is said too."""
    added: list[str] = []

    def load(name: str, shape: dict[str, str]) -> tuple[Any, bool]:
        real = importlib.util.find_spec(name) is not None
        if not real:
            shapes.write(tmp_path / "path", shape)
            monkeypatch.syspath_prepend(tmp_path / "path")  # pyright: ignore[reportUnknownMemberType]
            added.append(name)
        return importlib.import_module(name), real

    yield load
    for name in [one for one in sys.modules if one.partition(".")[0] in added]:
        del sys.modules[name]
