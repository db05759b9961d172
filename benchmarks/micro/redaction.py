"""Making text fit for telemetry, CPU us for each KB: attribute values, and the query of a URL.

A value of plain ASCII passes as it is; one with other letters and control characters is rewritten; one that is
too long is cut first. A query keeps its names and loses its values.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from benchmarks.micro._passes import Passes, expect, repeated, turns
from otel_llm_router import _sanitize
from otel_llm_router.instrumentation.asgi import _mending

KB: Final = 1024
PLAIN: Final = "a model's name, " * (KB // 16)
MIXED: Final = "modèle\u202e\x00 模型 é " * (KB // 16)
QUERY: Final = b"&".join(b"name%02d=secret%02d" % (number, number) for number in range(KB // 16))


def measure(*, quick: bool) -> Passes:
    """Measure; see the module."""
    times, passes = (2_000, 5) if quick else (20_000, 15)
    calls: dict[str, Callable[[], str]] = {
        "redaction per KB, text, ASCII": lambda: _sanitize.text(PLAIN, KB),
        "redaction per KB, text, control characters": lambda: _sanitize.text(MIXED, KB),
        "redaction per KB, text, cut": lambda: _sanitize.text(PLAIN),
        "redaction per KB, query of a URL": lambda: _mending._without_values(QUERY),  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    }
    kept, mended, cut, query = (call() for call in calls.values())
    expect("unchanged text", kept == PLAIN, True)
    expect("control characters", sum(mended.count(one) for one in "\u202e\x00"), 0)
    expect("characters of a cut text", len(cut), _sanitize.MAX_TEXT)
    expect("values in a query", query.count("secret"), 0)
    expect("names in a query", query.count("name"), KB // 16)
    return turns({name: repeated(call, times) for name, call in calls.items()}, passes, divide=times / 1e6)
