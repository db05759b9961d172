"""Where the files that are not Python live: `collector-config/`, `dashboards/` and `deploy/`.

Room: shared by `cli`. The name of a directory comes in; its path goes out, in an installed wheel
and in a source checkout alike.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

Directory = Literal["collector-config", "dashboards", "deploy"]
"""A directory at the root of the source tree that is shipped beside the code."""
_PACKAGE = Path(__file__).resolve().parent


class ResourceNotFoundError(FileNotFoundError):
    """The installation lacks a directory that belongs to it."""


def resource_dir(name: Directory, *, package: Path = _PACKAGE) -> Path:
    """Find a directory of ours that is shipped beside the code.

    Args:
        name: Directory at the root of the source tree.
        package: Directory of the installed package; another one in tests.

    Raises:
        ResourceNotFoundError: It is in neither place.
    """
    installed = package / "_data" / name
    if installed.is_dir():
        return installed
    checkout = package.parents[1]
    # An installed package has site-packages' parent there, in which a stranger's `dashboards` may lie.
    if (checkout / "pyproject.toml").is_file() and (checkout / name).is_dir():
        return checkout / name
    raise ResourceNotFoundError(
        f"otel-llm-router's {name} directory is missing: neither {installed} nor {checkout / name} of a source checkout "
        "exists. Install the package from its wheel, or work in a complete checkout."
    )
