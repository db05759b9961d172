"""What hooks are declared, and whether they can be read.

Room: `cli`. Nothing of the application is imported: whether a hook's target exists shows when it runs.
"""

from __future__ import annotations

import importlib.machinery
import os
import sys
from collections.abc import Iterator
from typing import Final

from otel_llm_router.cli.doctor import _masking
from otel_llm_router.cli.doctor._findings import Finding
from otel_llm_router.cli.doctor._situation import Situation
from otel_llm_router.instrumentation import hooks
from otel_llm_router.signals import options

CHECK: Final = "hooks"


def check(situation: Situation) -> Iterator[Finding]:
    """Say which hooks wait for their modules, and which are wrong."""
    declared, problems = hooks.declared(situation.settings.hooks, situation.settings.hooks_file)
    for problem in problems:
        yield Finding(
            CHECK,
            "fail",
            _masking.text(problem),
            f"correct it in {options.HOOKS.env} or {options.HOOKS_FILE.env}; see docs/hooks.md",
        )
    for one in declared:
        package = one.hook.partition(":")[0].partition(".")[0]
        if _is_there(package):
            yield Finding(CHECK, "ok", f"{one.hook} ({one.source}) waits for its module")
        else:
            yield Finding(
                CHECK,
                "warn",
                f"{one.hook} ({one.source}): no module {package} is found from this directory",
                "run this where the application is started, or correct the name",
            )
    if not declared and not problems:
        yield Finding(CHECK, "ok", "none are declared")
    yield Finding(CHECK, "ok", f"profiles that apply where their router is imported: {', '.join(hooks.PROFILES)}")


def _is_there(package: str) -> bool:
    if package in sys.builtin_module_names:
        return True
    try:
        return importlib.machinery.PathFinder.find_spec(package, [os.getcwd(), *sys.path]) is not None  # noqa: PTH109
    except (ImportError, ValueError):
        return False
