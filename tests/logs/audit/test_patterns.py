"""What stands out, and what does not; what repeats itself; what has changed since the last start."""

# White-box: how much is remembered.
# pyright: reportPrivateUsage=false

from __future__ import annotations

from pathlib import Path
from typing import Any

from otel_llm_router.logs.audit import Event, _folding, _patterns
from otel_llm_router.logs.audit._configuration import changes
from otel_llm_router.logs.audit._folding import Folding
from otel_llm_router.logs.audit._patterns import Patterns
from otel_llm_router.signals import Attribute, LogEvent, events
from otel_llm_router.signals import attributes as a

DAY = 86_400.0
FAILED = {a.AUDIT_OUTCOME: "failure"}


def at(seconds: float, event: LogEvent, found: dict[Attribute, Any]) -> Event:
    return Event(event, found, int(seconds * 1e9))


def suspicions(patterns: Patterns, happened: list[Event]) -> list[dict[Attribute, Any]]:
    return [found for event in happened for found in patterns.take(event)]


def test_many_failures_of_one_client_within_a_minute_stand_out():
    who = {a.AUDIT_CLIENT: "10.0.0.1"}
    failures = [at(second, events.AUDIT_AUTHENTICATION, {**FAILED, **who}) for second in range(25)]
    found = suspicions(Patterns(), failures)
    assert found == [{a.AUDIT_PATTERN: "authentication_failures", **who, a.AUDIT_COUNT: 10}] * 2


def test_failures_of_many_clients_and_slow_ones_do_not():
    spread = [at(one, events.AUDIT_AUTHENTICATION, {**FAILED, a.AUDIT_CLIENT: f"10.0.0.{one}"}) for one in range(50)]
    slow = [at(one * 7, events.AUDIT_AUTHENTICATION, {**FAILED, a.AUDIT_CLIENT: "10.0.1.1"}) for one in range(50)]
    right = [at(one, events.AUDIT_AUTHENTICATION, {a.AUDIT_OUTCOME: "success"}) for one in range(50)]
    assert suspicions(Patterns(), [*spread, *slow, *right]) == []


def test_a_burst_of_rate_limits_stands_out():
    limits = [
        at(one / 10, events.AUDIT_DECISION, {a.AUDIT_ACTION: "rate_limit", a.AUDIT_KEY_HASH: "k"}) for one in range(30)
    ]
    (found,) = suspicions(Patterns(), limits)
    assert found == {a.AUDIT_PATTERN: "rate_limits", a.AUDIT_KEY_HASH: "k", a.AUDIT_COUNT: 30}
    assert suspicions(Patterns(), limits[:-1]) == []


def used(seconds: float, model: str = "small") -> Event:
    return at(seconds, events.AUDIT_KEY_USE, {a.AUDIT_KEY_HASH: "k", a.REQUEST_MODEL: model})


def test_a_familiar_key_that_asks_for_another_model_stands_out_once():
    patterns = Patterns()
    assert suspicions(patterns, [used(1), used(1, "other")]) == []
    assert suspicions(patterns, [used(1)] * 100) == []
    (found,) = suspicions(patterns, [used(1, "large"), used(1, "large")])
    assert (found[a.AUDIT_PATTERN], found[a.REQUEST_MODEL]) == ("new_model", "large")


def test_a_key_that_is_used_at_another_hour_stands_out_after_a_week():
    patterns = Patterns()
    assert suspicions(patterns, [used(day * DAY + 9 * 3600) for day in range(7)]) == []
    assert [found[a.AUDIT_PATTERN] for found in suspicions(patterns, [used(7 * DAY + 3 * 3600)] * 2)] == ["new_hour"]


def test_no_more_clients_are_remembered_than_the_bound():
    patterns = Patterns()
    many = [
        at(0, events.AUDIT_AUTHENTICATION, {**FAILED, a.AUDIT_CLIENT: str(one)})
        for one in range(_patterns.REMEMBERED + 10)
    ]
    suspicions(patterns, many)
    assert len(patterns._failures) == _patterns.REMEMBERED


def test_what_repeats_itself_is_counted_and_comes_out_when_its_time_is_over():
    folding = Folding()
    failure = at(0, events.AUDIT_AUTHENTICATION, FAILED)
    assert folding.take(failure, 0) is failure
    assert [folding.take(failure, 1) for _ in range(3)] == [None] * 3
    assert folding.due(_folding.SECONDS - 1) == []
    (counted,) = folding.due(_folding.SECONDS)
    assert counted.attributes == {**FAILED, a.AUDIT_COUNT: 3}
    assert folding.take(failure, _folding.SECONDS) is failure
    assert folding.end() == []


def test_a_flood_of_different_events_is_one_record_for_each_name():
    folding = Folding()
    flood = [at(0, events.AUDIT_AUTHENTICATION, {a.AUDIT_CLIENT: str(one)}) for one in range(_folding.BOUND + 1000)]
    first = [event for event in flood if folding.take(event, 0) is not None]
    assert len(first) == _folding.BOUND + 1
    assert [counted.attributes for counted in folding.end()] == [{a.AUDIT_COUNT: 999}]


def test_the_configuration_is_held_against_the_one_of_the_start_before(tmp_path: Path):
    path = tmp_path / "audit.jsonl"
    found, first = changes(path, {"A": "1", "B": "2"})
    assert found == ["A: not set -> 1", "B: not set -> 2"]
    assert changes(path, {"A": "1", "B": "2"}) == ([], first)
    found, second = changes(path, {"A": "3"})
    assert found == ["A: 1 -> 3", "B: 2 -> not set"]
    assert second != first
    path.with_name("audit.jsonl.config").write_text("damaged")
    assert changes(path, {"A": "3"}) == (["A: not set -> 3"], second)
