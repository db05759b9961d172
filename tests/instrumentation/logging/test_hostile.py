"""Records that are not what they should be: nothing is raised, all is bounded, the handlers see what was logged."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from typing import Any

import pytest

from otel_llm_router.instrumentation.logging import _records

Instrument = Callable[..., None]


class Unprintable:
    def __str__(self) -> str:
        raise RuntimeError("no")

    __repr__ = __str__


class Huge:
    def __str__(self) -> str:
        return "x" * 10**6


@pytest.fixture(autouse=True)
def quiet() -> None:
    logging.raiseExceptions = False  # what the application's own handlers make of it is not shown


@pytest.mark.parametrize(
    ("message", "arguments", "body"),
    [
        ("%s and %s", ("one",), "%s and %s"),
        ("%d", ("a",), "%d"),
        ("plain", (1, 2), "plain"),
        ("%s", (Unprintable(),), "%s"),
        (Unprintable(), (), "unprintable"),
        ({"a": 1}, (), "{'a': 1}"),
        (None, (), "None"),
        ("\ud800 lone", (), "? lone"),
        ("two\nlines\x00", (), "two\nlines\x00"),
        ("%(model)s", ({"model": "m"},), "m"),
    ],
)
def test_messages(
    message: Any, arguments: tuple[Any, ...], body: str, instrument: Instrument, exported: Any, kept: Any
) -> None:
    instrument()
    logging.root.addHandler(kept)
    logging.getLogger("app").info(message, *arguments)
    assert exported.bodies() == [body]
    assert kept.records[0].msg is message


@pytest.mark.parametrize("message", ["x" * 10**6, Huge()])
def test_a_huge_message_is_cut(message: Any, instrument: Instrument, exported: Any, kept: Any) -> None:
    instrument()
    logging.root.addHandler(kept)
    logging.getLogger("app").info(message)
    (body,) = exported.bodies()
    assert len(body) == _records.MAX_BODY
    assert body.endswith("…")
    assert len(kept.records[0].getMessage()) == 10**6


@pytest.mark.parametrize(
    ("value", "exported_as"),
    [
        (True, True),
        (2**70, str(2**70)),
        (1.5, 1.5),
        (b"bytes", "b'bytes'"),
        (["a", "b"], ("a", "b")),
        ((1, 2), (1, 2)),
        ([1, "a"], "[1, 'a']"),
        ([[1], [2]], "[[1], [2]]"),
        ({"a": {"b": 1}}, "{'a': {'b': 1}}"),
        (Unprintable(), "unprintable"),
        ([Unprintable()], ("unprintable",)),
    ],
)
def test_attributes(value: Any, exported_as: Any, instrument: Instrument, exported: Any) -> None:
    instrument()
    logging.getLogger("app").info("m", extra={"given": value, "nothing": None})
    assert dict(exported.records()[0].attributes) == {"given": exported_as}


def test_a_level_that_is_no_number(instrument: Instrument, exported: Any) -> None:
    instrument()
    record = logging.makeLogRecord({"name": "app", "levelno": "high", "msg": "m"})
    logging.root.handlers.clear()
    with contextlib.suppress(TypeError):  # of Python's own
        logging.getLogger("app").handle(record)
    assert exported.bodies() == []


def test_attributes_are_bounded(instrument: Instrument, exported: Any) -> None:
    recursive: dict[str, Any] = {}
    recursive["self"] = recursive
    instrument()
    given = {f"a{number}": "x" * 10**5 for number in range(100)}
    logging.getLogger("app").info("m", extra={"deep": recursive, "long": list(range(10**5)), **given})
    found = dict(exported.records()[0].attributes)
    assert len(found) == _records.MAX_ATTRIBUTES
    assert len(found["a0"]) == _records.MAX_VALUE
    assert len(found["long"]) == _records.MAX_ITEMS
    assert len(found["deep"]) < _records.MAX_VALUE


def fall(depth: int) -> None:
    if depth:
        fall(depth - 1)
    raise ValueError("y" * 10**5)


def test_a_huge_exception_is_cut(instrument: Instrument, exported: Any) -> None:
    instrument()
    try:
        fall(500)
    except ValueError:
        logging.getLogger("app").exception("m")
    found = exported.records()[0].attributes
    assert len(found["exception.message"]) == _records.MAX_VALUE
    assert len(found["exception.stacktrace"]) == _records.MAX_STACKTRACE


class UnprintableError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no")


@pytest.mark.parametrize("info", [(None, None, None), ("a", "b", "c"), UnprintableError(), object(), 1])
def test_odd_exceptions(info: Any, instrument: Instrument, exported: Any) -> None:
    instrument()
    record = logging.makeLogRecord({"name": "app", "levelno": 20, "msg": "m", "exc_info": info})
    logging.getLogger("app").handle(record)
    found = dict(exported.records()[0].attributes)
    assert found.get("exception.message") == ("unprintable" if isinstance(info, UnprintableError) else None)


def test_the_record_is_as_it_was(instrument: Instrument, kept: Any) -> None:
    instrument()
    logging.root.handlers[:] = [kept]  # pytest's write the message into the record
    given = {"name": "app", "msg": "%s", "args": ("a",), "levelno": 20, "extra": [1]}
    record = logging.makeLogRecord(given)
    before = dict(vars(record))
    logging.getLogger("app").handle(record)
    assert vars(kept.records[0]) == before


def test_an_error_of_ours_stays_with_us(
    instrument: Instrument, exported: Any, kept: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from otel_llm_router.telemetry.instrumenting import set_strict  # noqa: PLC0415

    def broken(*_: Any) -> Any:
        raise RuntimeError("ours")

    instrument()
    set_strict(strict=False)
    monkeypatch.setattr(_records, "describe", broken)
    logging.root.addHandler(kept)
    logging.getLogger("app").info("m")
    assert [one.getMessage() for one in kept.records if one.name == "app"] == ["m"]
    assert exported.bodies() == []
