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
from typing import Any

import wrapt
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor

from otel_llm_router.instrumentation.hooks import _declarations, _files, _profiles
from otel_llm_router.instrumentation.hooks._groups import Group, Status
from otel_llm_router.signals import options
from otel_llm_router.telemetry.instrumenting import guard

_logger = logging.getLogger("otel_llm_router")

_groups: list[Group] = []


def status() -> list[Status]:
    """Return what became of each declared hook, and of the hooks of each profile that was looked at."""
    return [one for group in _groups for one in group.status()]


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
        own = _declared(str(kwargs.get("hooks", os.environ.get(options.HOOKS.env, ""))))
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
        _groups.append(group)
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
        if group not in _groups:
            _groups.append(group)
        group.imported(name, module)

    def _uninstrument(self, **kwargs: Any) -> None:  # noqa: ARG002  # options of other instrumentors
        self._active = False
        for group in reversed(_groups):
            group.remove()
        _groups.clear()
        for profile in _profiles.SHIPPED:
            profile.forget()


def _declared(text: str) -> list[Group]:
    hooks, problems = _declarations.many(text, options.HOOKS.env)
    for problem in problems:
        _logger.warning("otel-llm-router: %s: %s", options.HOOKS.env, problem)
    return [Group(options.HOOKS.env, tuple(hooks))] if hooks else []


def _in_file(path: Path) -> list[Group]:
    profile, problems = _files.read(path)
    for problem in problems:
        _logger.warning("otel-llm-router: %s=%r: %s", options.HOOKS_FILE.env, str(path), problem)
    return [] if profile is None else [Group(profile.name, profile.hooks, profile.requires)]


__all__ = ["HooksInstrumentor", "Status", "status"]
