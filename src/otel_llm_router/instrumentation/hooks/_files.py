"""Hooks in files: what a user writes and what is shipped as a profile have one format.

Room: `instrumentation`. YAML text comes in; a `Profile` and sentences about what is wrong go out.

    name: my-router                      # what it is called in messages
    requires:                            # optional: hooks work once all of these exist
      - my_router.core:Router.pick
    hooks:
      - my_router.core:Router.pick=decision
      - hook: my_router.clients:Client.chat
        kind: attempt
        provider: self.name
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from otel_llm_router.instrumentation.hooks import _declarations
from otel_llm_router.instrumentation.hooks._declarations import DOCUMENTATION, Hook, HookError, Target

MAX_BYTES: Final = 1_000_000
"""Largest file that is read."""

_KEYS: Final = ("name", "requires", "hooks")


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """Hooks that belong together.

    Args:
        name: What it is called in messages.
        hooks: Its hooks.
        requires: What must exist, as a sign that the application is the one that is meant.
    """

    name: str
    hooks: tuple[Hook, ...]
    requires: tuple[Target, ...] = ()


def read(path: Path) -> tuple[Profile | None, list[str]]:
    """Read a file.

    Returns:
        What it declares, or None when it cannot be read; and a sentence about each thing that is wrong.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        return None, [f"the file cannot be read ({error.strerror or type(error).__name__})"]
    if len(content) > MAX_BYTES:
        return None, [f"the file has more than {MAX_BYTES} bytes"]
    import yaml  # noqa: PLC0415  # slow, and not needed where there is no file

    try:
        found: Any = yaml.safe_load(content)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark is not None else ""
        return None, [f"it is no YAML{where}: {getattr(error, 'problem', None) or type(error).__name__}"]
    except (RecursionError, ValueError) as error:  # nested too deeply; not UTF-8; no such date
        return None, [f"it is no YAML: {type(error).__name__}"]
    if not isinstance(found, dict):
        return None, ["it takes a mapping with the key hooks"]
    return _profile(cast("dict[Any, Any]", found), path.stem, path.name)


def _profile(found: dict[Any, Any], name: str, source: str) -> tuple[Profile, list[str]]:
    problems = [
        f"key {key!r} is not known{_declarations.close(str(key), _KEYS)}: it takes {', '.join(_KEYS)}"
        for key in found
        if key not in _KEYS
    ]
    hooks: list[Hook] = []
    entries: Any = found.get("hooks") or []
    if not isinstance(entries, list):
        problems.append("hooks takes a list")
        entries = []
    for entry in cast("list[Any]", entries):
        try:
            hooks.append(_entry(entry, source))
        except HookError as error:  # noqa: PERF203  # one that is wrong leaves the others
            problems.append(f"{_name(entry)!r} is not allowed, {error} (see {DOCUMENTATION}); this hook is left out")
    requires: list[Target] = []
    wanted: Any = found.get("requires") or []
    for text in cast("list[Any]", wanted if isinstance(wanted, list) else [wanted]):
        try:
            requires.append(_declarations.target(str(text)))
        except HookError as error:  # noqa: PERF203  # each is said
            problems.append(f"requires: {error}; none of its hooks is used")
            hooks.clear()
    return Profile(str(found.get("name") or name), tuple(hooks), tuple(requires)), problems


def _name(entry: Any) -> str:
    return str(cast("dict[Any, Any]", entry).get("hook")) if isinstance(entry, dict) else str(entry)


def _entry(entry: Any, source: str) -> Hook:
    if isinstance(entry, str):
        return _declarations.one(entry, source)
    if not isinstance(entry, dict):
        raise HookError(f"it takes {_declarations.FORM}, or a mapping with the keys hook and kind")
    values = dict(cast("dict[Any, Any]", entry))
    place, kind = values.pop("hook", None), values.pop("kind", None)
    if place is None or kind is None:
        raise HookError("it takes the keys hook and kind")
    return _declarations.hook(str(place), str(kind), values, source)
