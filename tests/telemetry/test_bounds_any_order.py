"""Whatever is recorded while label values come and go, in whatever order, is counted once, or ended with its series."""

# White-box: the slots, and what ends.
# pyright: reportPrivateUsage=false

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from otel_llm_router.signals import attributes
from otel_llm_router.signals.instruments import routing
from tests.telemetry.idle_labels import IDLE, IN_FLIGHT, LIMIT, LONG, SAVED, Router, points_of

names = st.integers(0, 9).map("n-{}".format)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("saved"), names, st.integers(1, 5)),
        st.tuples(st.just("fallback"), names, names),
        st.tuples(st.just("wait"), names, names),
        st.tuples(st.just("enter"), names),
        st.tuples(st.just("leave"), st.integers(0, 5)),
        st.tuples(st.just("vouch"), names),
        st.tuples(st.sampled_from(["passes", "late"]), st.sampled_from([1, IDLE / 2, LONG])),
    ),
    max_size=80,
)


Found = dict[str, dict[tuple[tuple[Any, ...], int], float]]
"""Values, or counts, of each instrument by labels and start."""


class Run(Router):
    """A router, what it must have counted, and what ended with its series."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.recorded = dict.fromkeys((SAVED, IN_FLIGHT, routing.FALLBACKS.name, "app.wait"), 0.0)
        self.dropped = dict.fromkeys(self.recorded, 0.0)
        self.ended = set[tuple[str, tuple[tuple[Any, ...], int]]]()
        self.under_way: list[Callable[[], None]] = []
        self.vouched: list[str] = []
        self.stale = False
        self.was, self.was_recorded = self.found(), self.recorded.copy()

    def found(self) -> Found:
        points = points_of(self.totals)
        return {
            name: {(labels, start): value for labels, start, value in points.get(name, [])} for name in self.recorded
        }

    def check(self) -> None:
        """See that every instrument shows what was recorded since the last look and nothing else."""
        now = self.found()
        assert len(now[SAVED]) <= LIMIT + 1
        for name, series in now.items():
            was = self.was[name]
            assert len(series) <= (LIMIT + 1) ** 2
            assert not self.ended & {(name, key) for key in series}
            self.ended.update((name, key) for key in was.keys() - series.keys())
            if name == IN_FLIGHT:
                assert sum(series.values()) == self.recorded[name]
                continue
            self.dropped[name] += sum(was[key] for key in was.keys() - series.keys())
            assert all(series[key] >= was[key] for key in was.keys() & series.keys())
            grown = sum(value - was.get(key, 0) for key, value in series.items())
            assert grown == self.recorded[name] - self.was_recorded[name]
            assert sum(series.values()) + self.dropped[name] == self.recorded[name]
        self.was, self.was_recorded = now, self.recorded.copy()

    def counted(self, name: str, value: float) -> None:
        self.recorded[name] += value
        if self.stale:
            self.take_changes()  # what is that late does not make a value seen

    def saved(self, model: str, usd: int) -> None:
        self.telemetry.saved(usd, model=model)
        self.counted(SAVED, usd)

    def fallback(self, failed: str, tried: str) -> None:
        self.telemetry.recorder.record(routing.FALLBACKS, 1, failed, tried, "error")
        self.counted(routing.FALLBACKS.name, 1)

    def wait(self, tenant: str, model: str) -> None:
        self.waits.record(2, tenant=tenant, model=model)
        self.counted("app.wait", 1)

    def enter(self, model: str) -> None:
        self.under_way.append(self.telemetry.recorder.enter(routing.ATTEMPTS_IN_FLIGHT, "openai", model))
        self.counted(IN_FLIGHT, 1)

    def leave(self, which: int) -> None:
        if self.under_way:
            self.under_way.pop(which % len(self.under_way))()
            self.counted(IN_FLIGHT, -1)

    def vouch(self, model: str) -> None:
        self.telemetry.recorder.bounds.vouch(attributes.MODEL, model)
        self.vouched.append(model)

    def passes(self, seconds: float) -> None:
        self.take_changes()  # at least once per idle time
        self.stale = False
        super().passes(seconds)

    def late(self, seconds: float) -> None:
        """Let time pass, though not for the handles that are remembered: what they count must not be lost either."""
        self.take_changes()
        self.stale = True
        self.now += seconds


@given(steps)
@settings(deadline=None, max_examples=200)
def test_what_ends_is_gone_and_everything_else_is_counted_once(steps: list[tuple[Any, ...]]):
    run = Run()
    for action, *values in steps:
        getattr(run, action)(*values)
        run.check()
    run.take_changes()
    assert {name: run.changed.get(name, 0) for name in run.recorded} == run.recorded
    while run.under_way:
        run.leave(0)
    assert not any(run.found()[IN_FLIGHT].values())
    # Slots are kept for what was vouched for, first come, first served, and to the end.
    bounds, first = run.telemetry.recorder.bounds, list(dict.fromkeys(run.vouched))[: LIMIT // 2]
    assert not first or list(bounds._pools["model"].kept.used) == first
    assert [bounds.value(attributes.MODEL, name) for name in first] == first
    assert all(len(slots.used) <= slots.size for pool in bounds._pools.values() for slots in (pool.open, pool.kept))


def test_threads_that_take_each_others_slots_lose_nothing():
    router = Router()
    ended = list[float]()
    untyped: Any = router.store
    router.telemetry.saved(1, model="m-0")
    family = untyped._families[SAVED]
    end = family._end

    def ending(labels: Any, into: Any) -> None:
        ended.append(family._series[labels].cell.value)
        end(labels, into)

    family._end = ending

    def work(seed: int) -> None:
        for number in range(400):
            router.passes(LONG / 7)
            leave = router.telemetry.recorder.enter(routing.ATTEMPTS_IN_FLIGHT, "openai", f"m-{number % 7}")
            router.telemetry.saved(1, model=f"m-{(number * seed) % 23}")
            leave()

    handed = [threading.Thread(target=work, args=(seed,)) for seed in (3, 5, 7, 11)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for thread in handed:
            thread.start()
        while any(thread.is_alive() for thread in handed):
            router.take_changes()
            assert sum(router.series(IN_FLIGHT).values()) in range(5)
    finally:
        sys.setswitchinterval(interval)
    router.take_changes()
    assert sum(router.series(SAVED).values()) + sum(ended) == 1601
    assert 1601 - sum(ended) <= router.changed[SAVED] <= 1601
    assert sum(ended) > 0
    assert not any(router.series(IN_FLIGHT).values())
    assert router.changed[IN_FLIGHT] == 0
