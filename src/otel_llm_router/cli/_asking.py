"""Ask a program something that it answers at once.

Room: `cli`. A command line comes in; what the program said goes out.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path


def ask(
    command: Sequence[str | Path], *, seconds: float, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a program that reads nothing, and return its exit code and what it printed.

    Args:
        command: The program and its arguments.
        seconds: How long it may take.
        env: Its environment; by default ours.

    Raises:
        OSError: It does not run.
        subprocess.TimeoutExpired: It took too long, and was killed.
    """
    return subprocess.run(  # noqa: S603
        command,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=seconds,
        check=False,
    )
