"""Whatever a record holds, it is one line of JSON."""

from __future__ import annotations

import json
import math
import random
import re
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from otel_llm_router.logs._fields import RESERVED, Entry, fields_of
from otel_llm_router.logs._formats import as_json, pretty
from otel_llm_router.logs._plain import MAX_TEXT
from tests.logs.conftest import Logged, lines_of

NASTY = (
    *("\n", "\r\n", "\x00", "\x1b[31mred\x1b[0m", "\x1b]0;title\x07", "\u202e", "\u2066", "\u2028", "\x85", "\ud800"),
    *("\udfff", "\U0001f600", "é", '"', "\\", "{", "\ufeff", "\x7f", "\x9b2J", "\x1b[2K\x1b[1A", '\n{"level":"ERROR"}'),
)


class Colour(str, Enum):
    """Text that says otherwise."""

    RED = "red"

    def __str__(self) -> str:
        raise RuntimeError


class Hostile:
    """An object that can be printed no better than anything else of it."""

    def __str__(self) -> str:
        raise ValueError("\n")

    __repr__ = __str__


def text(rng: random.Random) -> str:
    """Text that is hard on terminals, encoders and readers of lines."""
    return "".join(rng.choice((*NASTY, "word ", "x", chr(rng.randrange(0x11000)))) for _ in range(rng.randrange(12)))


def fuzzed(rng: random.Random, depth: int = 0) -> Any:
    """Any value that an application might log."""
    kind = rng.randrange(12 if depth < 4 else 8)
    if kind <= 3:
        return text(rng)
    if kind == 4:
        return rng.choice((math.nan, math.inf, -math.inf, 1e308, -0.0, rng.random()))
    if kind == 5:
        return rng.choice((2**63, -(2**70), 10**5000, 7, True, None))
    if kind == 6:
        return rng.choice((Colour.RED, Hostile(), object(), print, {"\ud800"}, 1j))
    if kind == 7:
        return rng.choice((b"\xff\x00\n", bytearray(b"x\n"), b"text"))
    if kind <= 9:
        return [fuzzed(rng, depth + 1) for _ in range(rng.randrange(4))]
    return {rng.choice((text(rng), "key", 7, None, Hostile())): fuzzed(rng, depth + 1) for _ in range(rng.randrange(4))}


def entry(body: Any = "said", attributes: dict[Any, Any] | None = None, **given: Any) -> Entry:
    values: dict[str, Any] = {"stream": "application", "nanoseconds": 1_700_000_000_123_456_789, "severity": 9}
    values |= {"event_name": "", "trace_id": 0, "span_id": 0, "logger": "app", "resource": {}, **given}
    return Entry(body=body, attributes=attributes or {}, **values)


@pytest.mark.filterwarnings("ignore:Log record attributes")
def test_10000_fuzzed_records_are_a_line_each_and_come_back(tmp_path: Path, logged: Callable[..., Logged]):
    rng, found = random.Random(20), logged()
    for number in range(10_000):
        values = {key: fuzzed(rng) for key in ("a", "b\n", "\x1b[0m", "level")}
        # Those that the API takes; what the SDK makes of an attribute it does not know is its own business.
        attributes = {key: one for key, one in values.items() if isinstance(one, (str, bool, int, float))}
        found.emit(fuzzed(rng), rng.choice(("DEBUG2", "INFO", "ERROR")), attributes={**attributes, "number": number})
        if number % 5_000 == 0:
            found.settle()
    found.settle()
    data = (tmp_path / "all.log").read_bytes()
    read = lines_of(tmp_path / "all.log")
    assert len(read) == sum(found.counts.lines.values())
    assert not found.counts.lost
    kept = [one["number"] for one in read]
    assert kept == sorted(kept)
    assert {one["level"] for one in read} == {"INFO", "ERROR"}
    assert re.fullmatch(rb"[\x20-\x7e\n]*", data)  # nothing that a terminal, or another reader of lines, would act on
    assert all(as_json(one).encode() in data for one in read[:200])


def test_10000_fuzzed_values_of_any_kind_are_a_line_each():
    rng = random.Random(7)
    for _ in range(10_000):
        fields = fields_of(entry(fuzzed(rng), {text(rng): fuzzed(rng) for _ in range(3)}))
        line = as_json(fields)
        assert "\n" not in line
        assert line.isascii()
        assert json.loads(line) == fields


def test_text_comes_back_as_it_was():
    said = 'first\nsecond "quoted" \\ \x1b[31m \u202e é \U0001f600'
    assert json.loads(as_json(fields_of(entry(said, {"other": said}))))["message"] == said
    assert json.loads(as_json(fields_of(entry(said, {"other": said}))))["other"] == said


def test_what_holds_itself_is_cut_and_says_so():
    ring: list[Any] = []
    ring.append(ring)
    loop: dict[str, Any] = {}
    loop["loop"] = loop
    fields = fields_of(entry("x", {"ring": ring, "loop": loop, "wide": [[list(range(500))] * 500] * 500}))
    line = as_json(fields)
    assert fields["truncated"] is True
    assert len(line) < 20_000


