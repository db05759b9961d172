"""Expressions: what they find, and that nothing else can be done with them."""

from __future__ import annotations

from collections import defaultdict
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_llm_router.instrumentation.hooks import _expressions
from otel_llm_router.instrumentation.hooks._expressions import ExpressionError

RESULT = SimpleNamespace(
    model="gpt-4o", usage={"prompt_tokens": 7}, choices=[SimpleNamespace(index=3)], none=None, _private="yes"
)
ROOTS: dict[str, Any] = {
    "result": RESULT,
    "args": {"request": {"model": "smart", "dotted.key": 1}, 0: "first"},
    "kwargs": {"model": "asked"},
    "self": SimpleNamespace(name="alpha"),
}


def of(text: object) -> Any:
    return _expressions.parse(text).of(ROOTS.get)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("result.model", "gpt-4o"),
        ("result.usage.prompt_tokens", 7),
        ("result.usage['prompt_tokens']", 7),
        ("result.choices[0].index", 3),
        ("result.choices[-1].index", 3),
        ("result._private", "yes"),
        ("args.request.model", "smart"),
        ('args.request["dotted.key"]', 1),
        ("args[0]", "first"),
        ('kwargs["model"]', "asked"),
        ("self.name", "alpha"),
        ("  self . name  ", "alpha"),
        ("result.none | self.missing | 'last'", "last"),
        ("result.model | 'never'", "gpt-4o"),
        ("'a | b'", "a | b"),
        ("12", 12),
        ("-1.5e2", -150.0),
        ("true", True),
        ("null", None),
        (3, 3),
        (True, True),
    ],
)
def test_what_is_found(text: object, value: object):
    assert of(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "result.missing",
        "result.model.upper.nothing",
        "result.choices[9].index",
        "result.usage.missing.deeper",
        "result.model[0]",
        "error.anything",
        "args.nobody",
    ],
)
def test_what_is_not_there_is_no_value(text: str):
    assert of(text) is None


def test_what_a_property_raises_is_no_value():
    class Hostile:
        @property
        def model(self) -> str:
            raise RuntimeError("not yours")

        def __getitem__(self, key: object) -> str:
            raise RecursionError

    ask = {"result": Hostile()}.get
    assert _expressions.parse("result.model | result[0] | 'none'").of(ask) == "none"


def test_looking_a_key_up_adds_none():
    store: defaultdict[str, list[int]] = defaultdict(list)
    assert _expressions.parse("result['key'] | result.key").of({"result": store}.get) is None
    assert not store


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "a value is missing"),
        ("result.", "a name is missing"),
        ("result.__class__", "two leading underscores"),
        ("result.__class", "two leading underscores"),
        ("result.model()", "'(' is not expected"),
        ("result.model + 1", "'+' is not expected"),
        ("result[model]", "a whole number or a quoted text"),
        ("result[1.5]", "a whole number or a quoted text"),
        ("result[0", "']' is missing"),
        ("result model", "'model' is not expected"),
        ("gpt", "'gpt' is no root"),
        ("os.environ", "'os' is no root"),
        ("result |", "a value is missing"),
        ("'open", '"\'" is not expected'),
        ("result" + ".a" * 17, "17 steps, more than 16"),
        ("x" * 301, "301 characters, more than 300"),
        (["result"], "is no text"),
        (None, "is no text"),
    ],
)
def test_what_is_no_expression_is_said(text: object, says: str):
    with pytest.raises(ExpressionError) as raised:
        _expressions.parse(text)
    assert says in str(raised.value)


@given(st.text(alphabet="result.args[]'\"|0123_()x -", max_size=60))
def test_any_text_is_an_expression_or_an_expression_error(text: str):
    try:
        found = _expressions.parse(text)
    except ExpressionError:
        return
    found.of(ROOTS.get)
    assert "__" not in "".join(
        step
        for path in found.alternatives
        if not isinstance(path, tuple)
        for step in path.steps
        if isinstance(step, str) and step.startswith("__")
    )
