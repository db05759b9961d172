"""Values from outside that no exporter is made for, and how to draw them for every position."""

from __future__ import annotations

import enum
from types import SimpleNamespace
from typing import Any, Final, NoReturn

from hypothesis import strategies as st

MEGABYTE: Final = "x" * 1_000_000


class Unprintable:
    """Its every way of becoming text raises."""

    def __str__(self) -> NoReturn:
        raise RuntimeError("no text")

    __repr__ = __str__

    def __format__(self, spec: str) -> NoReturn:
        raise RuntimeError("no format")


class Lying(str):
    """Text that claims to be other text, and not to be text at all."""

    __slots__ = ()

    def __str__(self) -> NoReturn:
        raise RuntimeError("no text")

    def encode(self, *_: object) -> NoReturn:  # pyright: ignore[reportIncompatibleMethodOverride]
        raise RuntimeError("no bytes")

    def __len__(self) -> int:
        return 1


class Model(str, enum.Enum):
    """Models as many applications name them."""

    LARGE = "gpt-4o"


TEXTS: Final = (
    "\ud800",
    "gpt\udfff-4",
    "\x00",
    "a\x00b",
    "\u202egpt\u202c",
    "\u2066\u2069",
    "\u2028{}\u2029",
    'quote" backslash\\ newline\n',
    "\x1b[31mred",
    "\N{PILE OF POO}" * 300,
    MEGABYTE,
    "\ud800" * 100_000,
    "",
    " ",
    "other",
    "unknown",
)
COUNTS: Final = (
    2**70, 10**400, -(2**70), -1, 2**63, 2**62, 10**9 + 1, float("nan"), float("inf"), -float("inf"), 1e308, 0.5, "5", "ten", "", MEGABYTE, None, True, b"5", [5], {"a": 1}, Unprintable()
)  # fmt: skip
OBJECTS: Final = (
    Unprintable(),
    Lying("gpt"),
    b"\xff",
    ["a"],
    {"a": "\ud800"},
    5,
    2**70,
    float("nan"),
    object,
    Model.LARGE,
)
texts = st.one_of(st.sampled_from(TEXTS), st.text(st.characters(), max_size=20), st.sampled_from(OBJECTS))
numbers = st.one_of(st.sampled_from(COUNTS), st.integers(), st.floats(), st.text(max_size=3))


def _usage(draw: st.DrawFn) -> Any:
    fields: dict[str, Any] = {
        name: draw(numbers)
        for name in draw(
            st.lists(
                st.sampled_from(
                    [
                        "prompt_tokens",
                        "completion_tokens",
                        "input_tokens",
                        "output_tokens",
                        "cache_read_input_tokens",
                        "cache_creation_input_tokens",
                        "prompt_token_count",
                        "candidatesTokenCount",
                        "thoughts_token_count",
                        "total_token_count",
                        "prompt_eval_count",
                        "eval_count",
                        "prompt_tokens_details",
                    ]
                ),
                max_size=6,
                unique=True,
            )
        )
    }
    details: dict[str, Any] = {"cached_tokens": draw(numbers), "reasoning_tokens": draw(numbers)}
    fields["completion_tokens_details"] = draw(st.sampled_from([details, SimpleNamespace(**details), 5, "x", None]))
    return draw(st.sampled_from([fields, SimpleNamespace(**fields)]))


@st.composite
def usages(draw: st.DrawFn) -> Any:
    return _usage(draw)


class Hostile:
    """Draws a value for every position that a value from outside can take."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.text: list[Any] = [draw(texts) for _ in range(14)]
        self.number: list[Any] = [draw(numbers) for _ in range(14)]
        self.usage: Any = draw(usages())
        self.answer: Any = SimpleNamespace(model=draw(texts), id=draw(texts), choices=draw(numbers), usage=self.usage)

    def __repr__(self) -> str:
        return f"texts {[type(v) for v in self.text]} numbers {[type(v) for v in self.number]}"


hostiles = st.composite(Hostile)()
