"""Label bounds: no client can mint series, and no flood takes a legitimate model its own."""

# White-box: the slots and what they hold.
# pyright: reportPrivateUsage=false

from __future__ import annotations

import random
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

from otel_llm_router import telemetry as router
from otel_llm_router import testing
from otel_llm_router.signals import Attribute, attributes
from otel_llm_router.telemetry import Telemetry
from otel_llm_router.telemetry._bounds import LabelBounds

FLOOD = 100_000
BOUND = attributes.MODEL.bound or 0


class ProviderError(Exception):
    """A request for a model that nobody has."""

    status_code = 404


def test_a_flood_of_junk_leaves_a_bounded_number_of_series_and_exact_totals(captured: testing.Captured):
    for number in range(FLOOD):
        router.saved(1, model=f"junk-{number}")

    series = captured.points("llm_router.cost.saved.usd")
    assert len(series) <= BOUND + 1
    assert sum(point.value for point in series) == FLOOD
    own = sum(point.value for point in series if point.labels["model"] != "other")
    assert captured.value("llm_router.cost.saved.usd", model="other") == FLOOD - own
    assert captured.value("llm_router.telemetry.label.overflow", label="model") == FLOOD - own


def test_a_second_flood_takes_no_more_memory(captured: testing.Captured):
    bounds = router.default.recorder.bounds

    def size() -> int:
        pools = bounds._pools.values()
        slots = [slots for pool in pools for slots in (pool.open, pool.kept)]
        return sum(sys.getsizeof(one.used) + sum(map(sys.getsizeof, one.used)) for one in slots)

    for number in range(2000):
        router.saved(1, model=f"junk-{number}" + "x" * 1000)
    after_first = size()
    for number in range(20_000):
        router.saved(1, model=f"more-junk-{number}" + "x" * 1000)
    assert size() == after_first < 200_000


def test_a_model_that_answers_first_after_the_flood_has_its_own_series(captured: testing.Captured):
    for number in range(BOUND * 3):
        junk = f"junk-{number}"
        with pytest.raises(ProviderError), router.request(model=junk), router.attempt("openai", junk):
            raise ProviderError

    for _ in range(3):
        with router.request(model="gpt-99"), router.attempt("openai", "gpt-99"):
            pass

    assert captured.value("llm_router.attempts", model="gpt-99", status="success") == 3
    assert captured.value("llm_router.inference", model="gpt-99", status="success") == 3
    assert captured.value("llm_router.attempts") == BOUND * 3 + 3
    assert captured.value("llm_router.inference") == BOUND * 3 + 3


def test_a_deployment_of_the_configuration_has_its_own_series_before_it_answers(captured: testing.Captured):
    for number in range(BOUND * 3):
        router.saved(1, model=f"junk-{number}")
    router.deployment("eu-1", provider="openai", model="gpt-99", group="smart")

    router.saved(5, model="gpt-99")
    with pytest.raises(ProviderError), router.request(model="smart"):
        raise ProviderError

    assert captured.value("llm_router.cost.saved.usd", model="gpt-99") == 5
    assert captured.value("llm_router.inference", model="smart", status="error") == 1


def test_junk_does_not_become_legitimate_by_failing(captured: testing.Captured):
    for number in range(BOUND * 3):
        with pytest.raises(ProviderError), router.attempt("openai", f"junk-{number}"):
            raise ProviderError
    kept = router.default.recorder.bounds._pools["model"].kept
    assert not kept.used


def test_a_value_seen_again_keeps_its_series_throughout_the_flood(captured: testing.Captured):
    router.saved(1, model="early")
    for number in range(BOUND * 3):
        router.saved(1, model=f"junk-{number}")
    router.saved(1, model="early")
    assert captured.value("llm_router.cost.saved.usd", model="early") == 2


def test_a_closed_label_takes_no_other_value(captured: testing.Captured):
    router.saved(1, by="magic", model="gpt-4o")
    assert captured.value("llm_router.cost.saved.usd", saved_by="other") == 1
    assert captured.value("llm_router.telemetry.label.overflow", label="saved_by") == 1


def test_labels_of_a_custom_instrument_are_bounded_too(captured: testing.Captured):
    counter = router.counter("app.requests", labels=["tenant"])
    for number in range(5000):
        counter.add(1, tenant=f"tenant-{number}")
    points = captured.points("app.requests")
    assert len(points) == 101
    assert sum(point.value for point in points) == 5000
    assert captured.value("llm_router.telemetry.label.overflow", label="tenant") == 4900


def test_gauges_are_bounded(captured: testing.Captured):
    for number in range(5000):
        router.rate_limit("openai", f"junk-{number}", requests_left=1)
        router.budget(f"team-{number}", limit_usd=1, spent_usd=2)
        router.observe_queue(f"queue-{number}", depth=lambda: 1)
    assert len(captured.points("llm_router.rate_limit.remaining")) <= BOUND + 1
    assert len(captured.points("llm_router.budget.limit.usd")) <= (attributes.SCOPE.bound or 0) + 1
    assert len(captured.points("llm_router.queue.size")) <= (attributes.QUEUE_TYPE.bound or 0) + 1
    gauges, deployments = router.default.gauges, router.default.deployments
    # What shares a series is one sum: nothing that is kept goes missing behind "other".
    assert captured.value("llm_router.queue.size") == 2000
    assert captured.value("llm_router.budget.used.usd") == 4000
    assert all(len(series) <= 2000 for series in gauges._values.values())
    assert all(len(asked) <= 2000 for asked in gauges._asked.values())
    for number in range(5000):
        router.deployment(f"deployment-{number}" + "x" * 10_000, provider="openai", model="gpt-4o")
    assert len(deployments._states) <= 1000
    assert sum(map(len, deployments._states)) <= 1000 * 256


