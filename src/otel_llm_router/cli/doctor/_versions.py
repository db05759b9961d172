"""Whether the versions that are installed go together.

Room: `cli`.
"""

from __future__ import annotations

import platform
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from packaging.requirements import InvalidRequirement, Requirement
from packaging.version import InvalidVersion, Version

from otel_llm_router._version import DISTRIBUTION, __version__
from otel_llm_router.cli.doctor._findings import Finding
from otel_llm_router.cli.doctor._situation import Situation

CHECK: Final = "versions"

TESTED: Final = {"opentelemetry-api": ("1.41.0", "1.45.2"), "litellm": ("1.80.0", "1.109.1")}
"""Oldest and newest version that the tests run with."""

_STABLE: Final = (
    "opentelemetry-api",
    "opentelemetry-sdk",
    "opentelemetry-proto",
    "opentelemetry-exporter-otlp",
    "opentelemetry-exporter-otlp-proto-common",
    "opentelemetry-exporter-otlp-proto-grpc",
    "opentelemetry-exporter-otlp-proto-http",
)
_BETA: Final = (
    "opentelemetry-semantic-conventions",
    "opentelemetry-exporter-prometheus",
    "opentelemetry-instrumentation",
    "opentelemetry-instrumentation-asgi",
    "opentelemetry-instrumentation-fastapi",
    "opentelemetry-util-http",
)
_APART: Final = 21
"""What is released together is called 1.41 and 0.62b0, 1.42 and 0.63b0, and so on."""

_TOGETHER: Final = "install one release of all of them: pip install --upgrade 'opentelemetry-api' 'opentelemetry-sdk' 'opentelemetry-exporter-otlp' 'opentelemetry-exporter-prometheus' 'opentelemetry-instrumentation' 'opentelemetry-instrumentation-fastapi'"


def check(situation: Situation) -> Iterator[Finding]:
    """Say what is installed, what clashes, and what was not tested."""
    yield Finding(CHECK, "ok", f"{DISTRIBUTION} {__version__}, Python {platform.python_version()}{_list_of(situation)}")
    yield from _launcher()
    yield from _requirements(situation)
    yield from _families(situation)
    yield from _tested(situation)
    for name, versions in situation.installed.shadowed.items():
        if name.startswith("opentelemetry-") or name in {DISTRIBUTION, "protobuf", "litellm"}:
            yield Finding(
                CHECK,
                "warn",
                f"{name} is installed more than once: {situation.installed.version(name)} comes first, "
                f"{', '.join(versions)} behind it",
                "uninstall one of them, or take its directory out of PYTHONPATH",
            )


def _list_of(situation: Situation) -> str:
    shown = ("opentelemetry-api", "opentelemetry-sdk", "opentelemetry-instrumentation", "protobuf", "litellm")
    found = [(name, situation.installed.version(name)) for name in shown]
    return "".join(f", {name} {version}" for name, version in found if version)


def _launcher() -> Iterator[Finding]:
    """Whether the command that starts the application is of this environment."""
    name = "opentelemetry-instrument"
    found = shutil.which(name)
    beside = Path(sys.executable).parent
    if found is None:
        if not (beside / name).exists():
            yield Finding(CHECK, "fail", f"{name} is not on PATH", "pip install opentelemetry-instrumentation")
        return
    if Path(found).parent.resolve() != beside.resolve() and (beside / name).exists():
        yield Finding(
            CHECK,
            "warn",
            f"{name} on PATH is of another environment ({Path(found).parent}) than this command ({beside})",
            "activate this environment, or call its opentelemetry-instrument by path",
        )


def _requirements(situation: Situation) -> Iterator[Finding]:
    installed = situation.installed
    for name, distribution in sorted(installed.distributions.items()):
        ours = name in {DISTRIBUTION, *_STABLE, *_BETA}
        if not ours and not name.startswith("opentelemetry-"):
            continue
        for text in distribution.requires or ():
            try:
                wanted = Requirement(text)
                needed = wanted.marker is None or wanted.marker.evaluate({"extra": ""})
            except (InvalidRequirement, ValueError):
                continue
            other = wanted.name.lower().replace("_", "-").replace(".", "-")
            version = installed.version(other)
            if not needed or (version is not None and wanted.specifier.contains(version, prereleases=True)):
                continue
            has = "is not installed" if version is None else f"is {version}"
            yield Finding(
                CHECK,
                "fail" if ours else "warn",
                f"{name} {distribution.version} needs {other}{wanted.specifier}, which {has}",
                f"pip install '{other}{wanted.specifier}'" if not other.startswith("opentelemetry-") else _TOGETHER,
            )


def _families(situation: Situation) -> Iterator[Finding]:
    releases: dict[int, list[str]] = {}
    for names, apart in ((_STABLE, 0), (_BETA, _APART)):
        for name in names:
            version = _parsed(situation.installed.version(name))
            if version is not None:
                releases.setdefault(version.minor - apart, []).append(f"{name} {version}")
    if len(releases) > 1:
        parts = "; ".join(f"of release 1.{minor}: {', '.join(releases[minor])}" for minor in sorted(releases))
        yield Finding(CHECK, "warn", f"OpenTelemetry's packages are out of step: {parts}", _TOGETHER)


def _tested(situation: Situation) -> Iterator[Finding]:
    for name, (oldest, newest) in TESTED.items():
        text = situation.installed.version(name)
        version = _parsed(text)
        if version is None:
            continue
        between = f"{_minor(oldest)} to {_minor(newest)}"
        if version.release[:2] > Version(newest).release[:2]:
            yield Finding(
                CHECK,
                "warn",
                f"{name} {text} is newer than what was tested ({between})",
                "watch llm_router_instrumentation_degraded and the log's first lines, or install a tested one",
            )
        elif version < Version(oldest):
            yield Finding(
                CHECK,
                "fail",
                f"{name} {text} is older than what is supported ({between})",
                f"pip install '{name}>={oldest}'",
            )


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


def _parsed(version: str | None) -> Version | None:
    try:
        return None if version is None else Version(version)
    except InvalidVersion:
        return None
