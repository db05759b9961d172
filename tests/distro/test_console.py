"""Our warnings on the terminal, whoever else attaches handlers."""

from __future__ import annotations

import subprocess
import sys

import pytest

CODE = """
import logging, sys
from otel_llm_router.distro import _console
_console.attach()
_console.attach()
{setup}
logging.getLogger("otel_llm_router").warning("to be seen")
logging.getLogger("otel_llm_router").info("not to be seen")
"""

FOREIGN = """
import types
module = types.ModuleType("opentelemetry.sdk.somewhere")
class LoggingHandler(logging.Handler):
    __module__ = "opentelemetry.sdk.somewhere"
    def emit(self, record): pass
logging.root.addHandler(LoggingHandler())
"""


@pytest.mark.parametrize(
    ("setup", "seen"),
    [
        ("", 1),
        (FOREIGN, 1),
        ("logging.basicConfig(stream=sys.stderr)", 1),
        (FOREIGN + "logging.basicConfig(stream=sys.stderr, force=False)", 1),
        ("logging.root.addHandler(logging.NullHandler())", 0),
        ("logging.lastResort = None", 0),
        ("logging.getLogger('otel_llm_router').setLevel(logging.ERROR)", 0),
    ],
)
def test_a_warning_is_printed_once_at_most(setup: str, seen: int) -> None:
    code = CODE.replace("{setup}", setup)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr.count("to be seen") == seen
    assert "not to be seen" not in done.stderr
