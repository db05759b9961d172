"""How much of what one cycle of each workload sends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from benchmarks.configurations import Workload

Kind = tuple[str, int]
"""``plain`` or ``stream``, and the concurrency."""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """Blocks of one workload.

    Args:
        cells: Requests of one block; fewer spans than the SDK's queue holds, so that none is dropped unpaid.
        warm_up: The same for what is discarded: caches, connections, the first batch.
        turns: Blocks of one cycle, in their order.
    """

    cells: Mapping[Kind, int]
    warm_up: Mapping[Kind, int]
    turns: tuple[Kind, ...]


_ROUTER: Final = Shape(
    cells={("plain", 1): 64, ("plain", 32): 96, ("stream", 1): 6, ("stream", 32): 32},
    warm_up={("plain", 1): 64, ("plain", 32): 96, ("stream", 1): 2, ("stream", 32): 8},
    # Plain requests are short, and twice as many turns cost little.
    turns=(("plain", 1), ("plain", 32), ("stream", 1), ("plain", 1), ("plain", 32), ("stream", 32)),
)

_GATEWAY: Final = Shape(
    # OpenTelemetry's ASGI middleware makes a span of every chunk.
    cells={("plain", 1): 64, ("plain", 32): 96, ("stream", 1): 6},
    warm_up={("plain", 1): 64, ("plain", 32): 96, ("stream", 1): 2},
    turns=(("plain", 1), ("plain", 32), ("stream", 1)),
)

SHAPES: Final[Mapping[Workload, Shape]] = {
    "isolated": Shape(
        cells={("plain", 1): 300, ("stream", 1): 20},
        warm_up={("plain", 1): 600, ("stream", 1): 20},
        turns=(("plain", 1), ("stream", 1)),
    ),
    "sdk": Shape(
        cells={("plain", 1): 200, ("stream", 1): 20},
        warm_up={("plain", 1): 200, ("stream", 1): 10},
        turns=(("plain", 1), ("stream", 1)),
    ),
    "mock": _ROUTER,
    "http": _ROUTER,
    "wire": _GATEWAY,
    "gateway": _GATEWAY,
}
