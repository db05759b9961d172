"""``otel-llm-router``: the command line.

Room: `cli`. Each command is a module of its own, imported when it is called, so that ``--help`` and
the light commands start fast.
"""

from __future__ import annotations

import importlib
from typing import Any, Final

import click

from otel_llm_router._version import DISTRIBUTION, __version__

_COMMANDS: Final = {
    "alerts": ("otel_llm_router.cli.alerts.command", "alerts", "Configure Alertmanager, and test where alerts go."),
    "collector": ("otel_llm_router.cli.collector", "collector", "Run or validate the OpenTelemetry Collector."),
    "dashboards": ("otel_llm_router.cli.dashboards", "dashboards", "List and export the Grafana dashboards."),
    "demo": ("otel_llm_router.cli.demo.command", "demo", "Watch a real router, and check every number of it."),
    "doctor": ("otel_llm_router.cli.doctor.command", "doctor", "Say what is wrong with a set-up, and what to do."),
    "hash-password": ("otel_llm_router.cli.hash_password", "hash_password", "Hash a password for the scrape server."),
    "rules": ("otel_llm_router.cli.rules", "rules", "List and export the Prometheus rules."),
    "run": ("otel_llm_router.cli.run", "run", "Start an application, instrumented."),
    "stack": ("otel_llm_router.cli.stack.command", "stack", "Run the whole stack on this machine, without containers."),
    "signals": ("otel_llm_router.cli.signals", "signals", "Print the catalogue of signals."),
}
"""Name of each command: module, attribute, first line of help."""


class _Lazy(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        module, attribute, _ = _COMMANDS[cmd_name]
        command: Any = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, _COMMANDS[name][2]) for name in self.list_commands(ctx)])


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name=DISTRIBUTION)
def main() -> None:
    """OpenTelemetry for LLM routers and gateways.

    An application is instrumented by starting it with run, or under opentelemetry-instrument:

        otel-llm-router run -- uvicorn app:app
    """