def test_the_option_replaces_every_bound():
    captured = testing.Captured()
    telemetry = Telemetry(meter_provider=captured.meter_provider, label_limit=10)
    for number in range(100):
        telemetry.saved(1, model=f"m-{number}")
        telemetry.error(f"kind-{number}")
    assert len(captured.points("llm_router.cost.saved.usd")) == 6  # half of ten is kept for known ones, and other
    assert len(captured.points("llm_router.errors")) == 11
    assert captured.value("llm_router.errors") == 100


# --- the slots themselves ---------------------------------------------------------------------------

OPEN = Attribute(key="open", description="", bound=4)
CHOSEN = Attribute(key="chosen", description="", bound=4, client_chosen=True)


@pytest.fixture
def overflowed() -> list[str]:
    return []


@pytest.fixture
def bounds(overflowed: list[str]) -> LabelBounds:
    return LabelBounds(on_overflow=overflowed.append)


def test_beyond_the_bound_is_other_and_said(bounds: LabelBounds, overflowed: list[str]):
    assert [bounds.value(OPEN, f"v{number}") for number in range(6)] == ["v0", "v1", "v2", "v3", "other", "other"]
    assert overflowed == ["open", "open"]


@pytest.mark.parametrize("free", ["", "other", "unknown"])
def test_words_of_ours_take_no_slot(bounds: LabelBounds, overflowed: list[str], free: str):
    for _ in range(3):
        assert bounds.value(OPEN, free) == free
    bounds.vouch(OPEN, free)
    assert [bounds.value(OPEN, f"v{number}") for number in range(4)] == ["v0", "v1", "v2", "v3"]
    assert overflowed == []


def test_half_the_slots_are_kept_where_clients_choose(bounds: LabelBounds):
    assert [bounds.value(CHOSEN, f"junk-{number}") for number in range(4)] == ["junk-0", "junk-1", "other", "other"]
    bounds.vouch(CHOSEN, "known")
    assert bounds.value(CHOSEN, "known") == "known"
    bounds.vouch(CHOSEN, "known-too")
    bounds.vouch(CHOSEN, "one-too-many")
    assert bounds.value(CHOSEN, "known-too") == "known-too"
    assert bounds.value(CHOSEN, "one-too-many") == "other"


def test_a_vouched_value_gives_its_open_slot_back(bounds: LabelBounds):
    bounds.value(CHOSEN, "a")
    bounds.value(CHOSEN, "b")
    assert bounds.value(CHOSEN, "c") == "other"
    bounds.vouch(CHOSEN, "a")
    assert bounds.value(CHOSEN, "c") == "c"
    assert bounds.value(CHOSEN, "a") == "a"


def test_a_slot_is_taken_for_good(bounds: LabelBounds):
    """The SDK keeps a series for ever: values that took turns would in time use its 2,000 up."""
    for number in range(10_000):
        bounds.value(CHOSEN, f"junk-{number}")
        bounds.vouch(CHOSEN, f"answered-{number}")
    seen = {bounds.value(CHOSEN, f"{kind}-{number}") for kind in ("junk", "answered") for number in range(10_000)}
    assert seen == {"junk-0", "junk-1", "answered-0", "answered-1", "other"}


def test_attributes_of_one_domain_share_their_slots(bounds: LabelBounds):
    first = Attribute(key="from", description="", bound=2, domain="model")
    second = Attribute(key="to", description="", bound=2, domain="model")
    assert [bounds.value(first, "a"), bounds.value(second, "b")] == ["a", "b"]
    assert [bounds.value(first, "b"), bounds.value(second, "c")] == ["b", "other"]


def test_values_are_sanitised_before_they_take_a_slot(bounds: LabelBounds):
    assert bounds.value(OPEN, "\ud800") == "?"
    assert bounds.value(OPEN, "x" * 10**6) == "x" * 255 + "…"
    assert len(bounds._pools["open"].open.used) == 2
    assert bounds.value(OPEN, ["unhashable"]) == "['unhashable']"


def test_two_threads_that_meet_the_same_new_value_get_the_same_answer(bounds: LabelBounds):
    """The slower one finds the last slot taken, by the very value it came with."""

    class FasterThread:
        def __init__(self) -> None:
            self.came = False

        def __enter__(self) -> None:
            if not self.came:
                self.came = True
                assert bounds.value(OPEN, "d") == "d"

        def __exit__(self, *exc: object) -> None: ...

    for name in "abc":
        bounds.value(OPEN, name)
    untyped: Any = bounds
    untyped._lock = FasterThread()
    assert bounds.value(OPEN, "d") == "d"


def test_threads_never_exceed_the_bound_nor_lose_a_value_that_has_a_slot(bounds: LabelBounds):
    wide = Attribute(key="wide", description="", bound=50)
    wrong: list[str] = []

    def work(seed: int, barrier: threading.Barrier) -> None:
        order = [f"v{number}" for number in range(50)]
        random.Random(seed).shuffle(order)
        barrier.wait()
        wrong.extend(name for name in order * 20 if bounds.value(wide, name) != name)

    def run(action: Callable[[int, threading.Barrier], None]) -> None:
        barrier = threading.Barrier(8)
        threads = [threading.Thread(target=action, args=(seed, barrier)) for seed in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    run(work)
    assert wrong == []
    assert len(bounds._pools["wide"].open.used) == 50
