"""Synchronous streams end exactly once, however their consumer walks away."""

from __future__ import annotations

import contextlib
import gc
import threading
from collections.abc import Callable, Generator
from typing import Any

import pytest
from opentelemetry import context as otel_context

from tests.telemetry.application_errors import ConsumerError
from tests.telemetry.stream_checks import Checks
from tests.telemetry.streaming import CHUNKS, GONE, Upstream, Ways, drop_sync, every_way


def exhaust_sync(stream: Generator[Any]) -> None:
    assert len(list(stream)) == CHUNKS + 1


def stop_after_sync(stream: Generator[Any]) -> None:
    for event in stream:
        if event.choices and event.choices[0].delta.content == "t2":
            break


def close_sync(stream: Generator[Any]) -> None:
    for _ in range(4):
        next(stream)
    stream.close()


def raise_sync(stream: Generator[Any]) -> None:
    with contextlib.suppress(ConsumerError):
        for event in stream:
            if event.choices and event.choices[0].delta.content == "t2":
                raise ConsumerError


def drop_in_a_cycle_sync(stream: Generator[Any]) -> None:
    drop_sync(stream)
    cycle: dict[str, Any] = {"stream": stream}
    cycle["cycle"] = cycle


def move_across_threads(stream: Generator[Any]) -> None:
    def step() -> None:
        next(stream)
        assert otel_context.get_current() == {}

    for _ in range(CHUNKS + 1):
        thread = threading.Thread(target=step)
        thread.start()
        thread.join()
    with pytest.raises(StopIteration):
        next(stream)


SYNC_WALKS: list[tuple[Callable[[Generator[Any]], None], str, str | tuple[str, ...], int]] = [
    (exhaust_sync, "success", "", CHUNKS),
    (stop_after_sync, "aborted", GONE, 3),
    (close_sync, "aborted", "client_disconnect", 3),
    (drop_sync, "aborted", GONE, 3),
    (raise_sync, "aborted", GONE, 3),
    (drop_in_a_cycle_sync, "aborted", GONE, 3),
    (move_across_threads, "success", "", CHUNKS),
]


@every_way
@pytest.mark.parametrize(("walk", "status", "error_type", "content"), SYNC_WALKS)
def test_a_sync_stream_ends_however_it_is_left(
    checks: Checks,
    upstream: Upstream,
    way: Ways,
    walk: Callable[[Generator[Any]], None],
    status: str,
    error_type: str | tuple[str, ...],
    content: int,
):
    walk(upstream.open_sync(way))
    checks.clean()
    gc.collect()
    checks.clean()
    checks.ended(status, error_type, content)
    assert upstream.released == upstream.opened == 1


@every_way
def test_two_interleaved_sync_streams_keep_apart(checks: Checks, upstream: Upstream, way: Ways):
    for _ in zip(upstream.open_sync(way), upstream.open_sync(way), strict=False):
        checks.clean()
    gc.collect()
    checks.clean()
