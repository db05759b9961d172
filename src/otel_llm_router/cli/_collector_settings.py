"""What a run of the Collector is told: configuration files, addresses, and where files go.

Room: `cli`. Options come in; the environment that the files of `collector-config` read goes out.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import click

from otel_llm_router.cli import _collector_layers as layers
from otel_llm_router.cli._dirs import state_dir

LOGS_FILE = "LLM_ROUTER_COLLECTOR_LOGS_FILE"
TRACES_FILE = "LLM_ROUTER_COLLECTOR_TRACES_FILE"
STORAGE = "LLM_ROUTER_COLLECTOR_STORAGE"
_INSTANCE = "LLM_ROUTER_COLLECTOR_INSTANCE"
TELEMETRY_OFF = "none"


class PortInUseError(click.ClickException):
    """An address that the Collector should listen on belongs to another process."""


@dataclass(frozen=True)
class Listener:
    """One address that the Collector listens on.

    Args:
        field: Name of the field of `CollectorSettings`; with dashes, of the option.
        variable: What the configuration file reads.
        default: Address when nobody chose another, as in the configuration file.
        title: What a user calls it.
    """

    field: str
    variable: str
    default: str
    title: str

    @property
    def option(self) -> str:
        """The command-line option."""
        return f"--{self.field.replace('_', '-')}"


OTLP_HTTP = Listener("otlp_http", "LLM_ROUTER_COLLECTOR_OTLP_HTTP", "127.0.0.1:4318", "OTLP over HTTP")
OTLP_GRPC = Listener("otlp_grpc", "LLM_ROUTER_COLLECTOR_OTLP_GRPC", "127.0.0.1:4317", "OTLP over gRPC")
PROMETHEUS = Listener("prometheus", "LLM_ROUTER_COLLECTOR_PROMETHEUS", "127.0.0.1:8889", "metrics for Prometheus")
HEALTH = Listener("health", "LLM_ROUTER_COLLECTOR_HEALTH", "127.0.0.1:13133", "health")
# The Collector takes host and port apart here, so that no one variable holds the address.
TELEMETRY = Listener(
    "telemetry", "LLM_ROUTER_COLLECTOR_TELEMETRY_PORT", "127.0.0.1:8888", "the Collector's own metrics"
)
_TELEMETRY_HOST = "LLM_ROUTER_COLLECTOR_TELEMETRY_HOST"
_TELEMETRY_LEVEL = "LLM_ROUTER_COLLECTOR_TELEMETRY_LEVEL"
LISTENERS = (OTLP_HTTP, OTLP_GRPC, PROMETHEUS, HEALTH, TELEMETRY)


def telemetry_address() -> str:
    """Where the Collector serves metrics about itself, unless an option says otherwise."""
    if os.environ.get(_TELEMETRY_LEVEL) == TELEMETRY_OFF:
        return TELEMETRY_OFF
    host, port = split_address(TELEMETRY.default)
    return f"{os.environ.get(_TELEMETRY_HOST) or host}:{os.environ.get(TELEMETRY.variable) or port}"


def default_configs() -> tuple[Path, ...]:
    """Our configuration for a run that names none: a Prometheus endpoint, and files."""
    return layers.files(layers.DEFAULT)


def split_address(address: str) -> tuple[str, int]:
    """Take ``host:port`` apart; an IPv6 host is in brackets.

    Raises:
        ValueError: It is no such thing.
    """
    host, colon, port = address.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if (
        not (host and colon and port.isascii() and port.isdigit() and 0 < int(port) < 1 << 16)
        or (":" in host) != bracketed
    ):
        raise ValueError(
            f"{address!r} is not HOST:PORT, such as 127.0.0.1:4318 or [::1]:4318, with a port of 1 to 65535"
        )
    return host.strip("[]"), int(port)


def reachable(address: str) -> tuple[str, int]:
    """Host and port to connect to for an address that is listened on."""
    host, port = split_address(address)
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port  # noqa: S104 - the wildcard is looked for, not bound


@dataclass(frozen=True, kw_only=True)
class CollectorSettings:
    """One run of the Collector.

    Args:
        configs: Configuration files, merged in order; ours if empty.
        otlp_http: Where it receives OTLP over HTTP, as ``host:port``.
        otlp_grpc: Where it receives OTLP over gRPC.
        prometheus: Where it serves the metrics that it received.
        health: Where it says that it is ready.
        telemetry: Where it serves metrics about itself; ``none`` for nowhere.
        data_dir: Directory for the files of logs and traces, and below it the queues; by default in the
            user's state directory, unless the environment names files and queues.
        variables: More variables for the Collector's environment, which our own does not have.
    """

    configs: tuple[Path, ...] = field(default_factory=default_configs)
    otlp_http: str = OTLP_HTTP.default
    otlp_grpc: str = OTLP_GRPC.default
    prometheus: str = PROMETHEUS.default
    health: str = HEALTH.default
    telemetry: str = field(default_factory=telemetry_address)
    data_dir: Path | None = None
    variables: Mapping[str, str] = field(default_factory=dict[str, str])

    @classmethod
    def on_free_ports(cls, data_dir: Path, *, configs: tuple[Path, ...] = ()) -> CollectorSettings:
        """Settings with ports that are free now and no metrics about the Collector itself."""
        with ExitStack() as stack:
            # All are held at once, so that no two are the same.
            held = [stack.enter_context(socket.socket()) for _ in range(4)]
            for taken in held:
                taken.bind(("127.0.0.1", 0))
            http, grpc, prometheus, health = (f"127.0.0.1:{taken.getsockname()[1]}" for taken in held)
        return cls(
            configs=configs or default_configs(),
            otlp_http=http,
            otlp_grpc=grpc,
            prometheus=prometheus,
            health=health,
            telemetry=TELEMETRY_OFF,
            data_dir=data_dir,
        )

    @property
    def logs_file(self) -> Path:
        """Where received logs go, one OTLP/JSON object in a line."""
        return self._file("logs.jsonl", LOGS_FILE)

    @property
    def traces_file(self) -> Path:
        """Where received spans go, one OTLP/JSON object in a line."""
        return self._file("traces.jsonl", TRACES_FILE)

    @property
    def storage(self) -> Path:
        """Where the queues and the positions in files that are read are kept."""
        return self._file("queues", STORAGE)

    def _file(self, name: str, variable: str) -> Path:
        if self.data_dir is None and (given := os.environ.get(variable)):
            return Path(given).absolute()
        return (self.data_dir or state_dir() / "collector").absolute() / name

    def address(self, listener: Listener) -> str:
        """The address of one listener."""
        return str(getattr(self, listener.field))

    def environment(self) -> dict[str, str]:
        """The environment of the Collector's process."""
        env = {**self.variables, **os.environ}
        for listener in (OTLP_HTTP, OTLP_GRPC, PROMETHEUS, HEALTH):
            env[listener.variable] = self.address(listener)
        if self.telemetry == TELEMETRY_OFF:
            env[_TELEMETRY_LEVEL] = TELEMETRY_OFF
        else:
            host, port = split_address(self.telemetry)
            env |= {_TELEMETRY_HOST: host, TELEMETRY.variable: str(port)}
        env.setdefault(_INSTANCE, socket.gethostname())
        return env | {
            LOGS_FILE: str(self.logs_file),
            TRACES_FILE: str(self.traces_file),
            STORAGE: str(self.storage),
        }

    def config_arguments(self) -> list[str]:
        """Arguments of the Collector that name the configuration files."""
        return [f"--config=file:{config.absolute()}" for config in self.configs]

    def listeners(self) -> list[Listener]:
        """The listeners that the configuration files take from us; a user's file may fix others itself."""
        return [
            listener
            for listener in LISTENERS
            if self.address(listener) != TELEMETRY_OFF and self._is_used(listener.variable)
        ]

    def files(self) -> list[Path]:
        """The files for received signals that the configuration files take from us."""
        named = ((LOGS_FILE, self.logs_file), (TRACES_FILE, self.traces_file))
        return [path for variable, path in named if self._is_used(variable)]

    def storage_dirs(self) -> list[Path]:
        """The directory of queues, if the configuration files take it from us."""
        return [self.storage] if self._is_used(STORAGE) else []

    def missing(self) -> list[str]:
        """Variables without a default that the configuration files read and nobody has set."""
        given = self.environment()
        return [name for name in layers.required_variables(self.configs) if not given.get(name)]

    def thrown_away(self) -> list[str]:
        """Signals that are received and that no back end takes."""
        return layers.thrown_away(self.configs)

    def _is_used(self, variable: str) -> bool:
        return any(f"env:{variable}" in config.read_text(encoding="utf-8", errors="replace") for config in self.configs)

    def check_ports(self) -> None:
        """Look for listeners of other processes, which the Collector would report in thirty lines.

        Raises:
            PortInUseError: One is there; the message names the option that chooses another address.
        """
        for listener in self.listeners():
            host, port = split_address(self.address(listener))
            try:
                family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
                with socket.socket(family, kind, protocol) as probe:
                    if os.name == "posix":
                        # As Go does: connections of an earlier listener, still in TIME_WAIT, do not count.
                        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    probe.bind(address)
            except OSError as error:
                raise PortInUseError(
                    f"the Collector cannot listen on {self.address(listener)} for {listener.title}: "
                    f"{error.strerror or error}. Choose another address with {listener.option} or {listener.variable}."
                ) from error
