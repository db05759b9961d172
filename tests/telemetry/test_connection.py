"""Connections that the router serves: how many are open, and for how long they were."""

# White-box: slots that idle eviction frees.
# pyright: reportPrivateUsage=false

from __future__ import annotations

import asyncio

import pytest

from otel_llm_router import telemetry as router
from otel_llm_router import testing


class DisconnectError(Exception):
    """The peer went away."""


def test_a_connection_counts_while_it_is_open(captured: testing.Captured, monkeypatch: pytest.MonkeyPatch):
    now = [0]
    monkeypatch.setattr("time.perf_counter_ns", lambda: now[0])
    with router.connection("sse", "http/2"):
        assert captured.value("llm_router.active_connections", type="sse", protocol="http/2") == 1
        assert captured.points("llm_router.connection.duration") == []
        now[0] += 5_000_000_000
    assert captured.value("llm_router.active_connections") == 0
    assert captured.value("llm_router.connection.duration", type="sse", protocol="http/2") == pytest.approx(5)
    assert captured.count("llm_router.connection.duration") == 1


def test_a_block_that_fails_closes_it(captured: testing.Captured):
    async def main() -> None:
        async with router.connection():
            raise DisconnectError

    with pytest.raises(DisconnectError):
        asyncio.run(main())
    assert captured.value("llm_router.active_connections", type="http", protocol="http/1.1") == 0
    assert captured.count("llm_router.connection.duration") == 1


def test_open_and_close_without_a_block_count_once(captured: testing.Captured):
    connection = router.connection("websocket", "ws")
    connection.close()
    assert connection.open() is connection
    connection.open()
    assert captured.value("llm_router.active_connections", type="websocket") == 1
    connection.close()
    connection.close()
    assert captured.value("llm_router.active_connections", type="websocket") == 0
    assert captured.count("llm_router.connection.duration") == 1


def test_it_closes_where_it_opened_though_its_label_changed(captured: testing.Captured):
    """The bound may give a name its own label only after the connection was opened."""
    bounds = router.default.recorder.bounds
    for number in range(20):
        router.connection(f"kind-{number}").open().close()
    late = router.connection("late").open()
    assert captured.value("llm_router.active_connections", type="other") == 1
    bounds._pools["connection_type"].open.used.clear()  # as if the label had been another one then
    late.close()
    assert captured.value("llm_router.active_connections", type="other") == 0
    assert {point.value for point in captured.points("llm_router.active_connections")} == {0}


def test_a_connection_may_turn_out_to_carry_something_else(captured: testing.Captured):
    with router.connection("http", "http/1.1") as connection:
        connection.become("sse")
        assert captured.value("llm_router.active_connections", type="http") == 0
        assert captured.value("llm_router.active_connections", type="sse", protocol="http/1.1") == 1
    assert captured.value("llm_router.active_connections", type="sse") == 0
    assert [point.labels["type"] for point in captured.points("llm_router.connection.duration")] == ["sse"]


def test_a_connection_open_while_the_telemetry_is_set_up_anew_stays_balanced():
    with testing.capture() as before:
        connection = router.connection("sse").open()
        with testing.capture() as after:
            connection.close()
            assert after.value("llm_router.active_connections") == 0
        assert before.value("llm_router.active_connections") == 0
