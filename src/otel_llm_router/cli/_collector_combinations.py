"""Let a Collector check every combination of files that the README names.

Room: `cli`. A Collector comes in; a line for each combination, and whether all are well, go out.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from otel_llm_router.cli._collector_layers import Combination, combinations, required_variables
from otel_llm_router.cli._collector_locate import validate
from otel_llm_router.cli._collector_settings import CollectorSettings

_NOT_OURS: Final = frozenset({"exporter kafka", "receiver kafka", "exporter loadbalancing"})
"""Components that our small build leaves out, as its manifest says; the upstream contrib image has them."""
_STANDS_IN: Final = "http://127.0.0.1:9"
"""For a variable without a default that nobody has set: good for an address, a path and a password."""


def check_combinations(binary: Path) -> bool:
    """Check every combination, and print what became of each.

    One that needs a component that our build leaves out on purpose is checked where the Collector has it, and else
    said to be unchecked.

    Returns:
        Whether there is a combination, and none is invalid.
    """
    found = combinations()
    results = [_check(binary, combination) for combination in found]
    click.echo(f"{sum(results)} of {len(found)} combinations are in order, by {binary}")
    return bool(found) and all(results)


def _check(binary: Path, combination: Combination) -> bool:
    configs = combination.files()
    stand_ins = dict.fromkeys(required_variables(configs), _STANDS_IN)
    verdict = validate(binary, CollectorSettings(configs=configs, variables=stand_ins))
    if verdict.accepted:
        click.echo(f"valid: {combination.text}")
    elif verdict.missing and _NOT_OURS.issuperset(verdict.missing):
        click.echo(f"not checked, the Collector has no {', '.join(verdict.missing)}: {combination.text}")
    else:
        click.echo(f"INVALID: {combination.text}\n{verdict.reason}", err=True)
        return False
    return True
