"""What the engines of a stack are, and what it takes to start one.

Room: `cli`. Declarations only.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import click

COLLECTOR: Final = "collector"
PROMETHEUS: Final = "prometheus"
ALERTMANAGER: Final = "alertmanager"
OPENSEARCH: Final = "opensearch"
ENGINES: Final = (OPENSEARCH, ALERTMANAGER, PROMETHEUS, COLLECTOR)
"""In the order in which they start: what others send to comes first. They end the other way round."""

DEFAULT_PORTS: Final[Mapping[str, int]] = {
    "otlp-http": 4318,
    "otlp-grpc": 4317,
    "collector-metrics": 8889,
    "collector-health": 13133,
    "collector-telemetry": 8888,
    # Not 9090: routers serve their own metrics there.
    PROMETHEUS: 9091,
    ALERTMANAGER: 9093,
    OPENSEARCH: 9200,
}
PORTS: Final[Mapping[str, tuple[str, ...]]] = {
    COLLECTOR: ("otlp-http", "otlp-grpc", "collector-metrics", "collector-health", "collector-telemetry"),
    PROMETHEUS: (PROMETHEUS,),
    ALERTMANAGER: (ALERTMANAGER,),
    OPENSEARCH: (OPENSEARCH,),
}
"""Names of the ports of each engine, all on loopback."""


class EngineMissingError(click.ClickException):
    """An engine is not on this machine and cannot be made; the message says how to get it."""


@dataclass(frozen=True)
class Installed:
    """An engine that can be started.

    Args:
        program: The executable, or what an engine on the JVM has in its place: its directory.
        version: As it states it.
        built: Whether it is our build, which has no user interface.
    """

    program: Path
    version: str
    built: bool


@dataclass(frozen=True)
class Launch:
    """One engine, ready to be started.

    Args:
        engine: Its name.
        version: As it states it.
        command: Program and arguments.
        ready: URL that answers 200 when it is ready.
        look: Where a user looks.
        send: How a user sends to it, if users do.
        variables: Added to the environment.
        files: Configuration files, written before it starts.
        directories: Made before it starts, for the user alone.
        queues: Directories of a Collector's queues, among them: damaged files in them are set aside before it starts.
    """

    engine: str
    version: str
    command: tuple[str, ...]
    ready: str
    look: str
    send: str = ""
    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    files: Mapping[Path, str] = field(default_factory=dict[Path, str])
    directories: tuple[Path, ...] = ()
    queues: tuple[Path, ...] = ()

    @property
    def digest(self) -> str:
        """The same for a running engine that need not be started again."""
        files = {str(path): text for path, text in self.files.items()}
        content = json.dumps([self.command, dict(self.variables), files], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:16]
