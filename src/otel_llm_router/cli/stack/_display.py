"""What a user sees of a stack.

Room: `cli`. Engines that were started come in; a table, or what a script wants to know, goes out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import click

from otel_llm_router.cli.stack._running import is_ready
from otel_llm_router.cli.stack._state import Running


@dataclass(frozen=True)
class EngineState:
    """An engine, and what it is doing.

    Args:
        engine: What was started.
        state: ``ready``, ``not ready`` while the process runs and does not answer, or ``ended``.
    """

    engine: Running
    state: str

    def as_dict(self) -> dict[str, Any]:
        """For a script."""
        one = self.engine
        return {
            "engine": one.engine,
            "state": self.state,
            "version": one.version,
            "pid": one.pid,
            "look": one.look,
            "send": one.send,
            "log": one.log,
            "ports": dict(one.ports),
        }


def states(engines: Iterable[Running]) -> list[EngineState]:
    """Ask each engine how it is."""
    return [EngineState(engine, _state(engine)) for engine in engines]


def _state(engine: Running) -> str:
    if engine.process() is None:
        return "ended"
    return "ready" if is_ready(engine) else "not ready"


def table(found: Iterable[EngineState]) -> None:
    """Print engines, where to look, and how to send."""
    from rich.console import Console  # noqa: PLC0415 - `--json` need not wait for rich
    from rich.table import Table  # noqa: PLC0415

    rows = list(found)
    columns = Table("engine", "version", "state", "where to look", "log file", box=None, pad_edge=False)
    for one in rows:
        engine = one.engine
        columns.add_row(engine.engine, engine.version, one.state, engine.look, engine.log)
    # As wide as it needs: a path or URL that is broken over lines cannot be copied.
    Console(highlight=False, markup=False, soft_wrap=True, width=None if not rows else 400).print(columns, crop=False)
    for one in rows:
        if one.engine.send and one.state == "ready":
            click.echo(f"\nsend with {one.engine.send}")
