"""Whatever is recorded, ends and comes back in whatever order, everything is counted once, or ended with its series."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.metrics.export import HistogramDataPoint

from otel_llm_router.aggregation import Aggregation, Description, HistogramPoint, Labels, _store
from otel_llm_router.aggregation._data import View
from otel_llm_router.aggregation._store import IDLE
from tests.aggregation.idle_series import BUSY, DELTA, FAMILIES, HITS, LONG, WAIT, Clock, few_series, untyped

FEW = 3

families = st.sampled_from(FAMILIES)
values = st.sampled_from("abc")
steps = st.lists(
    st.one_of(
        *[st.tuples(st.just("record"), families, values, values)] * 3,
        st.tuples(st.just("again"), st.integers(0, 20)),
        st.tuples(st.just("leave"), st.integers(0, 20)),
        st.tuples(st.just("retire"), families, st.sampled_from("xy"), values),
        st.tuples(st.just("passes"), st.sampled_from([1, IDLE / 2, LONG, 2 * LONG])),
        st.tuples(st.just("look")),
    ),
    min_size=30,
    max_size=100,
)

Found = dict[tuple[Labels, int], float]
"""Values, or counts, of an instrument by labels and start."""


class Reader:
    """A reader of changes, and what they add up to."""

    def __init__(self, store: Aggregation) -> None:
        self._store = store
        self._view = View(DELTA)
        self.seen = dict.fromkeys(FAMILIES, 0.0)

    def look(self) -> None:
        for metric in self._view.metrics(self._store.snapshot()):
            (description,) = (one for one in FAMILIES if one.name == metric.name)
            for point in metric.data.data_points:
                change = point.count if isinstance(point, HistogramDataPoint) else point.value  # type: ignore[union-attr]
                assert change >= 0 or description is BUSY
                if isinstance(point, HistogramDataPoint):
                    assert min(point.bucket_counts) >= 0
                    assert sum(point.bucket_counts) == point.count
                self.seen[description] += change


class Run:
    """A store, what was recorded, and what ended with its series."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.store = Aggregation(clock=self.clock)
        self.often, self.rarely = Reader(self.store), Reader(self.store)
        self.recorded = dict.fromkeys(FAMILIES, 0.0)
        self.dropped = dict.fromkeys(FAMILIES, 0.0)
        self.ended = set[tuple[str, tuple[Labels, int]]]()
        self.used: dict[tuple[str, Labels], float] = {}
        self.handles: list[tuple[Description, Labels, int, Any]] = []
        self.under_way: list[Any] = []

    def found(self, description: Description) -> Found:
        return {
            (labels, point.start): point.count if isinstance(point, HistogramPoint) else point.value  # type: ignore[union-attr]
            for labels, point in self.store.snapshot().get(description, {}).items()
        }

    def step(self, act: Callable[[], object], *, retired: tuple[Description, tuple[str, str]] | None = None) -> None:
        """Do something, and see that every instrument shows that and nothing else."""
        before, recorded = {one: self.found(one) for one in FAMILIES}, self.recorded.copy()
        act()
        for description in FAMILIES:
            was, now = before[description], self.found(description)
            assert len(now) <= FEW + 1
            assert not self.ended & {(description.name, key) for key in now}
            for labels, start in was.keys() - now.keys():
                self.ended.add((description.name, (labels, start)))
                idle_since = self.used.get((description.name, labels), 0) + IDLE + _store.HELD
                assert (retired and retired[0] is description and retired[1] in labels) or self.clock.now >= idle_since
            if description is BUSY:
                assert sum(now.values()) == self.recorded[description]
                assert retired or not any(was[key] for key in was.keys() - now.keys())
                continue
            self.dropped[description] += sum(was[key] for key in was.keys() - now.keys())
            assert all(now[key] >= was[key] for key in was.keys() & now.keys())
            grown = sum(value - was.get(key, 0) for key, value in now.items())
            assert grown == self.recorded[description] - recorded[description]
            assert sum(now.values()) + self.dropped[description] == self.recorded[description]

    def add(self, description: Description, handle: Any) -> None:
        handle.add(1)
        self.recorded[description] += 1
        if description is BUSY:
            self.under_way.append(handle)

    def record(self, description: Description, x: str, y: str) -> None:
        def act() -> None:
            handle = self.store.family(description).bind({"x": x, "y": y})
            (at,) = (key for key, one in untyped(self.store.family(description))._series.items() if one is handle)
            self.used[description.name, at] = self.clock.now
            self.handles.append((description, at, handle.cell.start, handle))  # type: ignore[union-attr]
            self.add(description, handle)

        self.step(act)

    def again(self, which: int) -> None:
        """Record through a handle that was given out before."""
        if not self.handles:
            return
        description, labels, start, handle = self.handles[which % len(self.handles)]
        live = (labels, start) in self.found(description)
        if live and self.clock.now > self.used[description.name, labels] + _store.HELD:
            return  # to be asked for again
        was = self.found(description)
        self.step(lambda: self.add(description, handle))
        (grown,) = (at for at, value in self.found(description).items() if value != was[at])
        if live:
            assert grown == (labels, start)
        else:
            assert grown[0] == _store.OVERFLOW or "other" in dict(grown[0]).values()
            self.often.look()  # what is that late does not make a series used

    def leave(self, which: int) -> None:
        if self.under_way:
            handle = self.under_way.pop(which % len(self.under_way))
            self.recorded[BUSY] -= 1
            self.step(lambda: handle.add(-1))

    def retire(self, description: Description, key: str, value: str) -> None:
        self.often.look()  # the value was not used for long
        self.step(lambda: self.store.retire(description.name, key, value, "other"), retired=(description, (key, value)))
        assert not any((key, value) in labels for labels, _ in self.found(description))

    def passes(self, seconds: float) -> None:
        self.often.look()
        self.clock.now += seconds

    def look(self) -> None:
        self.rarely.look()

    def finish(self) -> None:
        self.often.look()
        self.rarely.look()
        assert self.often.seen == self.recorded
        assert self.rarely.seen[BUSY] == self.recorded[BUSY]
        for description in (HITS, WAIT):
            missed = self.recorded[description] - self.rarely.seen[description]
            assert 0 <= missed <= self.dropped[description]
        while self.under_way:
            self.leave(0)
        assert not any(self.found(BUSY).values())


@given(steps)
@settings(deadline=None, max_examples=200)
def test_what_ends_is_gone_and_everything_else_is_counted_once(steps: list[tuple[Any, ...]]) -> None:
    with few_series(FEW):
        run = Run()
        for action, *given_values in steps:
            getattr(run, action)(*given_values)
        run.finish()
