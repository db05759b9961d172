"""What ``/debug`` shows: this process, its versions, its options, and what went wrong in the telemetry itself.

Room: `distro`. No secret, no content, no stack: the names of things and numbers.
"""

from __future__ import annotations

import contextlib
import os
import platform
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from otel_llm_router import redaction
from otel_llm_router._version import __version__
from otel_llm_router.signals import options
from otel_llm_router.telemetry.instrumenting import state as guard_state

if TYPE_CHECKING:
    from otel_llm_router.distro.settings import Settings

_PACKAGES = (
    "opentelemetry-api",
    "opentelemetry-sdk",
    "opentelemetry-instrumentation",
    "litellm",
    "fastapi",
    "httpx",
    "openai",
    "uvicorn",
)

_began = time.monotonic()


def state(settings: Settings) -> dict[str, Any]:
    """Return the state of this process, for JSON."""
    return {
        "process": {
            "pid": os.getpid(),
            "python": platform.python_version(),
            "executable": os.path.basename(sys.executable),  # noqa: PTH119  # never the machine's paths
            "uptime_seconds": round(time.monotonic() - _began, 3),
            "threads": sorted(thread.name for thread in threading.enumerate()),
        },
        "versions": {"otel-llm-router": __version__, **versions()},
        "options": {option.env: _shown(settings, option) for option in options.OPTIONS},
        "guard_errors": dict(guard_state.caught),
    }


def versions() -> dict[str, str]:
    """Return the versions of what matters here and is installed."""
    from importlib import metadata  # noqa: PLC0415  # for who asks

    found: dict[str, str] = {}
    for name in _PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def _shown(settings: Settings, option: options.Option) -> Any:
    value = getattr(settings, option.name)
    if option.secret:
        return "set" if value else "not set"
    if isinstance(value, str) and "@" in value:
        return "set (not shown: it may hold credentials)"
    return redaction.url(value) if isinstance(value, str) else value
