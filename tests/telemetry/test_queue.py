"""Queues and slots: who waits, how long, and how long they are served."""

from __future__ import annotations

import asyncio
import threading

import pytest

from otel_llm_router import telemetry as router
from otel_llm_router import testing


class SlotError(Exception):
    """A pool that is closed."""


class Slots:
    """Slots whose taking and giving back are ours to time and to refuse."""

    def __init__(self, *, refuse: bool = False, swallow: bool = False) -> None:
        self.refuse = refuse
        self.swallow = swallow
        self.held = 0

    def __enter__(self) -> str:
        if self.refuse:
            raise SlotError
        self.held += 1
        return "slot"

    def __exit__(self, *exc: object) -> bool:
        self.held -= 1
        return self.swallow

    async def __aenter__(self) -> str:
        return self.__enter__()

    async def __aexit__(self, *exc: object) -> bool:
        return self.__exit__(*exc)


def test_waiting_and_being_served_are_timed(captured: testing.Captured, monkeypatch: pytest.MonkeyPatch):
    now = [0]
    monkeypatch.setattr("time.perf_counter_ns", lambda: now[0])

    class Slow(Slots):
        def __enter__(self) -> str:
            now[0] += 2_000_000_000
            return super().__enter__()

    slots = Slow()
    with router.request(), router.queue("slots").wait(slots) as slot:
        assert slot == "slot"
        assert slots.held == 1
        now[0] += 3_000_000_000
    assert slots.held == 0
    assert captured.value("llm_router.queue.wait", queue_type="slots") == pytest.approx(2)
    assert captured.value("llm_router.queue.processing", queue_type="slots") == pytest.approx(3)
    assert captured.count("llm_router.queue.wait") == captured.count("llm_router.queue.processing") == 1
    (span,) = captured.spans()
    (event,) = span.events
    assert dict(event.attributes or {}) == {"llm_router.queue.type": "slots", "llm_router.queue.wait": 2.0}


def test_who_waits_is_counted_while_they_wait(captured: testing.Captured):
    async def main() -> None:
        slots = asyncio.Semaphore(1)
        inside = asyncio.Event()
        release = asyncio.Event()

        async def worker() -> None:
            async with router.queue("slots").wait(slots):
                inside.set()
                await release.wait()

        tasks = [asyncio.create_task(worker()) for _ in range(5)]
        await inside.wait()
        assert captured.value("llm_router.queue.size", queue_type="slots") == 4
        tasks[-1].cancel()
        with pytest.raises(asyncio.CancelledError):
            await tasks[-1]
        assert captured.value("llm_router.queue.size", queue_type="slots") == 3
        release.set()
        await asyncio.gather(*tasks[:-1])

    asyncio.run(main())
    assert captured.value("llm_router.queue.size", queue_type="slots") == 0
    assert captured.count("llm_router.queue.wait") == 4
    assert captured.count("llm_router.queue.processing") == 4


def test_what_cannot_be_had_was_waited_for_and_not_served(captured: testing.Captured):
    with pytest.raises(SlotError), router.queue("slots").wait(Slots(refuse=True)):
        pass

    async def main() -> None:
        async with router.queue("slots").wait(Slots(refuse=True)):
            pass

    with pytest.raises(SlotError):
        asyncio.run(main())
    assert captured.value("llm_router.queue.size") == 0
    assert captured.points("llm_router.queue.wait") == []
    assert captured.points("llm_router.queue.processing") == []


def test_slots_keep_their_say_over_exceptions(captured: testing.Captured):
    with router.queue("slots").wait(Slots(swallow=True)):
        raise ValueError
    with pytest.raises(ValueError, match="mine"), router.queue("slots").wait(Slots()):
        raise ValueError("mine")
    assert captured.count("llm_router.queue.processing") == 2


def test_any_context_manager_will_do(captured: testing.Captured):
    lock = threading.Lock()
    with router.queue("lock").wait(lock) as entered:
        assert entered is True
        assert lock.locked()
    assert not lock.locked()


def test_it_may_be_told(captured: testing.Captured):
    queue = router.queue("batch")
    queue.set_size(7)
    queue.set_size(5)
    queue.waited(0.5)
    queue.processed(1.5)
    queue.processed(-1)
    assert captured.value("llm_router.queue.size", queue_type="batch") == 5
    assert captured.value("llm_router.queue.wait") == 0.5
    assert captured.value("llm_router.queue.processing") == 1.5
    assert captured.count("llm_router.queue.processing") == 2


def test_a_queue_that_is_asked_is_not_counted_twice(captured: testing.Captured):
    """The manual's two examples name the same queue: one waits through us, the other says its depth."""

    async def main() -> None:
        slots = asyncio.Semaphore(1)
        router.observe_queue("slots", depth=lambda: 2, capacity=1)
        async with router.queue("slots").wait(slots):
            waiting = [asyncio.create_task(self_waiting(slots)) for _ in range(2)]
            await asyncio.sleep(0)
            assert captured.value("llm_router.queue.size", queue_type="slots") == 2
        await asyncio.gather(*waiting)

    async def self_waiting(slots: asyncio.Semaphore) -> None:
        async with router.queue("slots").wait(slots):
            pass

    asyncio.run(main())
