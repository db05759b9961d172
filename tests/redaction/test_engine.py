"""The engine as a whole: attributes, the budget, linear time, and what users add."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path

import pytest

from otel_llm_router import redaction
from otel_llm_router.redaction import HIDDEN, PatternError
from otel_llm_router.redaction._budget import SAVED, Budget
from otel_llm_router.redaction._catalogue import SHAPES
from otel_llm_router.redaction._engine import TOO_LONG, TOO_MUCH, Engine
from otel_llm_router.redaction._personal import KINDS
from otel_llm_router.redaction._rules import Rules


@pytest.fixture(autouse=True)
def as_it_was() -> Generator[None]:
    yield
    redaction.configure()


@pytest.mark.parametrize(
    ("key", "given", "left"),
    [
        ("http.request.header.authorization", ("Bearer abc",), (HIDDEN,)),
        ("http.request.header.x_api_key", ["abc"], [HIDDEN]),
        ("http.response.header.set_cookie", "a=b", HIDDEN),
        ("db.password", "abc", HIDDEN),
        ("pin.password", 1234, HIDDEN),
        ("session.token", "abcdef", HIDDEN),
        ("llm.token", 17, 17),
        ("gen_ai.usage.input_tokens", 17, 17),
        ("gen_ai.token.type", "input", "input"),
        ("gen_ai.request.model", "gpt-4o", "gpt-4o"),
        ("llm_router.api_key.hash", "88dc28d0f030c55e", "88dc28d0f030c55e"),
        ("password", None, None),
        ("password", True, True),
        ("url.full", "https://me:abc@example.com/?key=abc", f"https://{HIDDEN}@example.com/?key={HIDDEN}"),
        ("http.target", "/v1?code=abc&model=m", f"/v1?code={HIDDEN}&model=m"),
        ("url.query", "key=abc&model=m", f"key={HIDDEN}&model=m"),
        ("process.command_args", ("serve", "--api-key", "abc"), ("serve", "--api-key", HIDDEN)),
        ("process.command_line", "serve --api-key abc", f"serve --api-key {HIDDEN}"),
        (
            "body",
            {"a": {"password": "abc", "b": ["password=abc", 1]}},
            {"a": {"password": HIDDEN, "b": [f"password={HIDDEN}", 1]}},
        ),
        ("headers", [["authorization", "Bearer abc"], ["host", "h"]], [["authorization", HIDDEN], ["host", "h"]]),
        ("raw", b"password=abc", f"password={HIDDEN}".encode()),
        ("raw", b"\xff\x00", b"\xff\x00"),
    ],
)
def test_attributes_are_hidden_by_key_and_content(key: str, given: object, left: object) -> None:
    assert redaction.value(key, given) == left


def test_what_has_no_secret_is_the_same_object() -> None:
    for given in ({"a": [1, ("b", None)]}, ["a", "b"], ("a",), b"a", 1.5, object()):
        assert redaction.value("key.of.it", given) is given


@pytest.mark.parametrize(
    ("key", "given", "left"),
    [
        ("http.target", "/back?code=abc1&model=m", f"/back?code={HIDDEN}&model=m"),
        ("url.query", "code=abc1&state=x7Y8z9", f"code={HIDDEN}&state={HIDDEN}"),
        ("url.query", "key=abc1&p=hunter2", f"key={HIDDEN}&p={HIDDEN}"),
    ],
)
def test_a_url_that_was_seen_as_text_before_is_looked_at_as_one(key: str, given: str, left: str) -> None:
    assert redaction.text(given) == given
    assert redaction.value(key, given) == left


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
def test_a_process_that_is_forked_while_the_engine_is_loaded_has_one() -> None:
    program = """
import os, sys, threading
from otel_llm_router import redaction

loading, entered = threading.Event(), threading.Event()

class Slow:  # what a busy machine does to an import
    def find_spec(self, name, path=None, target=None):
        if name == "otel_llm_router.redaction._engine":
            entered.set()
            loading.wait(0.3)

