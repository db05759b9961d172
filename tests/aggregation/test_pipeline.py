"""Work off the request path: in order, nothing lost, bounded, and done before anybody reads."""

from __future__ import annotations

import threading
import time

from otel_llm_router.aggregation import Pipeline
from otel_llm_router.aggregation._pipeline import LIMIT


def test_calls_are_made_in_order_by_another_thread() -> None:
    pipeline, made = Pipeline(), list[tuple[int, str]]()

    def make(number: int) -> None:
        made.append((number, threading.current_thread().name))

    for number in range(100):
        pipeline.later(make, number)
    deadline = time.monotonic() + 20
    while len(made) < 100:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert [number for number, _ in made] == list(range(100))
    assert {name for _, name in made} == {"otel-llm-router-pipeline"}


def test_whoever_drains_waits_for_what_is_under_way() -> None:
    pipeline, made = Pipeline(), list[int]()

    def slow(number: int) -> None:
        time.sleep(0.05)
        made.append(number)

    for number in range(5):
        pipeline.later(slow, number)
    pipeline.drain()
    assert made == [0, 1, 2, 3, 4]


def test_a_call_that_fails_costs_no_other() -> None:
    pipeline, made = Pipeline(), list[int]()
    pipeline.later(lambda: 1 / 0)
    pipeline.later(made.append, 1)
    pipeline.drain()
    assert made == [1]


def test_a_call_out_of_a_call_is_made_at_once() -> None:
    pipeline, made = Pipeline(), list[str]()

    def outer() -> None:
        pipeline.later(made.append, "inner")
        made.append("outer")

    pipeline.later(outer)
    pipeline.drain()
    assert made == ["inner", "outer"]


def test_a_flood_is_bounded_and_loses_nothing() -> None:
    pipeline, made, longest = Pipeline(), list[int](), 0
    block = threading.Event()
    pipeline.later(block.wait, 0.2)  # the worker is busy
    for number in range(5 * LIMIT):
        pipeline.later(made.append, number)
        longest = max(longest, len(pipeline))
    block.set()
    pipeline.drain()
    assert made == list(range(5 * LIMIT))
    assert longest <= LIMIT + 1


def test_a_closed_one_has_no_thread_and_makes_calls_at_once() -> None:
    pipeline, made = Pipeline(), list[int]()
    pipeline.later(made.append, 1)
    before = {thread for thread in threading.enumerate() if thread.name == "otel-llm-router-pipeline"}
    pipeline.close()
    deadline = time.monotonic() + 20
    while {thread for thread in threading.enumerate() if thread in before} == before:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    pipeline.later(made.append, 2)
    assert made == [1, 2]
