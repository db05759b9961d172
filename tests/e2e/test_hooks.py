"""Declared hooks under the real ``opentelemetry-instrument``."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

CODE = """
import mine
from otel_llm_router.instrumentation import hooks
print(mine.chat("smart"))
for one in hooks.status():
    print(one.hook, one.state, one.calls)
"""
FILE = """
hooks:
  - hook: mine:pick
    kind: decision
    reason: "'only one'"
"""


def test_from_the_environment_a_flag_and_a_file(
    python: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    path = tmp_path / "path"
    path.mkdir()
    (path / "mine.py").write_text("def pick():\n    return 'm'\n\ndef chat(model):\n    return pick()\n")
    (tmp_path / "hooks.yaml").write_text(FILE)
    done = python(
        CODE,
        "--llm_router_hooks",
        "mine:chat=request, mine:chta=request, nonsense",
        path=path,
        OTEL_LLM_ROUTER_HOOKS_FILE=str(tmp_path / "hooks.yaml"),
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "m",
        "mine:chat=request in place 1",
        "mine:chta=request wrong 0",
        "mine:pick=decision in place 1",
    ]
    assert done.stderr.count("OTEL_LLM_ROUTER_HOOKS: 'nonsense' is not allowed") == 1
    assert done.stderr.count("hook mine:chta=request (OTEL_LLM_ROUTER_HOOKS) is wrong") == 1
    assert "Traceback" not in done.stderr


def test_the_kill_switch(python: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path) -> None:
    path = tmp_path / "path"
    path.mkdir()
    (path / "mine.py").write_text("def chat(model):\n    return model\n")
    done = python(CODE, path=path, OTEL_LLM_ROUTER_HOOKS="mine:chat=request", OTEL_LLM_ROUTER_DISABLED="true")
    assert done.stdout == "smart\n", done.stderr


def test_options_of_the_wire(python: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    code = """
from otel_llm_router import telemetry
from otel_llm_router.instrumentation._protocols.providers import provider_of
print(telemetry.default.foreign, provider_of("gpu-1", 8000), provider_of("gpu-2"))
"""
    done = python(code, "--llm_router_foreign", "own", OTEL_LLM_ROUTER_PROVIDERS="gpu-1:8000=vllm,gpu")
    assert done.stdout == "own vllm None\n", done.stderr
    assert done.stderr.count("OTEL_LLM_ROUTER_PROVIDERS: 'gpu' is not allowed") == 1
