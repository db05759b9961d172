"""The SDK in a forked child: nothing of its parent's counts, no lock that a thread of the parent's holds, a name of its own.

Room: `distro`. Our own scope begins again by itself (`aggregation`), and so does what sends (`export`).
"""

from __future__ import annotations

import os
import uuid
from typing import TYPE_CHECKING, Final
from weakref import ref

from otel_llm_router import _otel_compat as _compat
from otel_llm_router.telemetry.instrumenting import guard

if TYPE_CHECKING:
    from collections.abc import Iterable

    from opentelemetry.sdk.resources import Resource

INSTANCE: Final = "service.instance.id"
_PID: Final = "process.pid"


class Forked:
    """What a forked child does before anything of it runs.

    To be made before the SDK's providers and readers: what is registered first is called first, the SDK takes from the
    resource what it finds there, and a reader begins to read.

    Args:
        resource: Changed in a child: another instance, unless the user names it. None where it is known only later.
    """

    def __init__(self, resource: Resource | None = None) -> None:
        self.resource = resource
        self.named = INSTANCE in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
        self._providers: list[ref[object]] = []
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._in_child)

    def add(self, providers: Iterable[object]) -> None:
        """Let the SDK's parts of ``providers`` begin again in each child."""
        self._providers += [ref(provider) for provider in providers]

    def _in_child(self) -> None:
        with guard("fork"):
            if self.resource is not None:
                self._change(self.resource)
            _compat.begin_again([found for one in self._providers if (found := one()) is not None])

    def _change(self, resource: Resource) -> None:
        changed: dict[str, str | int] = {}
        if INSTANCE in resource.attributes and not self.named:
            changed[INSTANCE] = str(uuid.uuid4())
        if _PID in resource.attributes:
            changed[_PID] = os.getpid()
        _compat.change_resource(resource, changed)
