"""Declared hooks: functions of any router, named in configuration, that mean something to the telemetry.

Room: `instrumentation`. Loaded by ``opentelemetry-instrument`` under the name ``llm_router_hooks``. Options
``hooks`` and ``hooks_file`` come in, and the profiles that are shipped for known routers; modules are hooked
when the application imports them, and nothing is imported for it.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Collection
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import wrapt
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor

from otel_llm_router.instrumentation.hooks import _profiles
from otel_llm_router.instrumentation.hooks._status import Status
from otel_llm_router.signals import options
from otel_llm_router.telemetry.instrumenting import guard

if TYPE_CHECKING:
    from otel_llm_router.instrumentation.hooks._groups import Group

_logger = logging.getLogger("otel_llm_router")

PROFILES: Final = tuple(profile.name for profile in _profiles.SHIPPED)
"""Names of the profiles that are shipped."""

_known: list[Group] = []


def status() -> list[Status]:
    """Return what became of each declared hook, and of the hooks of each profile that was looked at."""
    return [one for group in _known for one in group.status()]


def declared(hooks: str = "", file: str = "") -> tuple[list[Status], list[str]]:
    """Read declarations without putting any in place.

    Args:
        hooks: Text of option ``hooks``.
        file: Path of a file, as option ``hooks_file`` names it.

    Returns:
        The hooks that can be used, waiting for their modules; and a sentence about each thing that is wrong.
    """
    from otel_llm_router.instrumentation.hooks import _declarations, _files  # noqa: PLC0415  # see below

    found, problems = _declarations.many(hooks, options.HOOKS.env) if hooks.strip() else ([], [])
    all_found, all_problems = list(found), [f"{options.HOOKS.env}: {problem}" for problem in problems]
    if file.strip():
        profile, wrong = _files.read(Path(file.strip()))
        all_found += () if profile is None else profile.hooks
        all_problems += [f"{options.HOOKS_FILE.env}={file.strip()!r}: {problem}" for problem in wrong]
    return [Status(str(hook), hook.source, "waiting") for hook in all_found], all_problems


class HooksInstrumentor(BaseInstrumentor):
    """Puts declared hooks in place."""

    _active = False

    def instrumentation_dependencies(self) -> Collection[str]:
        """Return nothing: hooks are for any application."""
        return ()

    def _instrument(self, **kwargs: Any) -> None:
        """Wait for the modules of all hooks.

        Args:
            **kwargs: ``hooks`` and ``hooks_file`` in place of the options, ``profiles`` (False for none of those shipped).
        """
        self._active = True
        text = str(kwargs.get("hooks", os.environ.get(options.HOOKS.env, ""))).strip()
        own = _declared(text) if text else []
        file = str(kwargs.get("hooks_file", os.environ.get(options.HOOKS_FILE.env, ""))).strip()
        own += _in_file(Path(file)) if file else []
        for group in own:
            self._wait(group)
        if kwargs.get("profiles", True):
            taken = frozenset(str(hook) for group in own for hook in group.hooks)
            for profile in _profiles.SHIPPED:
                for module in profile.modules:
                    self._when_imported(module, partial(self._profile, profile, taken, module))

    def _wait(self, group: Group) -> None:
        _known.append(group)
        for module in group.modules:
            self._when_imported(module, partial(group.imported, module))

    def _when_imported(self, name: str, then: Any) -> None:
        def imported(module: Any) -> None:
            with guard("hooks.imported"):
                if self._active:
                    then(module)

        wrapt.when_imported(name)(imported)

    def _profile(self, profile: _profiles.Shipped, taken: frozenset[str], name: str, module: Any) -> None:
        group = profile.group(taken)
        if group not in _known:
            _known.append(group)
        group.imported(name, module)

    def _uninstrument(self, **kwargs: Any) -> None:  # noqa: ARG002  # options of other instrumentors
        self._active = False
        for group in reversed(_known):
            group.remove()
        _known.clear()
        for profile in _profiles.SHIPPED:
            profile.forget()


# What hooks are made of is imported once there are some: most processes have none.


def _declared(text: str) -> list[Group]:
    from otel_llm_router.instrumentation.hooks import _declarations, _groups  # noqa: PLC0415  # see above

    hooks, problems = _declarations.many(text, options.HOOKS.env)
    for problem in problems:
        _logger.warning("otel-llm-router: %s: %s", options.HOOKS.env, problem)
    return [_groups.Group(options.HOOKS.env, tuple(hooks))] if hooks else []


def _in_file(path: Path) -> list[Group]:
    from otel_llm_router.instrumentation.hooks import _files, _groups  # noqa: PLC0415  # see above

    profile, problems = _files.read(path)
    for problem in problems:
        _logger.warning("otel-llm-router: %s=%r: %s", options.HOOKS_FILE.env, str(path), problem)
    return [] if profile is None else [_groups.Group(profile.name, profile.hooks, profile.requires)]


__all__ = ["PROFILES", "HooksInstrumentor", "Status", "declared", "status"]
