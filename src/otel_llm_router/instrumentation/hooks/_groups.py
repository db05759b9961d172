"""Hooks that belong together, from waiting for their modules to being in place.

Room: `instrumentation`. Modules come in as they are imported. A group with requirements is put in place at
once and does nothing until all of them are seen to exist; if one does not, it goes away.
"""

from __future__ import annotations

import logging
from typing import Any

from otel_llm_router.instrumentation.hooks import _places
from otel_llm_router.instrumentation.hooks._declarations import DOCUMENTATION, Hook, HookError, Target
from otel_llm_router.instrumentation.hooks._places import Placed
from otel_llm_router.instrumentation.hooks._status import Status
from otel_llm_router.signals.instruments import self_telemetry
from otel_llm_router.telemetry.instrumenting import recorder

_logger = logging.getLogger("otel_llm_router")


class Group:
    """Hooks that belong together.

    Args:
        name: What they are called in messages.
        hooks: The hooks.
        requires: What must exist for any of them to do something.
    """

    def __init__(self, name: str, hooks: tuple[Hook, ...], requires: tuple[Target, ...] = ()) -> None:
        self.name = name
        self.hooks = hooks
        self._missing = set(requires)
        self._placed: dict[Hook, Placed] = {}
        self._wrong: dict[Hook, str] = {}
        self._unsaid: list[Hook] = []
        self._foreign = False
        self._gone = False
        self.working = not requires

    @property
    def modules(self) -> frozenset[str]:
        """The modules that it waits for."""
        return frozenset({hook.target.module for hook in self.hooks} | {one.module for one in self._missing})

    def imported(self, name: str, module: Any) -> None:
        """Take that module ``name`` was imported."""
        if self._foreign or self._gone:
            return
        for target in [one for one in self._missing if one.module == name]:
            try:
                _places.find(module, target)
            except HookError as error:
                _logger.debug("otel-llm-router: profile %s is not for this application: %s", self.name, error)
                self.remove()
                self._foreign = True
                return
            self._missing.discard(target)
        for hook in self.hooks:
            if hook.target.module == name and hook not in self._placed and hook not in self._wrong:
                self._put(hook, module)
        if not self._missing and not self.working:
            self.working = True
            _logger.info("otel-llm-router: profile %s fits this application and is used", self.name)
        if self.working:
            self._say()
            recorder().observe(self_telemetry.INSTRUMENTATION_DEGRADED, f"hooks {self.name}", self._degraded)

    def _degraded(self) -> list[tuple[float, tuple[str, str]]]:
        known = [hook for hook in self.hooks if hook in self._placed or hook in self._wrong]
        return [(1.0 if hook in self._wrong else 0.0, (self.name, str(hook))) for hook in known]

    def _put(self, hook: Hook, module: Any) -> None:
        try:
            self._placed[hook] = _places.place(hook, module, lambda: self.working)
        except HookError as error:
            self._wrong[hook] = str(error)
            self._unsaid.append(hook)

    def _say(self) -> None:
        for hook in self._unsaid:
            _logger.warning(
                "otel-llm-router: hook %s (%s) is wrong, %s; this hook is left out (see %s)",
                hook,
                hook.source,
                self._wrong[hook],
                DOCUMENTATION,
            )
        self._unsaid.clear()

    def remove(self) -> None:
        """Give everything back as it was."""
        self.working = False
        self._gone = True
        for placed in reversed(list(self._placed.values())):
            placed.remove()
        self._placed.clear()

    def status(self) -> list[Status]:
        """Return what became of each hook."""
        return [self._status(hook) for hook in self.hooks]

    def _status(self, hook: Hook) -> Status:
        if self._foreign:
            return Status(str(hook), hook.source, "not for this application")
        if hook in self._wrong:
            return Status(str(hook), hook.source, "wrong", self._wrong[hook])
        if hook in self._placed:
            return Status(str(hook), hook.source, "in place", calls=self._placed[hook].calls)
        return Status(str(hook), hook.source, "waiting")
