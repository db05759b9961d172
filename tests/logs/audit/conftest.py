"""Audit trails in a directory of the test's own."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from otel_llm_router.logs.audit import Event, Seal, Trail
from otel_llm_router.signals import Attribute, LogEvent, events
from otel_llm_router.signals import attributes as a

ALL = frozenset({"authentication", "key_use", "configuration", "decision", "suspicious"})


class Opened:
    """A trail, and what it counted and sent."""

    def __init__(self, path: Path, *, key: bytes | None = None, limit: int = 1 << 26, export: bool = False) -> None:
        self.path = path
        self.counted: list[tuple[str, tuple[str, ...]]] = []
        self.sent: list[tuple[str, dict[str, Any]]] = []
        self.trail = Trail(
            path,
            Seal(key),
            limit=limit,
            who={"service": "router", "host": "here"},
            wanted=ALL,
            record=lambda instrument, value, labels: self.counted.extend([(instrument.name, labels)] * value),
            emit=lambda event, found: self.sent.append((event.name, {one.key: value for one, value in found.items()})),
            export=export,
        )

    def act(self, action: str = "key.rotate", **said: str) -> Future[bool]:
        """Put an action on record."""
        receipt: Future[bool] = Future()
        found = {a.AUDIT_ACTION: action, **{getattr(a, f"AUDIT_{name.upper()}"): text for name, text in said.items()}}
        self.trail.put(Event(events.AUDIT_ACTION, found, time.time_ns(), receipt=receipt))
        return receipt

    def tell(self, event: LogEvent, found: dict[Attribute, Any], at: float | None = None) -> None:
        """Let something happen, now or at a time in seconds of the epoch."""
        self.trail.put(Event(event, found, time.time_ns() if at is None else int(at * 1e9)))

    def close(self) -> None:
        """End the trail."""
        self.trail.close(30)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit" / "audit.jsonl"


@pytest.fixture
def opened(path: Path) -> Generator[Callable[..., Opened]]:
    """Open trails on one file, and end them."""
    trails: list[Opened] = []

    def open_one(**options: Any) -> Opened:
        trails.append(Opened(options.pop("path", path), **options))
        return trails[-1]

    yield open_one
    for one in trails:
        one.close()
