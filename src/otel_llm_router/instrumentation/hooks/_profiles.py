"""The profiles that are shipped: hooks for known routers, in the format that users write.

Room: `instrumentation`. A profile's modules are named here so that its file is read, and YAML loaded, only
where one of them is imported.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from otel_llm_router.instrumentation.hooks._groups import Group

_logger = logging.getLogger("otel_llm_router")

DIRECTORY: Final = Path(__file__).parent / "profiles"


class Shipped:
    """One profile that is shipped.

    Args:
        name: Name of its file.
        modules: Every module that it names.
    """

    def __init__(self, name: str, *modules: str) -> None:
        self.name = name
        self.modules = modules
        self._group: Group | None = None

    @property
    def path(self) -> Path:
        """Where its file is."""
        return DIRECTORY / f"{self.name}.yaml"

    def group(self, taken: frozenset[str] = frozenset()) -> Group:
        """Return its hooks without those that are ``taken``: somebody declared the same ones."""
        if self._group is None:
            from otel_llm_router.instrumentation.hooks import _files, _groups  # noqa: PLC0415  # only where it is used

            profile, problems = _files.read(self.path)
            for problem in problems:
                _logger.warning("otel-llm-router: profile %s: %s", self.name, problem)
            hooks = () if profile is None else tuple(hook for hook in profile.hooks if str(hook) not in taken)
            self._group = _groups.Group(self.name, hooks, () if profile is None else profile.requires)
        return self._group

    def forget(self) -> None:
        """Read the file again next time."""
        self._group = None


SHIPPED: Final = (
    Shipped("modelmuxer", "app.api.routes.chat", "app.providers.base", "app.router"),
    Shipped("routellm", "routellm.controller"),
)
