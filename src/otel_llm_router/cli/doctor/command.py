"""The command ``otel-llm-router doctor``: runs the checks and prints what they say.

Room: `cli`.
"""

from __future__ import annotations

import contextlib
import json
import logging
import sys
from collections.abc import Generator
from dataclasses import asdict
from typing import Final

import click

from otel_llm_router.cli.doctor import (
    _audit,
    _collector,
    _content,
    _distros,
    _foreign,
    _hooks,
    _instrumentors,
    _logs,
    _options,
    _port,
    _redaction,
    _versions,
    _workers,
)
from otel_llm_router.cli.doctor._findings import Finding
from otel_llm_router.cli.doctor._situation import Check, Situation, here

CHECKS: Final[tuple[tuple[str, Check], ...]] = (
    ("versions", _versions.check),
    ("distro", _distros.check),
    ("instrumentors", _instrumentors.check),
    ("foreign", _foreign.check),
    ("hooks", _hooks.check),
    ("content", _content.check),
    ("audit", _audit.check),
    ("redaction", _redaction.check),
    ("workers", _workers.check),
    ("scrape", _port.check),
    ("logs", _logs.check),
    ("collector", _collector.check),
    ("options", _options.check),
)

_EXAMPLE = """\b
Example:
  otel-llm-router doctor
  otel-llm-router doctor --json | jq -r '.[] | select(.status != "ok") | .message'
"""

_STYLES: Final = {"ok": "green", "warn": "yellow", "fail": "bold red"}
_ANY_WIDTH: Final = 10_000


@click.command(epilog=_EXAMPLE)
@click.option("--json", "as_json", is_flag=True, help="Print a list of {check, status, message, suggestion}.")
def doctor(*, as_json: bool) -> None:
    """Say what is wrong with this set-up, and what to do about it.

    Looks at the installation and the environment as an application would that is started in this shell and
    directory: versions, distribution, instrumentors, hooks, port, collector, options. Sends one test record to the
    collector. Prints no secrets.

    Exits with 0 when nothing failed, warnings included, and with 1 otherwise.
    """
    # What libraries say of a variable may repeat it, and would be in the way of JSON: findings say what matters.
    logging.getLogger().addHandler(logging.NullHandler())
    with _waiting(quiet=as_json):
        findings = examine(here())
    if as_json:
        click.echo(json.dumps([asdict(one) for one in findings], indent=2))
    else:
        _print(findings)
    sys.exit(1 if any(one.status == "fail" for one in findings) else 0)


def examine(situation: Situation) -> list[Finding]:
    """Run every check; one that fails itself is a finding and stops no other."""
    return [finding for name, check in CHECKS for finding in _run(name, check, situation)]


def _run(name: str, check: Check, situation: Situation) -> Generator[Finding]:
    try:
        yield from check(situation)
    except Exception as error:  # noqa: BLE001  # an installation can be broken in any way; the words may hold a secret
        yield Finding(
            name,
            "fail",
            f"this could not be looked at ({type(error).__name__})",
            "an installed package is damaged: pip check; pip install --force-reinstall otel-llm-router",
        )


@contextlib.contextmanager
def _waiting(*, quiet: bool) -> Generator[None]:
    from rich.console import Console  # noqa: PLC0415  # `--help` need not wait for rich

    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield
        return
    with console.status("looking at the installation and asking the collector"):
        yield


def _print(findings: list[Finding]) -> None:
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table.grid(padding=(0, 2))
    before = ""
    for one in findings:
        message = Text(one.message, overflow="fold")
        if one.suggestion:
            message.append(f"\n-> {one.suggestion}", style="cyan")
        table.add_row(
            Text(one.status, style=_STYLES[one.status]), Text("" if one.check == before else one.check), message
        )
        before = one.check
    console = Console(highlight=False)
    if not console.is_terminal:
        # Piped output has no width of its own: a line is searched for.
        console = Console(highlight=False, width=_ANY_WIDTH)
        for one in findings:
            console.print(Text(f"{one.status:4}  {one.check:13}  {one.message}"))
            if one.suggestion:
                console.print(Text(f"{'':21}-> {one.suggestion}"))
    else:
        console.print(table)
    count = {status: sum(one.status == status for one in findings) for status in _STYLES}
    console.print(Text(f"{count['fail']} failed, {count['warn']} to look at, {count['ok']} in order"))
