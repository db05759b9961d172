"""Ports for the engines of a stack, all on loopback.

Room: `cli`. What a user named, and what engines have and had, come in; a port for each listener goes out.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Collection, Iterable, Mapping

import click

from otel_llm_router.cli.stack._engine import DEFAULT_PORTS, PORTS


class PortError(click.ClickException):
    """A port that the user named belongs to another process."""


def choose_ports(
    engines: Iterable[str],
    *,
    named: Mapping[str, int],
    held: Mapping[str, int],
    former: Mapping[str, int],
    note: Callable[[str], None],
) -> dict[str, int]:
    """Choose a port for each listener: the one named, the one it has or had, the default, or a free one.

    Args:
        engines: Those that will run.
        named: What the user chose; 0 is any free one.
        held: Ports that engines of this stack listen on.
        former: Ports that they listened on before they ended.
        note: Told about each default that is taken.

    Raises:
        PortError: Another process has one that the user named.
    """
    chosen: dict[str, int] = {}
    for name in (name for engine in engines for name in PORTS[engine]):
        wanted = named.get(name)
        if name in held and wanted in {None, 0, held[name]}:
            chosen[name] = held[name]
        elif wanted:
            if not _is_free(wanted):
                raise PortError(f"port {wanted} for {name} is taken; --port {name}=0 chooses a free one")
            chosen[name] = wanted
        elif name in former and _is_free(former[name]):
            chosen[name] = former[name]
        elif wanted is None and _is_free(DEFAULT_PORTS[name]):
            chosen[name] = DEFAULT_PORTS[name]
        else:
            chosen[name] = _any_port({*chosen.values(), *held.values(), *named.values(), *DEFAULT_PORTS.values()})
            if wanted is None:
                note(f"port {DEFAULT_PORTS[name]} for {name} is taken by another process: {chosen[name]} is used")
    return chosen


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        if os.name == "posix":
            # Connections of an earlier listener, still in TIME_WAIT, do not count.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _any_port(taken: Collection[int]) -> int:
    held: list[socket.socket] = []
    try:
        while True:
            # Held until one is found, so that the next try is another.
            held.append(socket.socket())
            held[-1].bind(("127.0.0.1", 0))
            port: int = held[-1].getsockname()[1]
            if port not in taken:
                return port
    finally:
        for one in held:
            one.close()
