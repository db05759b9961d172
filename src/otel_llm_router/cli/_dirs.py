"""Directories of the user that we may write to.

Room: `cli`. The environment comes in; paths go out, by each platform's custom.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

_NAME = "otel-llm-router"


def cache_dir() -> Path:
    """Directory for what can be made again; `LLM_ROUTER_CACHE_DIR` names another."""
    if override := os.environ.get("LLM_ROUTER_CACHE_DIR"):
        return Path(override).absolute()
    return _user_dir(xdg="XDG_CACHE_HOME", home=".cache", macos="Caches", windows="Cache")


def state_dir() -> Path:
    """Directory for what a user wants to keep and does not edit, such as received logs."""
    return _user_dir(xdg="XDG_STATE_HOME", home=".local/state", macos="Application Support", windows="State")


def _user_dir(*, xdg: str, home: str, macos: str, windows: str) -> Path:
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
        return Path(base) / _NAME / windows
    if sys.platform == "darwin":
        return Path.home() / "Library" / macos / _NAME
    base = os.environ.get(xdg, "")
    # The XDG specification says to ignore a relative path.
    return (Path(base) if Path(base).is_absolute() else Path.home() / home) / _NAME
