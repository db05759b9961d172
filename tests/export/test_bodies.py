"""What is kept of bodies."""

from __future__ import annotations

import gc
import zlib
from itertools import count

from otel_llm_router.export._bodies import Bodies


def test_a_body_is_let_go_when_there_is_a_newer_one() -> None:
    bodies, numbers = Bodies(0.0), count(1)
    for number in range(1, 6):
        body, _ = bodies.get("text", lambda: (b"%d" % next(numbers) + b"x" * 5_000_000, "text/plain"))
        assert zlib.decompress(bodies.gzipped(body), wbits=31).startswith(b"%dx" % number)
        assert bodies.gzipped(body) is bodies.gzipped(body)
    assert sum(len(one) for one in _reachable(bodies)) < 6_000_000


def _reachable(bodies: Bodies) -> list[bytes]:
    seen: dict[int, object] = {}
    left: list[object] = [*vars(bodies).values()]
    while left:
        one = left.pop()
        if id(one) not in seen:
            seen[id(one)] = one
            if isinstance(one, (dict, tuple, list)):
                left += gc.get_referents(one)
    return [one for one in seen.values() if isinstance(one, bytes)]
