"""What is installed, in the order in which ``opentelemetry-instrument`` finds it.

Room: `cli`. That command puts the current directory ahead of everything, so what lies there counts too.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, EntryPoint, distributions


@dataclass(frozen=True)
class Found:
    """An entry point and the distribution that it is of."""

    point: EntryPoint
    distribution: Distribution

    @property
    def name(self) -> str:
        """Its name."""
        return self.point.name

    @property
    def package(self) -> str:
        """Name and version of its distribution."""
        return f"{name_of(self.distribution)} {self.distribution.version}"


class Installed:
    """Distributions by their normalised name.

    Args:
        path: Where to look, in this order.
    """

    def __init__(self, path: list[str]) -> None:
        self.distributions: dict[str, Distribution] = {}
        self.shadowed: dict[str, list[str]] = {}
        """Other versions of the same, further back on the path."""
        for one in distributions(path=list(dict.fromkeys(path))):
            name = name_of(one)
            if not name:  # metadata of an installation that was cut off
                continue
            first = self.distributions.setdefault(name, one)
            if first is not one and first.version != one.version:
                self.shadowed.setdefault(name, []).append(one.version)

    def version(self, name: str) -> str | None:
        """Return a distribution's version, or None when it is not installed."""
        one = self.distributions.get(name)
        return None if one is None else one.version

    def entry_points(self, group: str) -> list[Found]:
        """Return the entry points of a group, in the order in which they are found."""
        return list(self._entry_points(group))

    def _entry_points(self, group: str) -> Iterator[Found]:
        for one in self.distributions.values():
            for point in one.entry_points:
                if point.group == group:
                    yield Found(point, one)


def name_of(distribution: Distribution) -> str:
    """Return a distribution's normalised name, or nothing when its metadata have none."""
    metadata: object = distribution.metadata
    name = metadata["Name"] if metadata is not None and "Name" in distribution.metadata else ""  # type: ignore[index]
    return re.sub(r"[-_.]+", "-", str(name or "")).lower()


def as_the_application_sees_it() -> Installed:
    """Return what is installed for an application that is started in this directory."""
    return Installed([os.getcwd(), *sys.path])  # noqa: PTH109  # as opentelemetry-instrument writes it
