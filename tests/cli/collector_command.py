"""How tests start `otel-llm-router collector` as a process of its own."""

from __future__ import annotations

from pathlib import Path
from subprocess import Popen
from typing import Protocol

WITHOUT_GO_WHEEL = "import sys; sys.modules['go'] = None; "
MAIN = "from otel_llm_router.cli.collector import collector; collector(prog_name='collector')"


class Command(Protocol):
    """Start the command, by default with nothing on PATH, without the Go wheel, and with the cache of this run."""

    def __call__(self, *arguments: str, path: str = "", cache: Path | None = None) -> Popen[str]: ...
