"""The files of an export, written so that nobody else can read them.

Room: `cli`. `Channels` and a directory come in; paths of written files go out.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path, PurePath

import click

from otel_llm_router.cli.alerts import _alertmanager
from otel_llm_router.cli.alerts._channels import Channels

_READABLE = 0o644
_PRIVATE = 0o600
_PRIVATE_DIRECTORY = 0o700


def write(
    channels: Channels, directory: Path, secrets: PurePath | None, *, enabled: bool, force: bool
) -> Sequence[Path]:
    """Write everything, or nothing.

    Args:
        channels: Where alerts go.
        directory: Where the files go; made if it is not there.
        secrets: Where Alertmanager sees the secrets; by default where they are written.
        enabled: False writes a configuration that tells nobody.
        force: Overwrite files that differ, and remove secrets that are no longer needed.

    Raises:
        click.ClickException: A file is in the way, or the directory cannot be written.
    """
    below = directory / "secrets"
    hidden = dict(_alertmanager.secrets(channels)) if enabled else {}
    configuration = _alertmanager.configuration(channels, secrets or below.absolute(), enabled=enabled)
    # Prometheus reads the rule, often as another user, and there is no secret in it.
    wanted = {
        directory / "alertmanager.yaml": (configuration, _PRIVATE),
        directory / "escalation.yaml": (_alertmanager.escalation(channels.escalate if enabled else 0), _READABLE),
        **{below / name: (value, _PRIVATE) for name, value in hidden.items()},
    }
    stale = [below / name for name in _alertmanager.SECRETS if name not in hidden and (below / name).exists()]
    try:
        differing = [path for path, (text, _) in wanted.items() if path.exists() and not _holds(path, text)]
        if (differing or stale) and not force:
            names = ", ".join(str(path) for path in (*differing, *stale))
            raise click.ClickException(
                f"already there, and different: {names}. Nothing was written; --force overwrites."
            )
        directory.mkdir(parents=True, exist_ok=True)
        below.mkdir(mode=_PRIVATE_DIRECTORY, exist_ok=True)
        for path, (text, mode) in wanted.items():
            _put(path, text, mode)
        for path in stale:
            path.unlink()
    except OSError as error:
        raise click.ClickException(f"cannot export to {directory}: {error}") from error
    return list(wanted)


def _holds(path: Path, text: str) -> bool:
    return path.is_file() and path.read_bytes() == text.encode()


def _put(path: Path, text: str, mode: int) -> None:
    """Write a file in one step; it never has more rights than ``mode``, nor half its content."""
    handle, made = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        Path(made).chmod(mode)
        Path(made).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(made).unlink()
        raise
