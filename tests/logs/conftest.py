"""A logger provider of the SDK's in front of the files, and accounts of what becomes of lines."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.resources import Resource

from otel_llm_router import logs


class Counts:
    """What became of lines, by stream, and by stream and reason."""

    def __init__(self) -> None:
        self.lines: Counter[str] = Counter()
        self.lost: Counter[tuple[str, str]] = Counter()

    def written(self, stream: str, lines: int) -> None:
        self.lines[stream] += lines

    def dropped(self, stream: str, reason: str, lines: int) -> None:
        self.lost[stream, reason] += lines


class Logged:
    """Log records on their way into lines.

    Args:
        where: What the option says.
        options: Of `logs.Streams`; ``max_bytes`` and ``backups`` are the place's.
    """

    def __init__(self, where: str, **options: Any) -> None:
        max_bytes, backups = options.pop("max_bytes", 0), options.pop("backups", 1)
        self.counts = Counts()
        place = logs.place(where, max_bytes=max_bytes, backups=backups)
        self.streams = logs.Streams(place, self.counts, contextlib.nullcontext, **options)
        service = {"service.name": "router", "service.version": "1.2", "deployment.environment.name": "test"}
        self.provider = LoggerProvider(resource=Resource({**service, "host.name": "here"}), shutdown_on_exit=False)
        self.provider.add_log_record_processor(self.streams)

    def emit(self, body: Any, severity: str = "INFO", scope: str = "app", **given: Any) -> None:
        number = SeverityNumber[severity]
        self.provider.get_logger(scope).emit(LogRecord(body=body, severity_number=number, **given))

    def settle(self) -> None:
        assert self.streams.force_flush(60_000)


def lines_of(path: Path) -> list[dict[str, Any]]:
    """The records of a file, each on a line of its own."""
    text = path.read_bytes()
    assert text.endswith(b"\n")
    return [json.loads(line) for line in text[:-1].split(b"\n")]


@pytest.fixture
def logged(tmp_path: Path) -> Generator[Callable[..., Logged]]:
    made: list[Logged] = []

    def make(where: str | None = None, **options: Any) -> Logged:
        made.append(Logged(str(tmp_path / "all.log") if where is None else where, **options))
        return made[-1]

    yield make
    for one in made:
        one.streams.close(5)
