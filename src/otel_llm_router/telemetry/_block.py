"""What our context managers share: one kind of block, entered with ``with`` or ``async with``.

Room: `telemetry`. Entering and leaving never waits, so that both forms are the same work.
"""

from __future__ import annotations

from types import TracebackType

from typing_extensions import Self


class Block:
    """A block of application code that is measured from `_begin` to `_finish`."""

    def _begin(self) -> None:
        """Do what entering the block means; runs inside no guard of its own."""

    def _finish(self, error: BaseException | None) -> None:
        """Do what leaving the block means, with the exception that leaves it, if one does."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        self._begin()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._finish(error)

    async def __aenter__(self) -> Self:
        self._begin()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._finish(error)
