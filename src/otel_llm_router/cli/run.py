"""The command ``otel-llm-router run``: starts any command under our instrumentation.

Room: `cli`. Options become environment variables; the rest is what ``opentelemetry-instrument`` does, called by
its public entry, behind ``--`` so that no option of the command can be taken for one of its own. The process
becomes the command: signals and the exit code are the application's.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from typing import Final, NoReturn

import click

from otel_llm_router.cli import _executable
from otel_llm_router.distro import settings
from otel_llm_router.signals import options

OURS: Final = "otel_llm_router"

_CHOOSERS: Final = {
    "OTEL_PYTHON_DISTRO": "our defaults for the standard variables are not set",
    "OTEL_PYTHON_CONFIGURATOR": "our SDK and /metrics are not there",
}
"""Variables that choose who sets OpenTelemetry up, and what is missing where they choose another."""

_EXAMPLES: Final = """\b
Examples:
  otel-llm-router run -- python app.py
  otel-llm-router run --service-name gateway -- uvicorn app:app --port 8000
  otel-llm-router run --port 9191 -- gunicorn -k uvicorn.workers.UvicornWorker app:app
  otel-llm-router run --otlp-endpoint http://collector:4318 -- litellm --config config.yaml

\b
Exit codes: the command's own; 2 for a wrong option, 126 when the command may not be executed,
127 when there is no such command.
"""


@click.command(
    epilog=_EXAMPLES,
    options_metavar="[OPTIONS] --",
    context_settings={"allow_interspersed_args": False, "max_content_width": 100},
)
@click.option("--service-name", metavar="NAME", help="Name of the service [OTEL_SERVICE_NAME].")
@click.option(
    "--otlp-endpoint", metavar="URL", help="Where metrics, traces and logs are sent [OTEL_EXPORTER_OTLP_ENDPOINT]."
)
@click.option(
    "--port", metavar="PORT", help="Port of /metrics and /health; 0 takes a free one [OTEL_LLM_ROUTER_SCRAPE_PORT]."
)
@click.option("--host", metavar="ADDRESS", help="Address of /metrics and /health [OTEL_LLM_ROUTER_SCRAPE_HOST].")
@click.option("--attribution", metavar="LIST", help="Tokens and cost by these: team,user,key,organization.")
@click.option("--hooks", metavar="FILE", help="YAML file with declared hooks [OTEL_LLM_ROUTER_HOOKS_FILE].")
@click.option(
    "--check/--no-check", default=True, help="Whether to look at the set-up before the start.  [default: check]"
)
@click.argument("command", nargs=-1, type=click.UNPROCESSED, required=True)
def run(
    *,
    service_name: str | None,
    otlp_endpoint: str | None,
    port: str | None,
    host: str | None,
    attribution: str | None,
    hooks: str | None,
    check: bool,
    command: tuple[str, ...],
) -> NoReturn:
    """Start COMMAND with its arguments, instrumented.

    Nothing of the application changes. Each option only sets the environment variable in brackets, for this command;
    all others are in docs/configuration.md.

    Unless told not to, it first looks whether the command and the options can be what is meant; what is merely doubtful
    is a warning and stops nothing. `otel-llm-router doctor` looks closer.
    """
    given = {
        "OTEL_SERVICE_NAME": service_name,
        "OTEL_EXPORTER_OTLP_ENDPOINT": otlp_endpoint,
        options.SCRAPE_PORT.env: port,
        options.SCRAPE_HOST.env: host,
        options.ATTRIBUTION.env: attribution,
        options.HOOKS_FILE.env: hooks,
    }
    environ = {**os.environ, **{variable: value for variable, value in given.items() if value is not None}}
    try:
        executable = _executable.find(command[0])
    except _executable.CommandError as error:
        _say(str(error))
        sys.exit(error.code)
    if check:
        _examine(executable, command[1:], environ)
    os.environ.update(dict.fromkeys(_CHOOSERS, OURS) | environ)
    _become(command)


def _examine(executable: str, arguments: tuple[str, ...], environ: Mapping[str, str]) -> None:
    """Say what is wrong, and leave with 2 where an option cannot be read."""
    read, problems = settings.read(environ)
    wrong = [problem for problem in problems if "is not allowed" in problem]
    for problem in problems:
        if problem not in wrong:
            _say(f"warning: {problem}")
    if wrong:
        for problem in wrong:
            _say(f"error: {problem.rpartition(';')[0]}")
        sys.exit(2)
    if read.hooks_file and not os.path.isfile(read.hooks_file):  # noqa: PTH113  # the text as it is given
        _say(f"error: {options.HOOKS_FILE.env}={read.hooks_file!r} is no file (see {settings.DOCUMENTATION})")
        sys.exit(2)
    if read.disabled or settings.sdk_disabled(environ):
        _say("warning: a kill switch is on (OTEL_LLM_ROUTER_DISABLED or OTEL_SDK_DISABLED): nothing is instrumented")
        return
    for warning in (*_others(environ), *_executable.doubts(executable, arguments)):
        _say(f"warning: {warning}")


def _others(environ: Mapping[str, str]) -> Iterator[str]:
    for variable, without in _CHOOSERS.items():
        chosen = environ.get(variable)
        if chosen is not None and chosen != OURS:
            yield f"{variable}={chosen!r} is in the way: {without}; unset it or set it to {OURS}"


def _become(command: tuple[str, ...]) -> NoReturn:
    from opentelemetry.instrumentation import auto_instrumentation  # noqa: PLC0415  # `--help` need not wait for it

    sys.argv = ["opentelemetry-instrument", "--", *command]
    auto_instrumentation.run()
    raise AssertionError("the process is another program by now")  # pragma: no cover


def _say(text: str) -> None:
    click.echo(f"otel-llm-router: {text}", err=True)
