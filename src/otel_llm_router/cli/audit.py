"""The commands ``otel-llm-router audit``: whether audit files are as they were written, and what is in them.

Room: `cli`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from otel_llm_router.logs.audit.verify import Progress, Report

_VERIFY_EXAMPLE: Final = """\b
Example:
  otel-llm-router audit verify /var/log/router/audit.jsonl
  otel-llm-router audit verify /var/log/router --key-file /etc/router/audit.key --json
  otel-llm-router audit verify audit.jsonl --head 1204:8f0c...
"""
_SHOW_EXAMPLE: Final = """\b
Example:
  otel-llm-router audit show audit.jsonl --last 20
  otel-llm-router audit show audit.jsonl --event authentication --json | jq .
"""
_LARGE: Final = 32 << 20
"""Bytes that take more than two seconds to verify."""
_HASH_CHARACTERS: Final = 64
_UID: Final = "log.record.uid"


class _Head(click.ParamType):  # pyright: ignore[reportMissingTypeArgument]  # generic from click 8.2 on
    name = "number:hash"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, str]:
        number, _, digest = str(value).partition(":")
        if not number.isdecimal() or len(digest) != _HASH_CHARACTERS:
            self.fail("it is NUMBER:HASH, as a checkpoint says them", param, ctx)
        return int(number), digest


@click.group()
def audit() -> None:
    """Verify and read audit files (see docs/audit.md)."""


@audit.command(epilog=_VERIFY_EXAMPLE)
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--key-file",
    "key_files",
    multiple=True,
    type=click.Path(path_type=Path),
    help="File with the secret that the chain is sealed with; several where it was changed.",
)
@click.option(
    "--head", "heads", multiple=True, type=_Head(), help="A record that another system holds, from a checkpoint."
)
@click.option("--without-head", is_flag=True, help="Do without a head: missing records at the end are not seen then.")
@click.option("--complete", is_flag=True, help="Want all records from the first one on.")
@click.option("--json", "as_json", is_flag=True, help="Print one object: intact, chains with their problems, notes.")
def verify(
    paths: tuple[Path, ...],
    *,
    key_files: tuple[Path, ...],
    heads: tuple[tuple[int, str], ...],
    without_head: bool,
    complete: bool,
    as_json: bool,
) -> None:
    """Say whether audit files are as they were written: PATHS are files, and directories of *.jsonl.

    Finds records that were edited, deleted, reordered, inserted or cut off. A line that a killed process left half
    written is no tampering, and is reported as what it is.

    Exits with 0 when all is intact, with 1 when something was tampered with, and with 2 when it cannot be verified as
    asked.
    """
    from otel_llm_router.logs.audit import verify as verifying  # noqa: PLC0415  # `--help` need not wait for it

    try:
        keys = [path.read_bytes().strip() for path in key_files]
        with _progress(paths, quiet=as_json) as progress:
            report = verifying.verify(
                paths, keys=keys, heads=dict(heads), without_head=without_head, complete=complete, progress=progress
            )
    except verifying.VerifyError as error:
        raise click.UsageError(str(error)) from error
    except OSError as error:
        raise click.UsageError(f"{error.filename or 'a file'}: {error.strerror or error}") from error
    if as_json:
        click.echo(json.dumps({"intact": report.intact, **asdict(report)}, indent=2))
    else:
        _say(report)
    sys.exit(0 if report.intact else 1)


@audit.command(epilog=_SHOW_EXAMPLE)
@click.argument("path", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--last", default=0, metavar="N", help="Only the last N records.")
@click.option("--event", default="", help="Only records of one kind, such as authentication.")
@click.option("--json", "as_json", is_flag=True, help="Print the records' lines as they are.")
def show(path: Path, *, last: int, event: str, as_json: bool) -> None:
    """Print the records of the audit file PATH, without verifying them."""
    from collections import deque  # noqa: PLC0415

    found: deque[str] = deque(maxlen=last or None)
    for line, fields in _records(path):
        if not event or str(fields.get("event_name", "")).endswith(f".{event}"):
            found.append(line if as_json else _readable(fields))
    for text in found:
        click.echo(text)


def _records(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            try:
                fields: Any = json.loads(line)
            except ValueError:
                fields = {"event_name": "(no record)"}
            if isinstance(fields, dict):
                yield line.rstrip("\n"), fields  # pyright: ignore[reportUnknownVariableType]  # JSON


def _readable(fields: dict[str, Any]) -> str:
    said = " ".join(f"{key.rpartition('.')[2]}={value}" for key, value in fields.items() if "." in key and key != _UID)
    kind = str(fields.get("event_name", "")).rpartition(".")[2]
    return f"{fields.get('seq', '?'):>8}  {str(fields.get('timestamp', ''))[:19]}  {kind:14} {said}"


def _say(report: Report) -> None:
    for note in report.notes:
        click.echo(f"note: {note}")
    for chain in report.chains:
        for problem in chain.problems:
            click.echo(f"{problem.kind}: {problem.file}, line {problem.line}: {problem.message}")
        where = f"chain {chain.chain}, records {chain.first} to {chain.last}, in {', '.join(chain.files)}"
        if chain.problems:
            click.echo(f"TAMPERED: {where}: {len(chain.problems)} problem(s), the first of them above")
        else:
            click.echo(f"intact: {where}; the last is {chain.last}:{chain.hash}")


@contextmanager
def _progress(paths: tuple[Path, ...], *, quiet: bool) -> Generator[Progress]:
    size = sum(
        one.stat().st_size
        for path in paths
        for one in (path.glob("*.jsonl") if path.is_dir() else [path])
        if one.exists()
    )
    if quiet or size < _LARGE:
        yield lambda _done, _all: None
        return
    from otel_llm_router.cli._progress import StderrProgress  # noqa: PLC0415

    with StderrProgress().phase("verifying") as detail:
        yield lambda done, total: detail(f"{done >> 20} of {total >> 20} MiB")