sys.meta_path.insert(0, Slow())
thread = threading.Thread(target=redaction.text, args=("password=abc",))
thread.start()
entered.wait()
child = os.fork()
if not child:
    loading.set()
    os._exit(redaction.text("password=abc") != "password=[REDACTED]")
thread.join()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    assert subprocess.run([sys.executable, "-W", "ignore", "-c", program], timeout=60, check=False).returncode == 0


def test_a_structure_without_end_is_not_followed() -> None:
    endless: list[object] = ["password=abc"]
    endless.append(endless)
    assert "abc" not in str(redaction.value("a", endless))


def test_a_text_that_is_too_long_is_dropped_and_counted() -> None:
    dropped: list[str] = []
    redaction.configure(limit=1024, dropped=dropped.append)
    assert redaction.text("a " * 512) == "a " * 512
    assert redaction.text("a " * 512 + "b") == TOO_LONG
    assert dropped == ["too_long"]


def test_more_than_the_budget_is_dropped_and_counted_until_there_is_some_again() -> None:
    now, spent, dropped = [0.0], [0.0], list[str]()

    def cpu() -> float:
        spent[0] += SAVED / 3
        return spent[0]

    engine = Engine(Rules(dropped=dropped.append), Budget(lambda: now[0], cpu))
    texts = [f"{number} password=abc " + "x " * 600 for number in range(9)]
    left = [engine.text(text) for text in texts]
    assert all("abc" not in text for text in left)
    assert left[0].startswith("0 password=[REDACTED] x")
    assert left[-1] == TOO_MUCH
    assert dropped == ["too_much"] * left.count(TOO_MUCH)
    now[0] += 60
    assert engine.text(texts[0]) == left[0]


@pytest.mark.parametrize(("each_second", "fits"), [(2_000, True), (50_000, False)])
def test_ordinary_traffic_is_within_the_budget_and_a_flood_of_short_texts_is_not(each_second: int, fits: bool) -> None:
    now = 0.0
    budget = Budget(lambda: now, lambda: 0.0)
    left_out = 0
    for number in range(10 * each_second):
        now = number / each_second
        for _ in range(5):  # new texts of a span
            left_out += budget.begin(60) is None
    assert (left_out == 0) is fits


def test_an_error_of_ours_lets_nothing_through(monkeypatch: pytest.MonkeyPatch) -> None:
    dropped: list[str] = []
    engine = Engine(Rules(dropped=dropped.append))

    def broken(text: str) -> list[tuple[int, int]]:
        raise AttributeError(text)

    monkeypatch.setattr("otel_llm_router.redaction._blocks.spans", broken)
    assert engine.text("password=abc") == HIDDEN
    assert dropped == ["error"]


PIECES = [
    *(
        "key",
        "password",
        "password=",
        'password="',
        'password=\\"',
        "password=(\n",
        "'secret', ",
        "-eyJ",
        "eyJaaaaaaaaa-",
    ),
    *(
        "a.",
        "://",
        "://a:",
        "@",
        "a@",
        "a:b@",
        "-----BEGIN PRIVATE KEY-----\n",
        "-----BEGIN",
        "&key=",
        "\\",
        '"',
        "x",
        "1-",
    ),
    *(
        "1 ",
        " ",
        "bearer ",
        "--key ",
        "--a",
        "curl -u a",
        "login a password",
        "jdbc:oracle:thin:a/",
        "Cookie: a=b;",
        "_",
    ),
    *(
        "authorization: a b=",
        "<password>",
        "{",
        "GB11 AAAA ",
        "1.",
        "::",
        "a-",
        "%3D",
        "A" * 20,
        "Private-Lines: 1",
        "ZXlK",
    ),
    *{shape.literal for shape in SHAPES},
]


def test_the_work_is_in_proportion_to_the_length() -> None:
    engine = Engine(Rules(limit=10**6, personal=frozenset(KINDS)), Budget(spent=lambda: 0.0))
    slow = {piece: ratio for piece in PIECES if (ratio := _growth(engine, piece)) > 32}
    assert slow == {}


SHORT = 1_000


