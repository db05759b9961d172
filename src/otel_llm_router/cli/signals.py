"""The command ``otel-llm-router signals``: the catalogue of everything that is emitted.

Room: `cli`.
"""

from __future__ import annotations

import json

import click

from otel_llm_router import signals as declared
from otel_llm_router.cli import _catalogue

_EXAMPLE = """\b
Example:
  otel-llm-router signals
  otel-llm-router signals --json | jq -r '.[].prometheus_name'
"""


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
    from rich.table import Table  # noqa: PLC0415

    table = Table("Prometheus name", "kind", "labels", "stability", box=None, pad_edge=False)
    for instrument in declared.INSTRUMENTS:
        table.add_row(
            instrument.prometheus_name,
            instrument.kind.value.replace("_", " "),
            " ".join(attribute.key for attribute in instrument.attributes),
            instrument.stability.value,
        )
    console = Console()
    # Piped output has no width of its own: a name cut in two is no name.
    if not console.is_terminal:
        console = Console(width=200)
    console.print(table)
    console.print(
        f"{len(declared.INSTRUMENTS)} metrics, {len(declared.SPANS)} kinds of spans, {len(declared.EVENTS)} log events. "
        "--markdown says what each means."
    )
