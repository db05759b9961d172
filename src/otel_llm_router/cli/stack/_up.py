"""Bring a stack up, and take it down.

Room: `cli`. What a user asked for comes in; running engines, or none that this call started, go out.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from otel_llm_router.cli import _collector_storage as storage
from otel_llm_router.cli._progress import Progress
from otel_llm_router.cli.stack._engine import COLLECTOR, ENGINES, PORTS, EngineMissingError, Launch
from otel_llm_router.cli.stack._find import find_collector, find_engines
from otel_llm_router.cli.stack._launches import Plan, collector_settings, launch
from otel_llm_router.cli.stack._ports import choose_ports
from otel_llm_router.cli.stack._running import StartError, start, stop, wait_ready
from otel_llm_router.cli.stack._state import Running, State


@dataclass(frozen=True)
class Wish:
    """What a user asked for.

    Args:
        only: Engines by name, each of which must start; all that are at hand if empty.
        ports: By name of the listener; 0 is any free one.
        watched: Addresses of routers of which only is asked whether they are up.
        scraped: Addresses of routers whose metrics are taken, too.
        layers: More configuration files of the Collector, by name.
        configs: The user's own, merged last.
        build: Whether engines may be built or resolved.
    """

    only: tuple[str, ...] = ()
    ports: Mapping[str, int] = field(default_factory=dict[str, int])
    watched: tuple[str, ...] = ()
    scraped: tuple[str, ...] = ()
    layers: tuple[str, ...] = ()
    configs: tuple[Path, ...] = ()
    build: bool = True


def up(wish: Wish, state: State, progress: Progress) -> None:
    """Start what does not run, or runs with something else; what this call started ends again if one fails.

    Raises:
        click.ClickException: An engine that was named is not at hand, one did not start, or a port is taken.
    """
    looked_for = [name for name in ENGINES if not wish.only or name in wish.only]
    others = [name for name in looked_for if name != COLLECTOR]
    found = find_engines(others, wish.only, progress, build=wish.build)
    alive = state.alive()
    wanted = [name for name in ENGINES if name in found or (name == COLLECTOR and COLLECTOR in looked_for)]
    # What runs already stays what others send to, also if it was not named this time.
    plan = _plan(wish, state, [name for name in ENGINES if name in wanted or name in alive], progress)
    if COLLECTOR in wanted:
        try:
            found[COLLECTOR] = find_collector(progress, collector_settings(plan), build=wish.build)
        except EngineMissingError as error:
            if COLLECTOR in wish.only:
                raise
            progress.note(f"without {COLLECTOR}: {error.message}")
            wanted.remove(COLLECTOR)
            plan = replace(plan, engines=plan.engines - {COLLECTOR})
    if not wanted:
        raise EngineMissingError("no engine is at hand; the lines above say how to get each")
    _start([launch(name, plan, found[name]) for name in wanted], plan, state, progress)


def _plan(wish: Wish, state: State, engines: list[str], progress: Progress) -> Plan:
    alive = state.alive()
    ports = choose_ports(
        engines,
        named=wish.ports,
        held={name: port for engine in alive.values() for name, port in engine.ports.items()},
        former={name: port for engine in state.engines.values() for name, port in engine.ports.items()},
        note=progress.note,
    )
    return Plan(state.directory, ports, frozenset(engines), wish.watched, wish.scraped, wish.layers, wish.configs)


def _start(launches: list[Launch], plan: Plan, state: State, progress: Progress) -> None:
    started: list[Running] = []
    former = dict(state.engines)
    try:
        alive = state.alive()
        due = [one for one in launches if one.engine not in alive or alive[one.engine].digest != one.digest]
        replaced = [alive[one.engine] for one in reversed(due) if one.engine in alive]
        stop(replaced, lambda engine, _forced: progress.note(f"{engine.engine} starts again, with what is new"))
        for one in due:
            _set_damage_aside(one, progress)
            ports = {name: plan.ports[name] for name in PORTS[one.engine]}
            started.append(start(one, ports, state.directory / f"{one.engine}.log"))
            state.keep(started[-1])
        for one, engine in zip(due, started, strict=True):
            with progress.phase(f"{engine.engine} starts"):
                wait_ready(engine)
            for directory in one.queues:
                storage.reserve(directory)
    except BaseException:
        # One that ran before has ended, and keeps its ports: routers send there.
        stop(reversed(started), lambda engine, _forced: state.restore(engine.engine, former.get(engine.engine)))
        raise


def _set_damage_aside(one: Launch, progress: Progress) -> None:
    try:
        for found in [found for each in one.queues if each.is_dir() for found in storage.prepare(each)]:
            progress.note(str(found))
    except OSError as error:
        raise StartError(f"the Collector's queues cannot be looked at: {error}") from error


def down(state: State, progress: Progress, *, purge: bool) -> int:
    """End all engines that run, each in bounded time, and forget them; return how many ran.

    Args:
        state: Of the stack.
        progress: Told of each end.
        purge: Remove what they stored, too.
    """
    alive = state.alive()
    for name in [name for name in state.engines if name not in alive]:
        progress.note(f"{name} was not running")
        state.drop(name)

    def ended(engine: Running, forced: bool) -> None:
        progress.note(f"{engine.engine} {'did not end by itself, and was killed' if forced else 'ended'}")
        state.drop(engine.engine)

    # Those that send end first, so that what they hold still arrives.
    stop([alive[name] for name in reversed(ENGINES) if name in alive], ended)
    if purge:
        # Only what is ours: a user may have named a directory with other things in it.
        for name in ENGINES:
            shutil.rmtree(state.directory / name, ignore_errors=True)
            (state.directory / f"{name}.log").unlink(missing_ok=True)
    return len(alive)
