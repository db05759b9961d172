"""The command ``otel-llm-router signals``: the catalogue of everything that is emitted.

Room: `cli`.
"""

from __future__ import annotations

import json
from typing import Final

import click

from otel_llm_router import signals as declared
from otel_llm_router.cli import _catalogue

_EXAMPLE = """\b
Example:
  otel-llm-router signals
  otel-llm-router signals --json | jq -r '.[].prometheus_name'
"""

_ANY_WIDTH: Final = 10_000


@click.command(epilog=_EXAMPLE)
@click.option("--markdown", is_flag=True, help="Print the page docs/signals.md.")
@click.option("--json", "as_json", is_flag=True, help="Print a list with one object for each metric.")
def signals(*, markdown: bool, as_json: bool) -> None:
    """Print the catalogue of signals.

    Without an option, a table of the metrics by the names that Prometheus shows.
    """
    if markdown and as_json:
        raise click.UsageError("--markdown and --json cannot go together")
    if as_json:
        click.echo(json.dumps([_catalogue.entry(instrument) for instrument in declared.INSTRUMENTS], indent=2))
    elif markdown:
        click.echo(_catalogue.signals_page(), nl=False)
    else:
        _print_table()


def _print_table() -> None:
    from rich.console import Console  # noqa: PLC0415  # `--help` need not wait for rich
    from rich.padding import Padding  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    rows = [
        (
            one.prometheus_name,
            one.kind.value.replace("_", " "),
            " ".join(attribute.key for attribute in one.attributes),
            one.stability.value,
        )
        for one in declared.INSTRUMENTS
    ]
    table = Table("Prometheus name", "kind", "labels", "stability", box=None, pad_edge=False)
    for row in rows:
        table.add_row(*row)
    console = Console()
    width = Console(width=_ANY_WIDTH).measure(table).maximum
    # Piped output has no width of its own: a name cut in two is no name.
    if not console.is_terminal:
        console = Console(width=width)
    if console.width >= width:
        console.print(table)
    else:
        for name, kind, labels, stability in rows:
            console.print(Text(name, style="bold", overflow="fold"))
            console.print(Padding(Text(f"{kind}, {stability}{': ' if labels else ''}{labels}"), (0, 0, 0, 4)))
    console.print(
        f"{len(declared.INSTRUMENTS)} metrics, {len(declared.SPANS)} kinds of spans, {len(declared.EVENTS)} log events. "
        "--markdown says what each means."
    )
