"""The configuration files that are shipped, by name, and the combinations of them that the README names.

Room: `cli`. Names come in; paths in the order in which the Collector merges them, or a message that lists what
there is, go out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click
import yaml

from otel_llm_router._resources import resource_dir

BASE: Final = "base"
DEFAULT: Final = ("prometheus", "files")
"""Back ends of a run that names none: they need nothing else on the machine."""
_SIGNALS: Final = ("metrics", "logs", "traces")
_ROW: Final = re.compile(r"^\|.*\| *((?:`[a-z/-]+`(?: \+ )?)+) *\|$", re.MULTILINE)
_NAME: Final = re.compile(r"`([a-z/-]+)`")
_REQUIRED: Final = re.compile(r"\$\{env:(LLM_ROUTER_COLLECTOR_\w+)\}")


class UnknownLayerError(click.ClickException):
    """A name that no shipped file has."""


@dataclass(frozen=True)
class Combination:
    """Files that the README says to use together.

    Args:
        names: Their names, without ``base``, in the order in which they are merged.
    """

    names: tuple[str, ...]

    @property
    def text(self) -> str:
        """The names as the README has them."""
        return " + ".join((BASE, *self.names))

    def files(self) -> tuple[Path, ...]:
        """The files, merged in this order."""
        return files(self.names)


def names() -> list[str]:
    """Names that can be added to ``base``: a file's name, with its directory where that is not ``backends``."""
    return sorted(_paths())


def files(chosen: Iterable[str]) -> tuple[Path, ...]:
    """Find the files of ``base`` and of the names that were chosen.

    Raises:
        UnknownLayerError: There is no file of that name; the message lists those that there are.
    """
    known = _paths()
    unknown = [name for name in chosen if name not in known]
    if unknown:
        raise UnknownLayerError(
            f"there is no collector configuration named {', '.join(unknown)}; there are {', '.join(sorted(known))}. "
            f"What each is for: {_directory() / 'README.md'}"
        )
    return (_directory() / f"{BASE}.yaml", *(known[name] for name in dict.fromkeys(chosen)))


def combinations() -> list[Combination]:
    """Read the combinations that the README's table names."""
    text = (_directory() / "README.md").read_text(encoding="utf-8")
    found = [tuple(_NAME.findall(cell)) for cell in _ROW.findall(text)]
    return [Combination(row[1:]) for row in dict.fromkeys(found) if row[:1] == (BASE,)]


def required_variables(configs: Sequence[Path]) -> list[str]:
    """Variables of ours that the files read and give no default for."""
    texts = [path.read_text(encoding="utf-8", errors="replace") for path in configs]
    return sorted({name for text in texts for name in _REQUIRED.findall(text)})


def thrown_away(configs: Sequence[Path]) -> list[str]:
    """Signals that the shipped files receive and that no back end among them takes.

    Files of a user's own may route as they like: where there is one that cannot be read, nothing is said.
    """
    pipelines: dict[str, Any] = {}
    for path in configs:
        try:
            content: Any = yaml.safe_load(path.read_text(encoding="utf-8", errors="replace"))
            pipelines |= content["service"]["pipelines"]
        except (OSError, yaml.YAMLError, KeyError, TypeError):
            continue
    found: list[str] = []
    for signal in _SIGNALS:
        own = [value for name, value in pipelines.items() if name.partition("/")[0] == signal]
        leaving = [value for value in own if "forward" in _listed(value, "receivers")]
        if leaving and all(_listed(value, "exporters") == ["nop"] for value in leaving):
            found.append(signal)
    return found


def _listed(pipeline: object, key: str) -> list[str]:
    return list(pipeline.get(key) or ()) if isinstance(pipeline, Mapping) else []  # pyright: ignore[reportUnknownArgumentType, reportUnknownMemberType, reportUnknownVariableType]


def _directory() -> Path:
    return resource_dir("collector-config")


def _paths() -> dict[str, Path]:
    directory = _directory()
    found = {path.stem: path for path in directory.glob("*.yaml") if path.stem != BASE}
    found |= {path.stem: path for path in (directory / "backends").glob("*.yaml")}
    return found | {f"kafka/{path.stem}": path for path in (directory / "kafka").glob("*.yaml")}
