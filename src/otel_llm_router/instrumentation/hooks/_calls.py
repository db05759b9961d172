"""One call of a hooked function, as far as expressions and guesses look into it.

Room: `instrumentation`. Arguments, instance and result come in; values by name go out.
"""

from __future__ import annotations

import contextlib
import enum
import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from weakref import WeakKeyDictionary

from otel_llm_router import telemetry
from otel_llm_router.instrumentation.hooks import _frames
from otel_llm_router.instrumentation.hooks._declarations import Hook

decisions: Final[WeakKeyDictionary[telemetry.Request, Mapping[str, Any]]] = WeakKeyDictionary()
"""What was decided last for each request in flight, for ``decision.model`` and so on."""


@dataclass(slots=True, eq=False)
class Place:
    """One function that a hook is on.

    Args:
        hook: The hook.
        name: Name of the function, for labels that nobody gave.
        positions: Position of each parameter that can be given by position.
        defaults: Defaults of parameters.
        calls: How often it was called.
        outer: The place of the function that is given this one as an argument.
    """

    hook: Hook
    name: str
    positions: Mapping[str, int] = field(default_factory=dict[str, int])
    defaults: Mapping[str, Any] = field(default_factory=dict[str, Any])
    calls: int = 0
    outer: Place | None = None

    def count(self) -> None:
        """Count a call."""
        self.calls += 1
        if self.outer is not None:
            self.outer.calls += 1


def place_of(hook: Hook, function: Any, *, bound: bool) -> Place:
    """Return the place of ``hook`` on ``function``, whose first parameter is the instance where ``bound``."""
    positions: dict[str, int] = {}
    defaults: dict[str, Any] = {}
    with contextlib.suppress(ValueError, TypeError):  # no signature, as with some builtins
        parameters = list(inspect.signature(function).parameters.values())[1 if bound else 0 :]
        for position, parameter in enumerate(parameters):
            if parameter.kind in {parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD}:
                positions[parameter.name] = position
            if parameter.default is not parameter.empty:
                defaults[parameter.name] = parameter.default
    return Place(hook, hook.target.argument or hook.target.path[-1], positions, defaults)


class Arguments(Mapping["str | int", Any]):
    """Arguments by name or position, however they were given; defaults count."""

    def __init__(self, place: Place, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        self._place = place
        self._args = args
        self._kwargs = kwargs

    def __getitem__(self, key: str | int) -> Any:
        if isinstance(key, int):
            return self._args[key] if -len(self._args) <= key < len(self._args) else None
        if key in self._kwargs:
            return self._kwargs[key]
        position = self._place.positions.get(key, len(self._args))
        return self._args[position] if position < len(self._args) else self._place.defaults.get(key)

    def __iter__(self) -> Iterator[str | int]:
        return iter(self._kwargs)

    def __len__(self) -> int:
        return len(self._args) + len(self._kwargs)

    def given(self) -> Iterator[Any]:
        """Iterate over what was given."""
        yield from self._args
        yield from self._kwargs.values()


class Call:
    """One call.

    Args:
        place: What was called.
        instance: On what.
        args: Positional arguments.
        kwargs: Keyword arguments.
    """

    __slots__ = ("args", "error", "instance", "kwargs", "place", "request", "result")

    def __init__(self, place: Place, instance: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        self.place = place
        self.instance = instance
        self.args = Arguments(place, args, kwargs)
        self.kwargs = kwargs
        self.result: Any = None
        self.error: BaseException | None = None
        self.request = telemetry.current()

    def _root(self, root: str) -> Any:
        if root == "outer":
            return _Outer
        if root == "decision":
            return decisions.get(self.request) if self.request is not None else None
        return self.instance if root == "self" else getattr(self, root)

    def has(self, name: str) -> bool:
        """Whether the hook says where the value is."""
        return name in self.place.hook.values

    def value(self, name: str) -> Any:
        """Return a value where the hook says that it is, or None."""
        expression = self.place.hook.values.get(name)
        return None if expression is None else expression.of(self._root)

    def text(self, name: str) -> str:
        """Return a value that is a name, or an empty text: no object's ``repr`` becomes one."""
        return as_text(self.value(name))

    def named(self) -> tuple[str, str]:
        """Return provider and model, where they are said, each or both in one text."""
        first, slash, rest = self.text("provider_and_model").partition("/")
        if not slash:
            first, rest = "", first
        return self.text("provider") or first, self.text("model") or rest

    def number(self, name: str) -> float | None:
        """Return a value that is a number, or None."""
        value = self.value(name)
        return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None

    def truth(self, name: str) -> bool:
        """Whether a value is there and true."""
        try:
            return bool(self.value(name))
        except Exception:  # noqa: BLE001  # an array, or somebody else's __bool__
            return False


class _OuterValues:
    """The root ``outer``."""

    def __getattr__(self, name: str) -> Any:
        return _frames.outer(name)


_Outer: Final = _OuterValues()


def as_text(value: Any) -> str:
    """Return a name, number or enum member as text, and of anything else an empty one."""
    if isinstance(value, enum.Enum):
        value = value.value
    if isinstance(value, str):
        return str.__str__(value)
    return str(value) if isinstance(value, (int, float)) else ""
