"""`otel-llm-router collector`: run and check an OpenTelemetry Collector with our configuration.

Room: `cli`. Options come in; a Collector in the foreground, or its verdict on a configuration, goes out.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import TypeVar

import click

from otel_llm_router.cli import _collector_layers as layers
from otel_llm_router.cli import _collector_settings as settings_module
from otel_llm_router.cli._collector_settings import HEALTH, TELEMETRY, TELEMETRY_OFF, CollectorSettings, Listener

_Command = TypeVar("_Command", bound=Callable[..., None])
# click keeps the line breaks of a paragraph that starts with a backspace.
_RUN_EXAMPLE = """\b
Example:
  otel-llm-router collector run
  otel-llm-router collector run --otlp-http 127.0.0.1:14318 --data-dir ./received
  otel-llm-router collector run --with prometheus --with loki --with traces
"""
_VALIDATE_EXAMPLE = """\b
Example:
  otel-llm-router collector validate
  otel-llm-router collector validate base.yaml mine.yaml
  otel-llm-router collector validate --with gateway --with loki mine.yaml
  otel-llm-router collector validate --all
"""
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_with_option = click.option(
    "--with",
    "chosen",
    metavar="NAME",
    multiple=True,
    help=f"Shipped configuration to use on top of base, such as loki or gateway; several are merged in order. "
    f"By default {' and '.join(layers.DEFAULT)}.",
)


def _checked_address(_ctx: click.Context, param: click.Parameter, value: str) -> str:
    if value != TELEMETRY_OFF or param.name != TELEMETRY.field:
        try:
            settings_module.split_address(value)
        except ValueError as error:
            raise click.BadParameter(str(error)) from error
    return value


def _address_options(command: _Command) -> _Command:
    for listener in reversed(settings_module.LISTENERS):
        command = _address_option(listener)(command)
    return command


def _address_option(listener: Listener) -> Callable[[_Command], _Command]:
    telemetry = listener is TELEMETRY
    return click.option(
        listener.option,
        metavar="HOST:PORT",
        callback=_checked_address,
        default=settings_module.telemetry_address if telemetry else listener.default,
        show_default=listener.default if telemetry else True,
        envvar=None if telemetry else listener.variable,
        show_envvar=True,
        help=f"Address for {listener.title}{f'; {TELEMETRY_OFF} for nowhere' if telemetry else ''}.",
    )


@click.group()
def collector() -> None:
    """Run or check an OpenTelemetry Collector with our configuration."""


@collector.command(epilog=_RUN_EXAMPLE)
@click.option(
    "--config",
    "configs",
    type=_FILE,
    multiple=True,
    help="Configuration file of yours; several are merged in order. With --with after what that names, else alone.",
)
@_with_option
@_address_options
@click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Directory for logs.jsonl and traces.jsonl. By default in your state directory.",
)
@click.option("--build-only", is_flag=True, help="Build our Collector if the cache has none, print its path, and stop.")
@click.option(
    "--print-path",
    is_flag=True,
    help="Print the path of the Collector that would run, and stop; it is built if there is none.",
)
@click.option("--rebuild", is_flag=True, help="Build our Collector again, and use it.")
def run(
    *,
    configs: tuple[Path, ...],
    chosen: tuple[str, ...],
    data_dir: Path | None,
    build_only: bool,
    print_path: bool,
    rebuild: bool,
    **addresses: str,
) -> None:
    """Run a Collector in the foreground.

    It is a collector on PATH (otelcol-llm-router, otelcol-contrib, otelcol) if one can run the
    configuration; otherwise our own small build, made once with Go and kept in your cache
    directory (LLM_ROUTER_CACHE_DIR names another).

    The exit code is the Collector's; 1 if it could not be started.
    """
    from otel_llm_router.cli._collector_build import build_collector  # noqa: PLC0415 - other commands need no build
    from otel_llm_router.cli._collector_locate import ensure_collector  # noqa: PLC0415
    from otel_llm_router.cli._collector_process import make_directories  # noqa: PLC0415
    from otel_llm_router.cli._progress import StderrProgress  # noqa: PLC0415

    # A service manager's stop ends the build too, not only the process that waits for it.
    signal.signal(signal.SIGTERM, _exit_on_signal)
    progress = StderrProgress()
    if build_only:
        click.echo(build_collector(progress, rebuild=rebuild))
        return
    settings = CollectorSettings(configs=_configs(chosen, configs), data_dir=data_dir, **addresses)  # pyright: ignore[reportArgumentType] - addresses, all of them
    _check_variables(settings)
    if not print_path:
        make_directories(settings)
    binary = ensure_collector(progress, settings=settings, rebuild=rebuild)
    if print_path:
        click.echo(binary)
        return
    sys.exit(_run_in_foreground(binary, settings))


@collector.command(epilog=_VALIDATE_EXAMPLE)
@click.argument("files", nargs=-1, type=_FILE)
@_with_option
@click.option("--all", "every", is_flag=True, help="Check every combination that collector-config/README.md names.")
def validate(*, files: tuple[Path, ...], chosen: tuple[str, ...], every: bool) -> None:
    """Let a real Collector check a configuration.

    The configuration is what --with names, then FILES, merged in order, or ours. Which Collector is
    asked is decided as in `run`. The exit code is 1 if it says no.
    """
    from otel_llm_router.cli._collector_locate import ensure_collector  # noqa: PLC0415 - as above

    if every:
        if files or chosen:
            raise click.UsageError("--all stands alone: it checks what is shipped, and no other files")
        from otel_llm_router.cli._collector_combinations import check_combinations  # noqa: PLC0415

        sys.exit(0 if check_combinations(ensure_collector()) else 1)
    settings = CollectorSettings(configs=_configs(chosen, files))
    _check_variables(settings)
    binary = ensure_collector(settings=settings)
    click.echo(f"valid for {binary}: {', '.join(map(str, settings.configs))}")


def _configs(chosen: tuple[str, ...], own: tuple[Path, ...]) -> tuple[Path, ...]:
    if chosen:
        return (*layers.files(chosen), *own)
    return own or settings_module.default_configs()


def _check_variables(settings: CollectorSettings) -> None:
    if missing := settings.missing():
        raise click.ClickException(
            f"the configuration needs {', '.join(missing)}: set what has no default in the environment. "
            f"Read by {', '.join(str(path) for path in settings.configs)}"
        )


def _run_in_foreground(binary: Path, settings: CollectorSettings) -> int:
    from otel_llm_router.cli._collector_process import CollectorProcess  # noqa: PLC0415 - as above

    click.echo(f"starting {binary}", err=True)
    process = CollectorProcess(binary, settings)

    def forward(number: int, _frame: FrameType | None) -> None:
        process.send_signal(number)

    try:
        process.start()
        for one in process.set_aside:
            click.echo(one, err=True)
        # A terminal sends Ctrl-C to both of us; the Collector ends at the first and ignores the second.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, forward)
        process.wait_ready()
        click.echo(_where(settings), err=True)
        return process.wait()
    finally:
        process.stop()


def _where(settings: CollectorSettings) -> str:
    lines = [f"  {listener.title}: {settings.address(listener)}" for listener in settings.listeners()]
    lines += [f"  file: {file}" for file in settings.files()]
    lines += [f"  queues: {directory}" for directory in settings.storage_dirs()]
    lines += [
        f"  {signal} are received and thrown away: no configuration takes them" for signal in settings.thrown_away()
    ]
    # Without our health endpoint in the configuration nobody has said that it is ready.
    state = "is ready" if HEALTH in settings.listeners() else "has been started"
    return "\n".join([f"the Collector {state}", *lines])


def _exit_on_signal(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)
