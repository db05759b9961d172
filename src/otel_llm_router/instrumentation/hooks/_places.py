"""Where a hook goes: the function is found, wrapped, and given back.

Room: `instrumentation`. A hook and the imported module that it names come in. A hook on a method of a class is
on the overrides in derived classes too, also those that are yet to be defined.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any, Final, cast

import wrapt

from otel_llm_router.instrumentation.hooks import _endpoints
from otel_llm_router.instrumentation.hooks._calls import Place, place_of
from otel_llm_router.instrumentation.hooks._declarations import Hook, HookError, Target, close
from otel_llm_router.instrumentation.hooks._wrapping import Active, kind_of, wrapper
from otel_llm_router.telemetry.instrumenting import guard

_MISSING: Final = object()
_NAMES_SHOWN: Final = 12

Undo = Callable[[], None]


class Placed:
    """One hook that is in place."""

    def __init__(self) -> None:
        self.places: list[Place] = []
        self._undo: list[Undo] = []

    @property
    def calls(self) -> int:
        """How often what it is on was called."""
        return sum(place.calls for place in self.places)

    def remove(self) -> None:
        """Give everything back as it was."""
        while self._undo:
            with guard("hooks.remove"):
                self._undo.pop()()

    def put(self, hook: Hook, owner: Any, name: str, active: Active) -> None:
        """Wrap attribute ``name`` of ``owner``."""
        raw: Any = _raw(owner, name)
        function = _function(raw)
        bound = inspect.isclass(owner) and not issubclass(type(raw), staticmethod)
        place = place_of(hook, function, bound=bound)
        own = name in vars(owner)
        wrapped = wrapt.FunctionWrapper(raw, wrapper(place, function, active))
        setattr(owner, name, wrapped)
        self._undo.append(lambda: setattr(owner, name, raw) if own else delattr(owner, name))
        self.places.append(place)
        if inspect.ismodule(owner):
            self._undo.extend(_endpoints.replace(owner, raw, wrapped))

    def follow(self, hook: Hook, owner: type, name: str, active: Active) -> None:
        """Wrap the overrides of ``owner``'s method ``name``, those of classes to come too."""
        for derived in _derived(owner):
            self._override(hook, derived, name, active)
        own: Any = vars(owner).get("__init_subclass__")

        def __init_subclass__(cls: Any, **kwargs: Any) -> None:  # noqa: N807  # it takes its place
            if own is None:
                super(owner, cls).__init_subclass__(**kwargs)
            else:
                own.__get__(None, cls)(**kwargs)
            with guard("hooks.override"):
                self._override(hook, cls, name, active)

        owner.__init_subclass__ = classmethod(__init_subclass__)  # pyright: ignore[reportAttributeAccessIssue]
        self._undo.append(
            lambda: delattr(owner, "__init_subclass__") if own is None else setattr(owner, "__init_subclass__", own)
        )

    def _override(self, hook: Hook, derived: Any, name: str, active: Active) -> None:
        if self._undo and callable(getattr(derived, name, None)) and name in vars(derived):
            self.put(hook, derived, name, active)


def place(hook: Hook, module: Any, active: Active) -> Placed:
    """Put ``hook`` in place.

    Raises:
        HookError: what it names does not exist, cannot be called, or cannot have its kind.
    """
    owner, name = find(module, hook.target)
    raw = _raw(owner, name)
    function = _function(raw)
    if not callable(function):
        raise HookError(f"{hook.target} is no function but of type {type(raw).__name__}: it takes something to call")
    kind = kind_of(function)
    if "generator" in kind and not hook.kind.streams and not hook.target.argument:
        raise HookError(f"{hook.target} is a {kind} function, and kind {hook.kind.name} takes none")
    argument = hook.target.argument
    if argument and argument not in place_of(hook, function, bound=False).positions and not _takes(function, argument):
        raise HookError(f"{hook.target.module}:{'.'.join(hook.target.path)} has no argument {argument}")
    placed = Placed()
    try:
        placed.put(hook, owner, name, active)
        if inspect.isclass(owner):
            placed.follow(hook, owner, name, active)
    except (TypeError, AttributeError):
        placed.remove()
        raise HookError(f"{hook.target} cannot be replaced: its owner allows no change") from None
    return placed


def find(module: Any, target: Target) -> tuple[Any, str]:
    """Return what has the attribute that ``target`` names, and the attribute's name; a class stands for its making.

    Raises:
        HookError: it does not exist.
    """
    owner, name = module, target.path[-1]
    for step in target.path[:-1]:
        owner = _get(owner, step)
    found = _get(owner, name)
    return (found, "__init__") if inspect.isclass(found) else (owner, name)


def _get(owner: Any, name: str) -> Any:
    found = getattr(owner, name, _MISSING)
    if found is _MISSING:
        kind = "module" if inspect.ismodule(owner) else "class" if inspect.isclass(owner) else "object"
        known = sorted(known for known in dir(owner) if not known.startswith("__"))
        shown = [*(known[:_NAMES_SHOWN]), "..."] if len(known) > _NAMES_SHOWN else known
        raise HookError(
            f"{kind} {getattr(owner, '__name__', '')} has no {name}{close(name, known)}: it has {', '.join(shown)}"
        )
    return found


def _raw(owner: Any, name: str) -> Any:
    """Return an attribute as it was defined, a classmethod as one; of an object, its own method, bound to it."""
    if inspect.isclass(owner) or inspect.ismodule(owner):
        return inspect.getattr_static(owner, name, None)
    return getattr(owner, name, None)


def _function(raw: Any) -> Any:
    method = isinstance(raw, (classmethod, staticmethod))
    return cast("Any", getattr(raw, "__func__", raw) if method else raw)  # pyright: ignore[reportUnknownArgumentType]


def _takes(function: Any, argument: str) -> bool:
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return True
    return argument in parameters or any(one.kind is one.VAR_KEYWORD for one in parameters.values())


def _derived(owner: type) -> Iterator[type]:
    for derived in type.__subclasses__(owner):
        yield derived
        yield from _derived(derived)
