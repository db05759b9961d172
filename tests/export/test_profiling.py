"""Profiles of a live process."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from otel_llm_router.export import _profiling
from otel_llm_router.export._messages import Request

BUSY = """
import json, sys, threading
from otel_llm_router.export import _profiling
from otel_llm_router.export._messages import Request

def spends_its_time_here():
    while not done.is_set():
        sum(range(1000))

done = threading.Event()
threading.Thread(target=spends_its_time_here).start()
response = _profiling.answer(Request("GET", "/debug/profile/cpu", {}, "seconds=1&format=raw"))
done.set()
print(response.status, response.body.decode())
"""


def test_where_the_processor_is() -> None:
    done = subprocess.run([sys.executable, "-c", BUSY], capture_output=True, text=True, timeout=60, check=True)
    status, _, profile = done.stdout.partition(" ")
    if status == "501":
        pytest.skip("py-spy is not installed")
    if status == "500" and "ermission" in profile:  # a machine on which nobody may trace anything
        assert profile.startswith("py-spy: ")
        return
    assert status == "200", profile
    assert "spends_its_time_here" in profile


def test_where_memory_grows() -> None:
    kept: list[bytearray] = []
    stop = threading.Event()

    def grows() -> None:
        while not stop.wait(0.01):
            kept.append(bytearray(10_000))

    thread = threading.Thread(target=grows)
    thread.start()
    try:
        response = _profiling.answer(Request("GET", "/debug/profile/memory", {}, "seconds=0.5"))
    finally:
        stop.set()
        thread.join()
    assert response.status == 200
    assert Path(__file__).name in response.body.decode()


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/debug/profile/cpu", "seconds=0"),
        ("/debug/profile/cpu", "seconds=16"),
        ("/debug/profile/cpu", "seconds=nan"),
        ("/debug/profile/memory", "seconds=x"),
        ("/debug/profile/cpu", "format=%2Fetc%2Fpasswd"),
    ],
)
def test_what_cannot_be_asked(path: str, query: str) -> None:
    response = _profiling.answer(Request("GET", path, {}, query))
    assert response.status == 400
    assert b"is not allowed" in response.body


def test_one_at_a_time() -> None:
    answers: list[int] = []
    request = Request("GET", "/debug/profile/memory", {}, "seconds=1")
    first = threading.Thread(target=lambda: answers.append(_profiling.answer(request).status))
    first.start()
    while not _profiling.running():
        pass
    answers.append(_profiling.answer(request).status)
    first.join()
    assert answers == [409, 200]


def test_without_py_spy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(_profiling.sysconfig, "get_path", str(tmp_path).format)
    monkeypatch.setenv("PATH", os.devnull)
    response = _profiling.answer(Request("GET", "/debug/profile/cpu", {}, ""))
    assert response.status == 501
    assert b"otel-llm-router[profiler]" in response.body


def test_a_py_spy_that_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "py-spy").write_text(
        textwrap.dedent("""\
            #!/bin/sh
            echo 'Error: Permission denied' >&2
            exit 1
        """)
    )
    (tmp_path / "py-spy").chmod(0o755)
    monkeypatch.setattr(_profiling.sysconfig, "get_path", str(tmp_path).format)
    response = _profiling.answer(Request("GET", "/debug/profile/cpu", {}, ""))
    assert (response.status, response.body) == (500, b"py-spy: Error: Permission denied\n")
