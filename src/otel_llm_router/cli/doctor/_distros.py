"""Which distribution and which configurator ``opentelemetry-instrument`` will take.

Room: `cli`. Its rules: the one that the variable names, else the first that is found; a name that nobody has, and
an empty one, is nobody's.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from otel_llm_router.cli.doctor._findings import Finding
from otel_llm_router.cli.doctor._installed import Found
from otel_llm_router.cli.doctor._situation import Situation

OURS: Final = "otel_llm_router"


def check(situation: Situation) -> Iterator[Finding]:
    """Say who wins, and why."""
    for check_name, group, variable, without in (
        ("distro", "opentelemetry_distro", "OTEL_PYTHON_DISTRO", "our defaults for the standard variables are not set"),
        (
            "configurator",
            "opentelemetry_configurator",
            "OTEL_PYTHON_CONFIGURATOR",
            "our SDK and /metrics are not there",
        ),
    ):
        yield _one(
            check_name, situation.installed.entry_points(group), situation.environ.get(variable), variable, without
        )


def _one(check_name: str, found: list[Found], wanted: str | None, variable: str, without: str) -> Finding:
    candidates = ", ".join(f"{one.name} ({one.package})" for one in found) or "none"
    winner = next((one for one in found if wanted is None or one.name == wanted), None)
    choose = f"set {variable}={OURS}"
    if not any(one.name == OURS for one in found):
        return Finding(
            check_name,
            "fail",
            f"otel-llm-router's entry point is not among those found ({candidates}): its installation is incomplete",
            "install otel-llm-router again, with pip and not by copying files",
        )
    if winner is None:
        what = f"{variable} is set and empty" if not wanted else f"{variable} names one that is not installed"
        return Finding(
            check_name,
            "fail",
            f"{what}: none is loaded and {without}; installed: {candidates}",
            f"{choose}, or unset it" if len(found) == 1 else choose,
        )
    why = f"{variable} says so" if wanted is not None else "it is found first"
    if winner.name != OURS:
        return Finding(
            check_name,
            "fail",
            f"{winner.name} ({winner.package}) wins because {why}, and {without}; installed: {candidates}",
            choose if wanted is not None else f"{choose}, or start with otel-llm-router run, which does",
        )
    if len(found) == 1:
        return Finding(check_name, "ok", f"{OURS} is the only one installed and is taken")
    if wanted is None:
        return Finding(
            check_name,
            "warn",
            f"{OURS} wins because {why}, which another installation or directory can change; installed: {candidates}",
            choose,
        )
    return Finding(check_name, "ok", f"{OURS} wins because {why}; installed: {candidates}")
