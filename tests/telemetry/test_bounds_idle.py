"""Label values that nobody sees any more make room for new ones; their series end, and nothing is counted twice."""

# White-box: the slots, and the clock that they are measured with.
# pyright: reportPrivateUsage=false

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider as SdkMeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from otel_llm_router.signals import Attribute
from otel_llm_router.signals.instruments import routing
from otel_llm_router.telemetry import Telemetry, _bounds
from otel_llm_router.telemetry._bounds import LabelBounds
from tests.telemetry.idle_labels import IDLE, LIMIT, LONG, SAVED, Router, points_of


def test_after_a_flood_has_passed_a_new_value_has_its_own_series_and_other_does_not_jump():
    router = Router()
    for number in range(50):
        router.telemetry.saved(1, model=f"junk-{number}")
    router.telemetry.saved(1, model="too-early")
    assert ("too-early", "routing") not in router.series(SAVED)

    router.passes(LONG)
    router.telemetry.saved(5, model="late")

    kept = {(f"junk-{number}", "routing"): 1 for number in range(1, LIMIT // 2)}
    overflown = 50 - LIMIT // 2 + 1
    assert router.series(SAVED) == {**kept, ("late", "routing"): 5, ("other", "routing"): overflown}


def test_without_need_nothing_goes():
    router = Router()
    router.telemetry.saved(1, model="a")
    router.passes(LONG * 100)
    router.telemetry.saved(1, model="b")
    assert router.series(SAVED) == {("a", "routing"): 1, ("b", "routing"): 1}


def test_the_value_unseen_for_longest_goes_first_and_one_in_use_never():
    router = Router()
    for name in ("a", "b", "c"):
        router.telemetry.saved(1, model=name)
        router.passes(1)
    for _ in range(20):
        router.passes(LONG / 10)
        router.telemetry.saved(1, model="a")
    router.telemetry.saved(1, model="d")
    assert set(router.series(SAVED)) == {("a", "routing"), ("c", "routing"), ("d", "routing"), ("other", "routing")}
    router.telemetry.saved(1, model="e")
    router.telemetry.saved(1, model="f")
    assert router.series(SAVED) == {
        ("a", "routing"): 21,
        ("d", "routing"): 1,
        ("e", "routing"): 1,
        ("other", "routing"): 1,
    }


def test_a_value_that_the_router_vouched_for_keeps_its_slot():
    router = Router()
    router.telemetry.deployment("eu-1", provider="openai", model="gpt-99")
    router.telemetry.saved(1, model="gpt-99")
    for number in range(30):
        router.passes(LONG)
        router.telemetry.saved(1, model=f"junk-{number}")
    kept = {(f"junk-{number}", "routing"): 1 for number in range(30 - LIMIT // 2, 30)}
    assert router.series(SAVED) == {("gpt-99", "routing"): 1, **kept, ("other", "routing"): 0}


def test_a_value_that_comes_back_begins_again_from_nothing():
    router = Router()
    for name in ("a", "b", "c"):
        router.telemetry.saved(10, model=name)
    router.take_changes()
    first = _start(router, "a")
    router.passes(LONG)
    router.telemetry.saved(1, model="d")
    router.telemetry.saved(1, model="a")
    assert router.series(SAVED)["a", "routing"] == 1
    assert _start(router, "a") > first
    router.take_changes()
    assert router.changed[SAVED] == 32


def _start(router: Router, model: str) -> int:
    (start,) = (start for labels, start, _ in points_of(router.totals)[SAVED] if model in labels)
    return start


def test_what_is_under_way_ends_where_it_went():
    router = Router()
    name = routing.ATTEMPTS_IN_FLIGHT.name
    leave = router.telemetry.recorder.enter(routing.ATTEMPTS_IN_FLIGHT, "openai", "slow")
    for number in range(LIMIT):
        router.passes(LONG)
        router.telemetry.saved(1, model=f"m-{number}")
    assert router.series(name) == {("openai", "other"): 1}
    again = router.telemetry.recorder.enter(routing.ATTEMPTS_IN_FLIGHT, "openai", "slow")
    leave()
    assert router.series(name) == {("openai", "other"): 0, ("openai", "slow"): 1}
    again()
    assert set(router.series(name).values()) == {0}


def test_both_labels_of_a_series_can_go_one_after_the_other_and_an_old_handle_still_counts():
    router = Router()
    handle = router.telemetry.recorder._bind(routing.FALLBACKS, ("from", "to", "error"), 0)[0]
    handle(1)
    router.take_changes()
    for number in range(2 * LIMIT):
        router.passes(LONG)
        handle(1)
        router.take_changes()
        router.telemetry.saved(1, model=f"m-{number}")
    with_from, with_to = 3, 1  # what ended with either: the first three slots are those of the two, and of m-0
    counted = 2 * LIMIT + 1 - with_from - with_to
    assert router.series(routing.FALLBACKS.name) == {("other", "other", "error"): counted}
    assert router.changed[routing.FALLBACKS.name] == 2 * LIMIT + 1


@pytest.mark.parametrize("ours", [False, True], ids=["sdk", "never"])
def test_slots_are_for_good_with_the_sdk_and_when_told_so(ours: bool):
    router = Router(idle=0 if ours else IDLE)
    if not ours:
        reader = InMemoryMetricReader()
        provider = SdkMeterProvider(metric_readers=[reader], shutdown_on_exit=False)
        router.totals = reader
        router.telemetry = Telemetry(meter_provider=provider, label_limit=LIMIT, label_idle=IDLE)
        router.telemetry.recorder.bounds._clock = lambda: router.now
    for number in range(10):
        router.telemetry.saved(1, model=f"m-{number}")
        router.passes(LONG)
    assert set(router.series(SAVED)) == {(name, "routing") for name in ("m-0", "m-1", "m-2", "other")}


def test_labels_of_a_custom_instrument_make_room_too():
    router = Router()
    for number in range(LIMIT):
        router.waits.record(1, tenant=f"tenant-{number}", model="m")
    router.passes(LONG)
    router.waits.record(1, tenant="late", model="m")
    kept = {(f"tenant-{number}", "m"): 1 for number in range(1, LIMIT)}
    assert router.series("app.wait") == {**kept, ("late", "m"): 1, ("other", "m"): 0}


def test_a_value_that_another_thread_vouches_for_takes_one_slot():
    attribute, overflowed = Attribute(key="chosen", description="", bound=4, client_chosen=True), list[str]()
    bounds = LabelBounds(on_overflow=overflowed.append)

    class FasterThread:
        def __init__(self) -> None:
            self.came = False

        def __enter__(self) -> None:
            if not self.came:
                self.came = True
                bounds.vouch(attribute, "a")

        def __exit__(self, *exc: object) -> None: ...

    untyped: Any = bounds
    untyped._lock = FasterThread()
    assert bounds.value(attribute, "a") == "a"
    pool = bounds._pools["chosen"]
    assert (list(pool.kept.used), list(pool.open.used)) == (["a"], [])


def test_what_is_noted_often_is_written_rarely():
    now, overflowed = [0.0], list[str]()
    bounds = LabelBounds(on_overflow=overflowed.append, clock=lambda: now[0])
    attribute = Attribute(key="open", description="", bound=4)
    bounds.value(attribute, "a")
    now[0] = _bounds.NOTED - 1
    bounds.value(attribute, "a")
    assert bounds._pools["open"].open.used == {"a": 0}
    now[0] = _bounds.NOTED
    bounds.value(attribute, "a")
    assert bounds._pools["open"].open.used == {"a": _bounds.NOTED}