@pytest.mark.parametrize("what", ["x", "\x00", "\U0001f600", "\ud800", "\n"])
def test_a_line_is_bounded_whatever_is_in_it(what: str):
    huge = what * 1_000_000
    fields = fields_of(entry(huge, {f"k{i}": huge for i in range(300)}))
    assert len(as_json(fields)) < 1_048_576
    assert fields["truncated"] is True


def test_an_attribute_does_not_pass_for_a_field_of_ours():
    fields = fields_of(entry("x", dict.fromkeys(RESERVED, "forged")))
    assert (fields["level"], fields["message"], fields["service"]) == ("INFO", "x", "unknown")
    assert fields["attribute.level"] == "forged"
    assert "error_name" not in fields
    assert "inference_id" not in fields


def test_the_fields_of_a_service_and_of_a_span(tmp_path: Path, logged: Callable[..., Logged]):
    found = logged()
    with TracerProvider(shutdown_on_exit=False).get_tracer("t").start_as_current_span("here") as span:
        found.emit("one", timestamp=1_700_000_000_123_456_789, attributes={"order": 7})
    found.emit("two")
    found.settle()
    one, two = lines_of(tmp_path / "all.log")
    context = span.get_span_context()
    pid = one.pop("pid")
    assert one == {
        "timestamp": "2023-11-14T22:13:20.123Z",
        "level": "INFO",
        "message": "one",
        "stream": "application",
        "service": "router",
        "version": "1.2",
        "environment": "test",
        "host": "here",
        "logger": "app",
        "trace_id": trace.format_trace_id(context.trace_id),
        "span_id": trace.format_span_id(context.span_id),
        "order": 7,
    }
    assert isinstance(pid, int)
    assert "trace_id" not in two


@pytest.mark.parametrize(
    ("seconds", "category"), [(0.1, "fast"), (5.0, "fast"), (5.1, "medium"), (10.0, "medium"), (10.1, "slow")]
)
def test_events_of_requests_have_the_fields_that_are_searched_by(seconds: float, category: str):
    given = {
        "llm_router.request.id": "ab",
        "llm_router.request.model": "smart",
        "llm_router.response.model": "gpt",
        "llm_router.request.duration": seconds,
        "gen_ai.usage.output_tokens": 5,
    }
    name = "llm_router.inference.completed"
    fields = fields_of(entry("done", given, event_name=name, logger="otel_llm_router"))
    assert {key: fields[key] for key in ("event_type", "inference_id", "model_name", "tokens_generated")} == {
        "event_type": "inference",
        "inference_id": "ab",
        "model_name": "gpt",
        "tokens_generated": 5,
    }
    assert (fields["inference_latency"], fields["performance_category"]) == (seconds, category)


def test_errors_have_a_name_and_a_message():
    own = {"error.type": "rate_limit", "llm_router.request.model": "smart"}
    failed = entry("It failed.", own, event_name="llm_router.inference.error", severity=17, logger="otel_llm_router")
    fields = fields_of(failed)
    found = [fields[key] for key in ("event_type", "error_name", "error_message", "model_name")]
    assert found == ["error", "rate_limit", "It failed.", "smart"]
    raised = {"exception.type": "KeyError", "exception.message": "'x'", "exception.stacktrace": "a\nb"}
    fields = fields_of(entry("oh", raised, severity=17))
    assert (fields["event_type"], fields["error_name"], fields["error_message"]) == ("error", "KeyError", "'x'")


def test_secrets_are_not_written():
    secret = "sk-" + "a1" * 20
    inner = {"Authorization": "Bearer abcdefghijklmnop", "list": [secret]}
    line = as_json(
        fields_of(entry(f"key {secret}", {"password": "hunter2", "note": secret, "inner": inner, secret: 1}))
    )
    assert secret not in line
    assert "hunter2" not in line
    assert "abcdefghijklmnop" not in line


@pytest.mark.parametrize("before", [0, 10, 20, 39, 41])
def test_half_a_secret_is_not_written_where_a_text_is_cut(before: int):
    secret = "sk-proj-" + "a1B2" * 8
    line = as_json(fields_of(entry(f"{'x ' * ((MAX_TEXT - before) // 2)}{secret} and more", {})))
    assert secret[:12] not in line
    assert '"truncated":true' in line or "REDACTED" in line


def test_pretty_text_has_the_stack_on_lines_of_its_own_and_nothing_that_acts():
    fields = fields_of(entry("one\n\x1b[2Jtwo \u202e", {"n": 1, "exception.stacktrace": "first\n  second\x1b[2J"}))
    shown = pretty(color=False)(fields)
    first, *rest = shown.split("\n")
    assert first.startswith("22:13:20.123 INFO  app one")
    assert first.endswith("n=1")
    assert [one.strip() for one in rest] == ["first", "second\ufffd[2J"]
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "\x1b[" in pretty(color=True)(fields)
