"""Build our Collector once, into the user's cache.

Room: `cli`. The sources and module lock of `collector-config/builder` come in; a binary goes out.
The builder's output from the manifest is part of the source tree.
"""

from __future__ import annotations

from pathlib import Path

from otel_llm_router._resources import resource_dir
from otel_llm_router.cli._go_build import GoBuildError, GoProgram, build_environment
from otel_llm_router.cli._progress import Progress

__all__ = ["CollectorBuildError", "build_collector", "build_environment", "cached_collector"]

CollectorBuildError = GoBuildError


def cached_collector() -> Path:
    """Path of our Collector in the cache, whether or not it has been built."""
    return _program().cached()


def build_collector(progress: Progress, *, rebuild: bool = False) -> Path:
    """Build our Collector if the cache has none, and return its path.

    Args:
        progress: Told about the phases.
        rebuild: Build even if the cache has one.

    Raises:
        GoNotFoundError: There is no Go to build it with.
        GoBuildError: The build failed.
    """
    return _program().build(progress, rebuild=rebuild)


def _program() -> GoProgram:
    return GoProgram(
        name="otelcol-llm-router",
        title="the Collector",
        room="collector",
        directory=_source_dir(),
        instead="Or put an existing collector on PATH: otelcol-contrib runs our configuration as well.",
    )


def _source_dir() -> Path:
    return resource_dir("collector-config") / "builder"
