"""The one guard between our code and the application.

Room: `telemetry`. Every hook and every public call runs inside it. An error of ours is counted
and logged once for each place; under test (``OTEL_LLM_ROUTER_STRICT`` or
`otel_llm_router.testing`) it is raised. Errors of the application never pass through here: the
guard wraps our work beside the application's, never around it.
"""

from __future__ import annotations

import functools
import logging
import os
from collections.abc import Callable
from types import TracebackType
from typing import ParamSpec, TypeVar

_logger = logging.getLogger("otel_llm_router")

P = ParamSpec("P")
R = TypeVar("R")

_TRUE = frozenset({"1", "true", "yes", "on"})


class _State:
    """What the guard knows: whether to raise, what it caught, and whom to tell."""

    def __init__(self) -> None:
        self.strict = os.environ.get("OTEL_LLM_ROUTER_STRICT", "").strip().lower() in _TRUE
        self.caught: dict[str, int] = {}
        self.listener: Callable[[str], None] | None = None


state = _State()


def caught(hook: str, error: BaseException) -> None:
    """Account for an error of ours at ``hook``; raise it again under test.

    KeyboardInterrupt and SystemExit belong to the application wherever they strike and are
    always raised again.
    """
    if state.strict or isinstance(error, (KeyboardInterrupt, SystemExit)):
        raise error
    count = state.caught.get(hook, 0) + 1
    state.caught[hook] = count
    try:
        if count == 1:
            # Types only: an exception's message may hold what the application was working on.
            _logger.warning(
                "otel-llm-router: %s in its own hook %r; the application is not affected, telemetry there may be "
                "incomplete (said once; counted in llm_router.telemetry.guard.errors)",
                type(error).__name__,
                hook,
            )
            _logger.debug("error in hook %r", hook, exc_info=error)
        if state.listener is not None:
            state.listener(hook)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException:  # noqa: BLE001, S110  # nothing is left to tell
        pass


def guarded(hook: str) -> Callable[[Callable[P, R]], Callable[P, R | None]]:
    """Decorate a function of ours that runs inside the application; it returns None when it fails."""

    def decorate(function: Callable[P, R]) -> Callable[P, R | None]:
        @functools.wraps(function)
        def wrapper(*args: P.args, **kwargs: P.kwargs) -> R | None:
            try:
                return function(*args, **kwargs)
            except BaseException as error:  # noqa: BLE001  # the point of the guard
                caught(hook, error)
                return None

        return wrapper

    return decorate


class guard:  # noqa: N801  # reads as a statement
    """Context manager form of the guard, for a few lines inside a wrapper."""

    __slots__ = ("_hook",)

    def __init__(self, hook: str) -> None:
        self._hook = hook

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if error is None:
            return False
        caught(self._hook, error)
        return True
