"""`otel-llm-router stack`: the open stack on one machine, without containers.

Room: `cli`. Options come in; engines that run on after the command, what they say of themselves, or their end, go out.
"""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Final

import click

from otel_llm_router.cli._collector_settings import split_address
from otel_llm_router.cli._dirs import state_dir
from otel_llm_router.cli.stack._engine import DEFAULT_PORTS, ENGINES
from otel_llm_router.cli.stack._state import State

_NAMES: Final = ("collector", "prometheus", "alertmanager", "opensearch")
_PARTLY: Final = 3
_ROUTER: Final = "127.0.0.1:9090"
"""Where a router serves its metrics by default."""
# click keeps the line breaks of a paragraph that starts with a backspace.
_UP_EXAMPLE = """\b
Example:
  otel-llm-router stack up
  otel-llm-router stack up --only collector,prometheus --port prometheus=9095
  OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318 otel-llm-router run -- uvicorn app:app
"""
_STATUS_EXAMPLE = """\b
Example:
  otel-llm-router stack status
  otel-llm-router stack status --json
"""
_DOWN_EXAMPLE = """\b
Example:
  otel-llm-router stack down
  otel-llm-router stack down --purge
"""
_BUILD_EXAMPLE = """\b
Example:
  otel-llm-router stack build
  otel-llm-router stack build promtool
"""
_data_dir = click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Directory of the stack; several stacks have several. By default in your state directory.",
)
_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON array.")


def _engines(_ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    names = tuple(name for value in values for name in value.split(",") if name)
    for name in names:
        if name not in _NAMES:
            raise click.BadParameter(f"{name!r} is none of {', '.join(_NAMES)}")
    return names


def _ports(_ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]) -> dict[str, int]:
    found: dict[str, int] = {}
    for value in values:
        name, _, port = value.partition("=")
        if name not in DEFAULT_PORTS or not (port.isascii() and port.isdigit() and int(port) < 1 << 16):
            raise click.BadParameter(
                f"{value!r} is not NAME=PORT with a name of {', '.join(DEFAULT_PORTS)}, and a port up to 65535"
            )
        found[name] = int(port)
    return found