def _growth(engine: Engine, piece: str) -> float:
    """Return how much longer 8 times the text takes: 8 times in proportion, 64 times if it were the square."""
    took: list[float] = []
    for characters in (SHORT, 8 * SHORT):
        text = (piece * (characters // len(piece) + 1))[:characters]
        tries: list[float] = []
        for _ in range(3 if characters == SHORT else 1):
            began = time.thread_time()
            engine.url(text)
            tries.append(time.thread_time() - began)
        took.append(min(tries))
    return took[1] / max(took[0], 1e-4)


@pytest.mark.parametrize(
    ("kind", "given", "left"),
    [
        ("email", "write to jane.doe+x@example.co.uk now", f"write to {HIDDEN} now"),
        ("phone", "call +49 170 1234567 or (555) 123-4567", f"call {HIDDEN} or {HIDDEN}"),
        ("card", "pay with 4111 1111 1111 1111 or 4111-1111-1111-1112", f"pay with {HIDDEN} or 4111-1111-1111-1112"),
        (
            "iban",
            "to GB82 WEST 1234 5698 7654 32, not GB83WEST12345698765432",
            f"to {HIDDEN}, not GB83WEST12345698765432",
        ),
        ("ssn", "of 219-09-9999, not 000-12-3456", f"of {HIDDEN}, not 000-12-3456"),
        (
            "ip",
            "from 203.0.113.9 and 2001:db8::1, not 127.0.0.1 or 1.2.3.4.5",
            f"from {HIDDEN} and {HIDDEN}, not 127.0.0.1 or 1.2.3.4.5",
        ),
    ],
)
def test_personal_data_is_hidden_where_that_is_asked_for(kind: str, given: str, left: str) -> None:
    assert redaction.text(given) == given
    redaction.configure(personal=[kind])
    assert redaction.text(given) == left


def test_ids_and_numbers_are_no_personal_data() -> None:
    redaction.configure(personal=KINDS)
    for text in (
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "claude-3-5-sonnet-20241022 took 1732233600.123456 s",
        "2026-11-21T23:30:00.123456Z 17 4.2.0 0.000123",
        "9f86d081-884c-4d65-9a2f-eaa0c55ad015",
    ):
        assert redaction.text(text) == text


def test_names_and_texts_of_users_own() -> None:
    redaction.configure(keys=["x-tenant-ref"], allowed=["session_token", "sk-test-1234"])
    assert redaction.text("X-Tenant-Ref: abc; tenant_ref=abc") == f"X-Tenant-Ref: {HIDDEN}; tenant_ref=abc"
    assert redaction.value("x_tenant_ref", "abc") == HIDDEN
    assert redaction.text("session_token=abcdef token=abcdef") == f"session_token=abcdef token={HIDDEN}"
    assert redaction.text("by sk-test-1234 and sk-test-1235") == f"by sk-test-1234 and {HIDDEN}"


def test_patterns_of_users_own(tmp_path: Path) -> None:
    redaction.configure(patterns="ticket = TCK-\\d+ ;; (?i)internal-\\w+")
    assert redaction.text("TCK-17 of INTERNAL-host") == f"{HIDDEN} of {HIDDEN}"
    path = tmp_path / "patterns"
    path.write_text("# ours\n\nticket = TCK-\\d+\n")
    redaction.configure(patterns=str(path))
    assert redaction.text("TCK-17 of internal-host") == f"{HIDDEN} of internal-host"


@pytest.mark.parametrize(
    ("given", "said"), [("ticket = (", "ticket"), ("all = .*", "all"), ("/no/such/file", "/no/such/file")]
)
def test_a_pattern_that_cannot_be_used_is_named(given: str, said: str) -> None:
    with pytest.raises(PatternError, match=said):
        redaction.configure(patterns=given)


def test_a_pattern_that_takes_for_ever_is_stopped() -> None:
    dropped: list[str] = []
    redaction.configure(patterns=r"slow = (a|aa)+$", dropped=dropped.append)
    left = redaction.text("password=abc " + "a" * 60 + "!")
    assert "abc" not in left
    assert dropped == ["pattern"]
