"""The rows of the matrix: one module each.

A row has ``ID``, ``TITLE``, ``HOW``, ``PASS``, ``run(subject, quick) -> figures`` and ``reached(figures) -> bool``. Figures
are texts and numbers by what they are of.
"""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType

Figures = dict[str, float | int | str]


def found() -> dict[str, ModuleType]:
    """Return the rows by their ids, in their order."""
    modules = [importlib.import_module(f"{__name__}.{one.name}") for one in pkgutil.iter_modules(__path__)]
    return {one.ID: one for one in sorted(modules, key=lambda one: int(one.ID[1:]))}