def _addresses(_ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    try:
        for value in values:
            split_address(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
    return values


@click.group()
def stack() -> None:
    """Run a Collector, Prometheus, Alertmanager and OpenSearch on this machine, without containers."""


@stack.command(epilog=_UP_EXAMPLE)
@click.option(
    "--only",
    metavar="ENGINE[,ENGINE]",
    multiple=True,
    callback=_engines,
    help=f"Start these and no others: {', '.join(_NAMES)}. By default all that are at hand or can be made.",
)
@_data_dir
@click.option(
    "--port",
    "ports",
    metavar="NAME=PORT",
    multiple=True,
    callback=_ports,
    help=f"Port of a listener, 0 for any free one: {', '.join(f'{name}={port}' for name, port in DEFAULT_PORTS.items())}. "
    "A default that is taken gives way to a free one.",
)
@click.option("--free-ports", is_flag=True, help="Any free port for each listener that --port does not name.")
@click.option(
    "--router",
    "watched",
    metavar="HOST:PORT",
    multiple=True,
    callback=_addresses,
    help="Scrape endpoint of a router that sends to the Collector: Prometheus asks it whether it is up, for the alert "
    f"ServiceDown, and takes no metrics there.  [default: {_ROUTER}]",
)
@click.option(
    "--scrape",
    "scraped",
    metavar="HOST:PORT",
    multiple=True,
    callback=_addresses,
    help="Scrape endpoint of a router that does not send to the Collector: one that does both is counted twice in every "
    "sum.",
)
@click.option(
    "--with",
    "layers",
    metavar="NAME",
    multiple=True,
    help="One more of our configuration files for the Collector, such as traces; `collector run --help` lists them.",
)
@click.option(
    "--config",
    "configs",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    multiple=True,
    help="Configuration file of your own for the Collector, merged last.",
)
@click.option("--no-build", is_flag=True, help="Leave out what is neither on PATH nor in the cache.")
@_json
def up(
    *,
    only: tuple[str, ...],
    data_dir: Path | None,
    ports: dict[str, int],
    free_ports: bool,
    watched: tuple[str, ...],
    scraped: tuple[str, ...],
    layers: tuple[str, ...],
    configs: tuple[Path, ...],
    no_build: bool,
    as_json: bool,
) -> None:
    """Start the engines in the background, and wait until they are ready.

    Each is looked for on PATH, then in the cache, and is else built or resolved once: Prometheus and Alertmanager with
    Go, OpenSearch with Maven. What cannot be had is left out, with a sentence that says how to get it.

    A second call starts what has ended, on the ports it had, and again what is to run differently. If one engine does
    not become ready, all that this call started end again.

    The exit code is 0 when all that are not left out are ready, and else 1.
    """
    from otel_llm_router.cli._progress import StderrProgress  # noqa: PLC0415 - `--help` need not wait for it
    from otel_llm_router.cli.stack._up import Wish  # noqa: PLC0415
    from otel_llm_router.cli.stack._up import up as bring_up  # noqa: PLC0415

    # A service manager's stop ends what was started, too.
    signal.signal(signal.SIGTERM, _exit_on_signal)
    progress = StderrProgress()
    chosen = dict.fromkeys(DEFAULT_PORTS, 0) | ports if free_ports else ports
    wish = Wish(
        only=only,
        ports=chosen,
        watched=watched or (() if scraped else (_ROUTER,)),
        scraped=scraped,
        layers=layers,
        configs=tuple(config.absolute() for config in configs),
        build=not no_build,
    )
    with _locked(data_dir) as state:
        bring_up(wish, state, progress)
    _show(state, as_json=as_json)


@stack.command(epilog=_STATUS_EXAMPLE)
@_data_dir
@_json
def status(*, data_dir: Path | None, as_json: bool) -> None:
    """Show the engines of the stack, and whether they are ready.

    The exit code is 0 if all that were started are ready, 3 if some are, and 1 if none is.
    """
    state = State.read(_directory(data_dir))
    ready = _show(state, as_json=as_json)
    if not ready:
        sys.exit(1)
    sys.exit(0 if ready == len(state.engines) else _PARTLY)


@stack.command(epilog=_DOWN_EXAMPLE)
@_data_dir
@click.option("--purge", is_flag=True, help="Remove what they stored and logged, too.")
def down(*, data_dir: Path | None, purge: bool) -> None:
    """End the engines: the Collector first, which passes on what it holds.

    One that has not ended after 15 seconds is killed. The exit code is 0, also if none was running.
    """
    from otel_llm_router.cli._progress import StderrProgress  # noqa: PLC0415 - as above
    from otel_llm_router.cli.stack._up import down as take_down  # noqa: PLC0415

    progress = StderrProgress()
    with _locked(data_dir) as state:
        if take_down(state, progress, purge=purge) == 0:
            progress.note(f"no engine of {state.directory} was running")
        elif not purge:
            progress.note(f"what they stored is in {state.directory}; --purge removes it")


@stack.command(epilog=_BUILD_EXAMPLE)
@click.argument("names", nargs=-1, metavar="[ENGINE]...")
def build(names: tuple[str, ...]) -> None:
    """Build or resolve engines that are not at hand, and print where they are; nothing is started.

    ENGINE is one of those of `up`, or promtool. The exit code is 1 if one cannot be made.
    """
    from otel_llm_router.cli._progress import StderrProgress  # noqa: PLC0415 - as above
    from otel_llm_router.cli.stack._find import BUILDABLE, build_engines  # noqa: PLC0415

    for name in names:
        if name not in BUILDABLE:
            raise click.BadParameter(f"{name!r} is none of {', '.join(BUILDABLE)}")
    signal.signal(signal.SIGTERM, _exit_on_signal)
    for path in build_engines(names or _NAMES, StderrProgress()).values():
        click.echo(path)


def _directory(data_dir: Path | None) -> Path:
    return (data_dir or state_dir() / "stack").absolute()


@contextmanager
def _locked(data_dir: Path | None) -> Generator[State]:
    from otel_llm_router.cli._file_lock import exclusive  # noqa: PLC0415 - as above

    directory = _directory(data_dir)

    def waiting() -> None:
        click.echo("another command works on this stack; waiting for it", err=True)

    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with exclusive(directory / "stack.lock", on_wait=waiting):
            yield State.read(directory)
    except OSError as error:
        raise click.ClickException(f"{directory} cannot be used: {error}. Name another with --data-dir.") from error


def _show(state: State, *, as_json: bool) -> int:
    """Print the engines; return how many are ready."""
    from otel_llm_router.cli.stack._display import states, table  # noqa: PLC0415 - as above

    found = states([state.engines[name] for name in reversed(ENGINES) if name in state.engines])
    if as_json:
        click.echo(json.dumps([one.as_dict() for one in found], indent=2))
    elif found:
        table(found)
    else:
        click.echo(f"no engine was started in {state.directory}; `otel-llm-router stack up` starts them", err=True)
    return sum(one.state == "ready" for one in found)


def _exit_on_signal(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)
