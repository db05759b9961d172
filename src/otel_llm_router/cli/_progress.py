"""Progress of something that takes seconds or minutes, on stderr.

Room: `cli`. Phases come in; a spinner with elapsed time goes to a terminal, plain lines elsewhere.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Progress(Protocol):
    """What a long task tells about itself."""

    def note(self, text: str) -> None:
        """Say one thing that stays on the screen."""
        ...

    def phase(self, text: str) -> AbstractContextManager[Callable[[str], None]]:
        """Name what goes on now; the function inside takes the latest detail, such as a count."""
        ...


class QuietProgress:
    """Says nothing: for tests, and callers with a display of their own."""

    def note(self, text: str) -> None:
        """Drop the text."""

    @contextmanager
    def phase(self, text: str) -> Generator[Callable[[str], None]]:  # noqa: ARG002 - the protocol's signature
        """Drop text and details."""
        yield lambda _detail: None


class StderrProgress:
    """Spinner on a terminal; the first and the last line of each phase in a log."""

    def __init__(self) -> None:
        from rich.console import Console  # noqa: PLC0415 - `--help` need not wait for rich

        self._console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)

    def note(self, text: str) -> None:
        """Print the text as one line."""
        self._console.print(text)

    @contextmanager
    def phase(self, text: str) -> Generator[Callable[[str], None]]:
        """Show the phase while it goes on, and how long it took once it has ended well."""
        started = time.monotonic()
        latest = ""
        if not self._console.is_terminal:
            self.note(f"{text} ...")

            def keep(detail: str) -> None:
                nonlocal latest
                latest = detail

            yield keep
        else:
            from rich.progress import Progress as Bar  # noqa: PLC0415
            from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415

            columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
            with Bar(*columns, console=self._console, transient=True) as bar:
                task = bar.add_task(text)

                def show(detail: str) -> None:
                    nonlocal latest
                    latest = detail
                    bar.update(task, description=f"{text}: {detail}")

                yield show
        done = f"{text}: {latest + ', ' if latest else ''}{time.monotonic() - started:.0f} s"
        self.note(done)
