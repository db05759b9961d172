"""Connections that the router serves: how many, and for how long.

Room: `telemetry`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from otel_llm_router.signals.instruments import resources
from otel_llm_router.telemetry import _guard
from otel_llm_router.telemetry._block import Block
from otel_llm_router.telemetry._recorder import nothing

if TYPE_CHECKING:
    from otel_llm_router.telemetry._holdings import Holdings


class Connection(Block):
    """One connection, open for the time of a ``with`` block or from `open` to `close`.

    Args:
        telemetry: What it was made on.
        kind: What it carries: label ``type``.
        protocol: What it speaks: label ``protocol``.
    """

    def __init__(self, telemetry: Holdings, kind: str, protocol: str) -> None:
        self._telemetry = telemetry
        self._labels = (kind, protocol)
        self._began: int | None = None
        self._leave: Callable[[], None] = nothing

    def open(self) -> Connection:
        """Begin the connection."""
        with _guard.guard("connection.open"):
            if self._began is None:
                self._began = time.perf_counter_ns()
                self._leave = self._telemetry.recorder.enter(resources.ACTIVE_CONNECTIONS, *self._labels)
        return self

    def become(self, kind: str) -> None:
        """State that the connection turned out to carry something else, such as a stream of events."""
        with _guard.guard("connection.become"):
            self._labels = (kind, self._labels[1])
            if self._began is not None:
                self._leave()
                self._leave = self._telemetry.recorder.enter(resources.ACTIVE_CONNECTIONS, *self._labels)

    def close(self) -> None:
        """End the connection; every call but the first does nothing."""
        with _guard.guard("connection.close"):
            began, self._began = self._began, None
            if began is not None:
                leave, self._leave = self._leave, nothing
                leave()
                self._telemetry.recorder.record(
                    resources.CONNECTION_DURATION, max(0, time.perf_counter_ns() - began) / 1e9, *self._labels
                )

    def _begin(self) -> None:
        self.open()

    def _finish(self, error: BaseException | None) -> None:  # noqa: ARG002  # a failed block closes too
        self.close()
