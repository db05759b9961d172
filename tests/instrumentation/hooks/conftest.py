"""What the tests of declared hooks share: an application's module on disk, imported with hooks in place."""

from __future__ import annotations

import importlib
import itertools
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from otel_llm_router import testing
from otel_llm_router.instrumentation.hooks import HooksInstrumentor

_numbers = itertools.count()


@pytest.fixture
def captured() -> Iterator[testing.Captured]:
    """What is recorded."""
    with testing.capture(fast_path=True) as found:
        yield found


@pytest.fixture
def declare(tmp_path: Path) -> Iterator[Callable[..., None]]:
    """Declare hooks, as text or as the text of a file."""
    instrumentor = HooksInstrumentor()

    def put(hooks: str = "", file: str = "", *, profiles: bool = False) -> None:
        path = tmp_path / "hooks.yaml"
        path.write_text(textwrap.dedent(file))
        instrumentor.instrument(hooks=hooks, hooks_file=str(path) if file else "", profiles=profiles)

    yield put
    instrumentor.uninstrument()


@pytest.fixture
def hooked(
    tmp_path: Path, declare: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Any]]:
    """Write a module, declare hooks on it, and import it; ``@`` in the declarations is its name."""
    monkeypatch.syspath_prepend(str(tmp_path))  # pyright: ignore[reportUnknownMemberType]
    written: list[str] = []

    def make(source: str, hooks: str = "", file: str = "") -> Any:
        name = f"home_router_{next(_numbers)}"
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(source))
        importlib.invalidate_caches()
        written.append(name)
        declare(hooks.replace("@", name), file.replace("@", name))
        return importlib.import_module(name)

    yield make
    for name in written:
        sys.modules.pop(name, None)


@pytest.fixture
def package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, declare: Callable[..., None]
) -> Iterator[Callable[..., Any]]:
    """Write a package, turn the shipped profiles on, and import one of its modules."""
    monkeypatch.syspath_prepend(str(tmp_path))  # pyright: ignore[reportUnknownMemberType]
    before = set(sys.modules)

    def make(files: dict[str, str], module: str, own: str = "") -> Any:
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(textwrap.dedent(text))
        importlib.invalidate_caches()
        if files:
            declare(own, profiles=True)
        return importlib.import_module(module)

    yield make
    for name in set(sys.modules) - before:
        if name.partition(".")[0] in {"app", "routellm", "my_router", "my_router_2"}:
            del sys.modules[name]
