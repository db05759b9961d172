"""Which hooked calls are going on here, innermost first.

Room: `instrumentation`. Frames travel inside OpenTelemetry's context, as requests and attempts do. A frame
that is closed counts for nothing, so that a task begun inside a call and living on does not seem inside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

from opentelemetry import context as otel_context
from opentelemetry.context import Context

_FRAME: Final = otel_context.create_key("otel_llm_router.hooks.frame")

_MAX_DEPTH: Final = 64


class Frame:
    """One hooked call that is going on.

    Args:
        hook: The hook.
        place: The function of that hook that was called.
        instance: What it was called on.
        values: What hooks inside can refer to as ``outer``.
    """

    __slots__ = ("hook", "instance", "open", "outer", "place", "values")

    def __init__(self, hook: object, place: object, instance: object, values: Mapping[str, Any]) -> None:
        self.hook = hook
        self.place = place
        self.instance = instance
        self.values = values
        self.open = True
        self.outer = next(_open(), None)

    def within(self, context: Context) -> Context:
        """Return ``context`` with this frame as the innermost one."""
        return otel_context.set_value(_FRAME, self, context)


def _open() -> Iterator[Frame]:
    frame = cast("Frame | None", otel_context.get_value(_FRAME))
    for _ in range(_MAX_DEPTH):
        if frame is None:
            return
        if frame.open:
            yield frame
        frame = frame.outer


def overridden(hook: object, place: object, instance: object) -> bool:
    """Whether this call is that of an override to what it overrides: one call, not two."""
    frame = next(_open(), None)
    return (
        frame is not None
        and instance is not None
        and frame.hook is hook
        and frame.place is not place
        and frame.instance is instance
    )


def outer(name: str) -> Any:
    """Return a value of the innermost call around that has it, or None."""
    for frame in _open():
        value = frame.values.get(name)
        if value is not None:
            return value
    return None
