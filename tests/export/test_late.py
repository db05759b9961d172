"""A process that forks while we import: the child can import the same."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SLOW = """
import os, sys
os.write(int(os.environ["BEGUN"]), b"x")
import time
time.sleep(0.5)
finished = True
"""
CODE = """
import os, signal, sys, threading
begun, begin = os.pipe()
os.environ["BEGUN"] = str(begin)
from otel_llm_router.export import _late

def late():
    with _late.importing():
        import slow

thread = threading.Thread(target=late)
thread.start()
os.read(begun, 1)
child = os.fork()
if child == 0:
    signal.alarm(20)  # a lock that nobody opens
    import slow
    os._exit(0 if slow.finished else 1)
thread.join()
_, status = os.waitpid(child, 0)
sys.exit(os.waitstatus_to_exitcode(status))
"""

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


def run(code: str, directory: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "ignore", "-c", code]  # newer Pythons warn of forks beside threads
    return subprocess.run(
        command,
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": str(directory)},
    )


def test_a_fork_waits_for_what_is_being_imported(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(SLOW)
    done = run(CODE, tmp_path)
    assert done.returncode == 0, done.stderr


def test_a_fork_does_not_wait_for_ever(tmp_path: Path) -> None:
    """The module that forks is the one that our import waits for."""
    (tmp_path / "forks.py").write_text(
        "import os, threading\n"
        "import main\n"
        "thread = threading.Thread(target=main.late)\n"
        "thread.start()\n"
        "main.inside.wait()\n"
        "if os.fork() == 0:\n"
        "    os._exit(0)\n"
        "os.wait()\n"
    )
    (tmp_path / "main.py").write_text(
        "import threading\n"
        "from otel_llm_router.export import _late\n"
        "_late.FORK_SECONDS = 0.2\n"
        "inside = threading.Event()\n"
        "def late():\n"
        "    with _late.importing():\n"
        "        inside.set()\n"
        "        import forks\n"
    )
    done = run("import forks; forks.thread.join(); print('on')", tmp_path)
    assert (done.returncode, done.stdout) == (0, "on\n"), done.stderr


def test_forks_and_imports_go_on_afterwards(tmp_path: Path) -> None:
    code = """
import os
from otel_llm_router.export import _late
for _ in range(3):
    with _late.importing():
        if os.fork() == 0:  # in the thread that imports
            with _late.importing():
                os._exit(0)
    os.wait()
print("on")
"""
    done = run(code, tmp_path)
    assert (done.returncode, done.stdout) == (0, "on\n"), done.stderr
