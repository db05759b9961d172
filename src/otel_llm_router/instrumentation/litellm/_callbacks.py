"""LiteLLM's own callbacks that make telemetry of the same calls: what becomes of both is said once.

Room: `instrumentation`. LiteLLM's lists of callbacks come in. Nothing is changed in them.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from typing import Any, Final

_logger = logging.getLogger("otel_llm_router")

CHOICES: Final = {
    "otel": "it finds our span of each call and writes on it, and adds one of the raw request; ours stays the only span of the "
    "call, and our counts are not touched",
    "prometheus": "its numbers are its own, under litellm_* names; ours are not touched",
}
"""What becomes of a callback's telemetry and of ours, by the callback's name."""

_CLASSES: Final = {"OpenTelemetry": "otel", "PrometheusLogger": "prometheus"}
_LISTS: Final = ("callbacks", "success_callback", "_async_success_callback")
_MAX_LOOKED_AT: Final = 100


class Callbacks:
    """The callbacks that have been spoken of."""

    def __init__(self) -> None:
        self._said: set[str] = set()
        self._before: tuple[int, ...] = ()

    def look(self) -> None:
        """Say what becomes of those that have come since the last time."""
        litellm: Any = sys.modules["litellm"]  # it is loaded: we are called by it
        lists: list[Sequence[Any]] = [getattr(litellm, name, None) or () for name in _LISTS]
        lengths = tuple(len(each) for each in lists)
        if lengths == self._before:
            return
        self._before = lengths
        for each in lists:
            for callback in list(each)[:_MAX_LOOKED_AT]:
                name = callback if isinstance(callback, str) else _CLASSES.get(type(callback).__name__, "")
                if name in CHOICES and name not in self._said:
                    self._said.add(name)
                    _logger.warning(
                        "otel-llm-router: LiteLLM's callback %s is on: %s (said once); see docs/litellm.md.",
                        name,
                        CHOICES[name],
                    )
