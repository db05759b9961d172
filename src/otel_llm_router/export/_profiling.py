"""``/debug/profile/...``: where a live process spends its processor's time and its memory.

Room: `export`. Off unless asked for, and only for those who have shown who they are. The processor is sampled from
outside by py-spy (a package of its own), which costs the process next to nothing; memory by Python's `tracemalloc`,
which slows allocations down while it runs. One profile at a time.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
import tracemalloc
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs

from otel_llm_router.export._messages import Request, Response

MAX_SECONDS: Final = 15.0
"""Longest profile; less than an answer may take."""
DEFAULT_SECONDS: Final = 5.0
LINES: Final = 50
"""Lines of source in a profile of memory."""

_TEXT: Final = "text/plain; charset=utf-8"
_FORMATS: Final = {
    "flamegraph": "image/svg+xml",
    "speedscope": "application/json",
    "raw": _TEXT,
}
_PR_SET_PTRACER: Final = 0x59616D61

_one = threading.Lock()


def answer(request: Request) -> Response:
    """Answer a request for a profile; takes as long as the profile does."""
    query = {name: values[-1] for name, values in parse_qs(request.query).items()}
    try:
        seconds = float(query.get("seconds", DEFAULT_SECONDS))
    except ValueError:
        seconds = -1
    if not 0 < seconds <= MAX_SECONDS:
        return _wrong(
            f"seconds={query.get('seconds')!r} is not allowed: it takes a number above 0 and up to {MAX_SECONDS:g}"
        )
    if not _one.acquire(blocking=False):
        return Response(409, b"another profile is being made\n", _TEXT)
    try:
        if request.path.endswith("/memory"):
            return _memory(seconds)
        kind = query.get("format", "flamegraph")
        if kind not in _FORMATS:
            return _wrong(f"format={kind!r} is not allowed: it takes one of {', '.join(_FORMATS)}")
        return _cpu(seconds, kind)
    finally:
        _one.release()


def running() -> bool:
    """Whether a profile is being made."""
    return _one.locked()


def _wrong(message: str) -> Response:
    return Response(400, f"{message}\n".encode("utf-8", "backslashreplace"), _TEXT)


def _cpu(seconds: float, kind: str) -> Response:
    program = _py_spy()
    if program is None:
        return Response(501, b"py-spy is not installed: pip install 'otel-llm-router[profiler]'\n", _TEXT)
    with tempfile.TemporaryDirectory(prefix="otel-llm-router-") as directory:
        written = Path(directory) / "profile"
        command = [program, "record", "--pid", str(os.getpid()), "--duration", f"{seconds:g}", "--format", kind]
        process = subprocess.Popen(  # noqa: S603  # a program that was looked for, with a number and a word of ours
            [*command, "--output", str(written), "--nonblocking"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        with _traceable(process.pid):
            try:
                _, said = process.communicate(timeout=seconds + 4)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
                return Response(504, b"py-spy did not come to an end\n", _TEXT)
        if process.returncode != 0 or not written.exists():
            last = said.decode("utf-8", "replace").strip().splitlines()[-1:] or ["it said nothing"]
            return Response(500, f"py-spy: {last[0]}\n".encode(), _TEXT)
        return Response(200, written.read_bytes(), _FORMATS[kind])


def _py_spy() -> str | None:
    """Return the program: that of this environment, or one that is on the path."""
    beside = Path(sysconfig.get_path("scripts")) / "py-spy"
    return str(beside) if beside.exists() else shutil.which("py-spy")


class _traceable:  # noqa: N801  # used as a function is
    """Lets one process trace this one, where Linux (Yama) lets only parents trace their children."""

    def __init__(self, pid: int) -> None:
        self._pid = pid

    def __enter__(self) -> None:
        self._allow(self._pid)

    def __exit__(self, *_: object) -> None:
        self._allow(0)

    @staticmethod
    def _allow(pid: int) -> None:
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(_PR_SET_PTRACER, ctypes.c_ulong(pid), 0, 0, 0)


def _memory(seconds: float) -> Response:
    began_here = not tracemalloc.is_tracing()
    if began_here:
        tracemalloc.start()
    try:
        before = tracemalloc.take_snapshot()
        time.sleep(seconds)
        grown = tracemalloc.take_snapshot().compare_to(before, "lineno")
    finally:
        if began_here:
            tracemalloc.stop()
    lines = [f"# memory that was allocated and kept within {seconds:g} s, by line of source", "# bytes\tblocks\tline"]
    for one in grown[:LINES]:
        frame = one.traceback[0]
        lines.append(f"{one.size_diff:+}\t{one.count_diff:+}\t{frame.filename}:{frame.lineno}")
    return Response(200, "\n".join([*lines, ""]).encode("utf-8", "replace"), _TEXT)
