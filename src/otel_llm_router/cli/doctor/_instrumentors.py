"""Which instrumentors will be loaded.

Room: `cli`. Nothing is imported for it: an instrumentor's metadata say what it is for.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Final

from opentelemetry.instrumentation.dependencies import get_dist_dependency_conflicts

from otel_llm_router.cli.doctor._findings import Finding
from otel_llm_router.cli.doctor._installed import Found
from otel_llm_router.cli.doctor._situation import Situation

CHECK: Final = "instrumentors"
GROUP: Final = "opentelemetry_instrumentor"
DISABLED: Final = "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"

_LIBRARIES: Final = {
    "llm_router_litellm": ("litellm",),
    "llm_router_wire": ("httpx", "aiohttp", "requests"),
}
"""Libraries of ours that wait for one of these."""


def check(situation: Situation) -> Iterator[Finding]:
    """Say which instrumentors are active, skipped because nothing is there for them, or switched off."""
    found = situation.installed.entry_points(GROUP)
    disabled = situation.disabled_instrumentations()
    if "*" in disabled:
        yield Finding(
            CHECK,
            "warn",
            f"{DISABLED} has *: no instrumentor is loaded, and only the manual API records anything",
            f"name in {DISABLED} those that are not wanted",
        )
        return
    active: list[str] = []
    skipped: list[str] = []
    off: list[str] = []
    for one in found:
        if one.name in disabled:
            off.append(one.name)
        elif (problem := _conflict(one)) is not None:
            yield Finding(
                CHECK, "warn", f"{one.name} ({one.package}) is skipped: {problem}", "install a version that it supports"
            )
        elif (missing := _missing(one, situation)) is not None:
            skipped.append(f"{one.name} ({missing})")
        else:
            active.append(one.name)
    for problem in _unknown(disabled, [one.name for one in found]):
        yield problem
    ours = sorted(name for name in active if name.startswith("llm_router_"))
    if not ours:
        yield Finding(CHECK, "fail", "none of our instrumentors is active", f"take llm_router_... out of {DISABLED}")
    yield Finding(CHECK, "ok", f"active: {', '.join(sorted(active)) or 'none'}")
    if skipped:
        yield Finding(CHECK, "ok", f"skipped, nothing there to instrument: {', '.join(sorted(skipped))}")
    if off:
        yield Finding(CHECK, "ok", f"switched off by {DISABLED}: {', '.join(sorted(off))}")


def _conflict(one: Found) -> str | None:
    try:
        conflict = get_dist_dependency_conflicts(one.distribution)
    except Exception as error:  # noqa: BLE001  # metadata of any package
        return f"its requirements cannot be read ({type(error).__name__})"
    if conflict is None or not (conflict.found or conflict.found_any):
        return None
    wanted = conflict.required or ", ".join(str(name) for name in conflict.required_any or ())
    has = conflict.found or ", ".join(str(name) for name in conflict.found_any or ())
    return f"it is for {str(wanted).partition(';')[0].strip()} and {has} is installed"


def _missing(one: Found, situation: Situation) -> str | None:
    libraries = _LIBRARIES.get(one.name)
    if libraries is not None:
        if any(situation.installed.version(name) for name in libraries):
            return None
        return f"no {' or '.join(libraries)}"
    conflict = get_dist_dependency_conflicts(one.distribution)
    if conflict is None:
        return None
    wanted = [conflict.required] if conflict.required else list(conflict.required_any or ())
    return f"no {' or '.join(str(name).partition(';')[0].strip() for name in wanted)}"


def _unknown(disabled: list[str], names: list[str]) -> Iterator[Finding]:
    for name in disabled:
        if name not in names:
            close = difflib.get_close_matches(name, names, n=1)
            hint = f"did you mean {close[0]}?" if close else "the names are those in this list's other lines"
            yield Finding(CHECK, "warn", f"{DISABLED} names {name}, and no instrumentor is called that", hint)
