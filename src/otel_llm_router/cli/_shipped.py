"""Files that are shipped beside the code, and copying them to a user.

Room: `cli`. Paths of shipped files and a directory come in; copies go out, or one message that names every
file that is in the way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import click

from otel_llm_router._resources import Directory, ResourceNotFoundError, resource_dir

_Command = TypeVar("_Command", bound=Callable[..., None])

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON array.")


def export_options(command: _Command) -> _Command:
    """Add what every export command takes: the directory and ``--force``."""
    force = click.option("--force", is_flag=True, help="Overwrite files that are there and differ.")
    directory = click.argument("directory", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
    return directory(force(command))


def shipped(name: Directory, pattern: str) -> Sequence[Path]:
    """Find shipped files, in the order of their names.

    Args:
        name: Directory of ours.
        pattern: Glob pattern below it.

    Raises:
        click.ClickException: The installation lacks them.
    """
    try:
        directory = resource_dir(name)
    except ResourceNotFoundError as error:
        raise click.ClickException(str(error)) from error
    files = sorted(directory.glob(pattern))
    if not files:
        raise click.ClickException(
            f"{directory} has no {pattern}; the installation is incomplete: reinstall otel-llm-router"
        )
    return files


def export(files: Sequence[Path], directory: Path, *, force: bool, root: Path | None = None) -> None:
    """Copy files into a directory, which is made if it is not there, and print the paths of the copies.

    Their names below ``root`` are kept; without it they come to lie side by side.

    All or nothing: a file that is in the way is found before the first one is written. A file that is there
    and is the same is not in the way.

    Raises:
        click.ClickException: A different file is in the way, or the directory cannot be written.
    """
    try:
        contents = {directory / (file.relative_to(root) if root else file.name): file.read_bytes() for file in files}
        differing = [path for path, content in contents.items() if path.exists() and not _holds(path, content)]
        if differing and not force:
            names = ", ".join(str(path) for path in differing)
            raise click.ClickException(
                f"already there, and different: {names}. Nothing was written; --force overwrites."
            )
        directory.mkdir(parents=True, exist_ok=True)
        for path, content in contents.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            click.echo(path)
    except OSError as error:
        raise click.ClickException(f"cannot export to {directory}: {error}") from error


def _holds(path: Path, content: bytes) -> bool:
    return path.is_file() and path.read_bytes() == content
