"""Calls that a router makes inside of a hooked decision, with no hook of their own: the wire knows what they are for."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from otel_llm_router import testing
from otel_llm_router.instrumentation.hooks import HooksInstrumentor
from tests.instrumentation.wire.test_owners import CHAT
from tests.instrumentation.wire.upstreams import Upstreams, whole

ROUTER = """
import httpx

def ask(base, model):
    body = {"model": model, "messages": [{"role": "user", "content": "how hard is this?"}]}
    return httpx.post(f"{base}/v1/chat/completions", json=body).json()

def pick(base):
    return ask(base, "classifier")["model"]

def chat(base):
    pick(base)
    return ask(base, "gpt-4o")
"""


@pytest.fixture
def router(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Any]:
    """A router that asks a small model which large one to take."""
    monkeypatch.syspath_prepend(str(tmp_path))  # pyright: ignore[reportUnknownMemberType]
    (tmp_path / "asking_router.py").write_text(ROUTER)
    yield lambda: importlib.import_module("asking_router")
    sys.modules.pop("asking_router", None)


@pytest.mark.parametrize(
    "hooks", ["asking_router:pick=decision", "asking_router:pick=decision,asking_router:chat=request"]
)
def test_a_classifier_is_asked_for_routing_and_is_no_traffic(
    hooks: str, router: Any, upstream: Upstreams, captured: testing.Captured
) -> None:
    instrumentor = HooksInstrumentor()
    instrumentor.instrument(hooks=hooks, hooks_file="", profiles=False)
    try:
        router().chat(upstream.gives(whole(CHAT)))
    finally:
        instrumentor.uninstrument()
    reasons = {
        span.name: (span.attributes or {})["llm_router.attempt.reason"]
        for span in captured.spans()
        if span.name.startswith("chat")
    }
    assert reasons == {"chat classifier": "routing", "chat gpt-4o": "initial"}
    assert captured.value("llm_router.decisions") == captured.value("llm_router.inference") == 1
    assert captured.value("llm_router.attempts") == len(upstream.received) == 2
    assert captured.value("llm_router.tokens") == 36
    assert captured.value("llm_router.requests.in_flight") == captured.value("llm_router.attempts.in_flight") == 0
