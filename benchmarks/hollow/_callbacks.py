"""LiteLLM's callbacks, driven with what LiteLLM gave them for one real request.

LiteLLM's own telemetries hook nothing: its ``Logging`` object calls them, after building a payload that costs more
than some telemetries. So the calls that a callback gets for one real, mocked request are recorded, and the
hollow Router makes the same calls with the same arguments, at the same two moments: before the answer and
after it. Building the payload is not in the figure.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    from typing_extensions import Self  # 3.10 has none of its own


@dataclass(frozen=True)
class _Call:
    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    awaited: bool

    async def again(self) -> None:
        answer = self.function(*map(_fresh, self.args), **{key: _fresh(value) for key, value in self.kwargs.items()})
        if self.awaited:
            await answer


_LEVELS: Final = ("litellm_params", "metadata")
"""Dictionaries within dictionaries in which callbacks leave marks, such as that this request is done."""


def _fresh(value: Any) -> Any:
    """Return dictionaries of its own for each call."""
    if not isinstance(value, dict):
        return value
    copy = dict(cast("dict[str, Any]", value))
    for level in _LEVELS:
        if level in copy:
            copy[level] = _fresh(copy[level])
    return copy


@dataclass
class Played:
    """The calls of one request.

    Args:
        before: Made before the answer.
        after: Made after it.
    """

    before: list[_Call] = field(default_factory=list[_Call])
    after: list[_Call] = field(default_factory=list[_Call])


class Recording:
    """Writes down what is called on callbacks while the block lasts.

    Args:
        callbacks: Objects with the methods of ``base``.
        base: LiteLLM's ``CustomLogger``.
    """

    def __init__(self, callbacks: list[Any], base: type) -> None:
        self._callbacks = callbacks
        self._names = [
            name for name in dir(base) if not name.startswith("__") and inspect.isfunction(getattr(base, name))
        ]
        self._calls: list[_Call] = []
        self._before = 0

    def __enter__(self) -> Self:
        for callback in self._callbacks:
            for name in self._names:
                vars(callback)[name] = self._noted(getattr(callback, name))
        return self

    def __exit__(self, *_: object) -> None:
        for callback in self._callbacks:
            for name in self._names:
                del vars(callback)[name]

    def answered(self) -> None:
        """The answer has come: what is called from now on comes after it."""
        self._before = len(self._calls)

    def played(self) -> Played:
        """Return what was called, and forget it."""
        found = Played(self._calls[: self._before], self._calls[self._before :])
        self._calls, self._before = [], 0
        return found

    def _noted(self, function: Callable[..., Any]) -> Callable[..., Any]:
        awaited = inspect.iscoroutinefunction(function)

        def noted(*args: Any, **kwargs: Any) -> Any:
            self._calls.append(
                _Call(
                    function, tuple(map(_fresh, args)), {key: _fresh(value) for key, value in kwargs.items()}, awaited
                )
            )
            return function(*args, **kwargs)

        async def noted_and_awaited(*args: Any, **kwargs: Any) -> Any:
            return await noted(*args, **kwargs)

        return noted_and_awaited if awaited else noted
