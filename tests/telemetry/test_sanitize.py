"""Values from outside: text is made encodable, short and stable, and what is no count or status code is none."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_llm_router import _sanitize
from tests.telemetry.hostile_values import Lying, Model, Unprintable, texts


@settings(max_examples=500, derandomize=True, deadline=None, database=None)
@given(value=st.one_of(st.text(st.characters(), max_size=400), texts))
def test_text_is_short_encodable_printable_and_stable(value: object):
    made = _sanitize.text(value)
    assert type(made) is str
    assert len(made) <= 256
    assert made.encode().decode() == made
    assert not any(character in made for character in "\x00\n\r\x1b\u2028\u2029\u202e\u200f\u061c")
    assert _sanitize.text(made) == made


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("gpt-4o", "gpt-4o"),
        ("modèle-日本", "modèle-日本"),
        (Model.LARGE, "gpt-4o"),
        (Lying("gpt"), "gpt"),
        (Unprintable(), "unprintable"),
        ("a\ud800b", "a?b"),
        ("a\nb", "a\ufffdb"),
        (5, "5"),
        (None, "None"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_text_keeps_what_can_be_kept(value: object, expected: str):
    assert _sanitize.text(value) == expected


def test_text_that_is_cut_shows_it():
    assert _sanitize.text("x" * 257) == "x" * 255 + "…"
    assert _sanitize.text("x" * 256) == "x" * 256


@pytest.mark.parametrize("before", ["failed for ", 'failed {"used":"'])
def test_half_a_key_is_not_left_before_the_cut(before: str):
    key = "AKIA" + "X7" * 8
    text = before.rjust(_sanitize.MAX_TEXT - 10, "-") + key + " and more"
    assert _sanitize.text(text) == before.rjust(_sanitize.MAX_TEXT - 10, "-") + "…"
    # A whole word before the cut stays, and so does one that is all there is.
    assert _sanitize.text("word " * 100) == "word " * 51 + "…"
    assert _sanitize.text("模" * 300) == "模" * 255 + "…"


@pytest.mark.parametrize("value", [0, 1, 10**9, 12.0])
def test_counts(value: object):
    assert _sanitize.count(value) == value


@pytest.mark.parametrize("value", [-1, 2**70, 10**400, 0.5, float("nan"), float("inf"), "5", True, None, [], b"1"])
def test_what_is_no_count(value: object):
    assert _sanitize.count(value) is None


@pytest.mark.parametrize(("value", "code"), [(200, 200), ("429", 429), (599, 599)])
def test_status_codes(value: object, code: int):
    assert _sanitize.status_code(value) == code


@pytest.mark.parametrize("value", [99, 600, 10**400, "9" * 5000, "²00", "abc", None, True, 200.5, -200])
def test_what_is_no_status_code(value: object):
    assert _sanitize.status_code(value) is None
