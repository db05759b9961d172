"""One owner for each call beside other instrumentations: the real ones, in the environment of requirements/foreign.txt."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import JSONResponse

from otel_llm_router.cli.demo._upstream import Upstream

pytestmark = pytest.mark.skipif(
    find_spec("openinference") is None,
    reason="other instrumentations are installed from requirements/foreign.txt, not here: scripts/test makes that environment",
)

HERE = Path(__file__).parent
OURS = "otel_llm_router"
SDK = "sdk+sdk_stream+sdk_sync"
ROUTER = "router_call+router_stream"
SCOPES = {
    "genai": "opentelemetry.instrumentation.genai.openai",
    "openai-v2": "opentelemetry.instrumentation.openai_v2",
    "openllmetry": "opentelemetry.instrumentation.openai.v1",
    "openinference": "openinference.instrumentation.openai",
    "openinference-litellm": "openinference.instrumentation.litellm",
}
"""Peers that make spans of calls to models, with their scope."""
CALLS = {
    "none": f"{SDK}+{ROUTER}",
    **dict.fromkeys(("genai", "openai-v2", "openllmetry", "openinference"), f"{SDK}+{ROUTER}"),
    "openinference-litellm": ROUTER,
    "otel": ROUTER,
    "prometheus": ROUTER,
    "httpx": f"sdk+sdk_stream+bare_httpx+{ROUTER}",
    "aiohttp": f"bare_aiohttp+{ROUTER}",
    "requests": "bare_requests",
}
MAKES_METRICS = {"genai", "openai-v2", "openllmetry"}
"""Peers that make the gen_ai.* metrics themselves, some of them not of every call."""


class Recording:
    """An upstream that keeps the headers of each call, and says them at ``/headers``."""

    def __init__(self) -> None:
        self._app = Upstream("alpha").app
        self._headers: list[list[list[str]]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/headers":
            await JSONResponse(self._headers)(scope, receive, send)
            return
        self._headers.append([[name.decode(), value.decode()] for name, value in scope["headers"]])
        await self._app(scope, receive, send)


def run(base: str, *wanted: str) -> dict[str, Any]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "TRACELOOP_"))}
    done = subprocess.run(
        [sys.executable, HERE / "calls.py", base, *wanted],
        env={**kept, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "PYTHONUNBUFFERED": "1"},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    for seen in found.values():
        assert "failed" not in seen, seen["failed"]
    return found


@pytest.fixture(scope="module")
def seen(serve: Any) -> dict[str, Any]:
    """What each peer's process has seen, by peer; with the rule `own` by ``PEER:own``."""
    base = serve(Recording())
    names = [f"{peer}:defer:{calls}" for peer, calls in CALLS.items()]
    names += [f"{peer}:own:sdk+router_call" for peer in ("genai", "openinference")]
    return {name.rpartition(":")[0].removesuffix(":defer"): value for name, value in run(base, *names).items()}


def is_call(span: dict[str, Any]) -> bool:
    """Whether a span says that it is one call to a model, by the words of any convention."""
    attributes = span["attributes"]
    return (
        attributes.get("gen_ai.operation.name") in {"chat", "text_completion", "acompletion", "completion"}
        or attributes.get("openinference.span.kind") == "LLM"
        or span["name"].startswith("litellm_request")
    )


def sent(call: dict[str, Any]) -> tuple[str, str]:
    """Return trace and span that the upstream was told of, in the one header of the one request."""
    (headers,) = call["headers"]
    (traceparent,) = [value for name, value in headers if name == "traceparent"]
    _, trace, span, _ = traceparent.split("-")
    return trace, span


@pytest.mark.parametrize("peer", list(CALLS))
def test_each_call_has_one_span_and_is_counted_once(peer: str, seen: dict[str, Any]) -> None:
    for name, call in seen[peer]["calls"].items():
        where = f"{peer}, {name}"
        counts = call["counts"]
        assert {key: counts.get(key, 0) for key in ("inference", "attempts", "tokens", "usage.missing")} == {
            "inference": 1,
            "attempts": 1,
            "tokens": 15,
            "usage.missing": 0,
        }, where
        (span,) = [span for span in call["spans"] if is_call(span)]
        theirs = peer in SCOPES
        assert span["scope"] == (SCOPES[peer] if theirs else OURS), where
        metrics = (counts.get("gen_ai.client.operation.duration", 0), counts.get("gen_ai.client.token.usage", 0))
        if peer in MAKES_METRICS:
            assert metrics[0] <= 1, where
            assert metrics[1] <= 2, where
        else:
            assert metrics == (1, 2), where
        assert counts.get("guard", 0) == counts.get("degraded", 0) == 0, where


@pytest.mark.parametrize("peer", list(CALLS))
def test_the_trace_goes_on_from_the_call_s_span(peer: str, seen: dict[str, Any]) -> None:
    for name, call in seen[peer]["calls"].items():
        (span,) = [span for span in call["spans"] if is_call(span)]
        by_id = {each["id"]: each for each in call["spans"]}
        trace, below = sent(call)
        assert trace == span["trace"], (peer, name)
        line = [below]  # from what the upstream was told of upwards
        while line[-1] in by_id and by_id[line[-1]]["parent"] is not None:
            line.append(by_id[line[-1]]["parent"])
        assert span["id"] in line, (peer, name)
        assert all(each in by_id for each in line), (peer, name)  # no parent that nobody exports


@pytest.mark.parametrize("peer", list(CALLS))
def test_the_choice_is_said_once(peer: str, seen: dict[str, Any]) -> None:
    said = seen[peer]["said"]
    if peer in SCOPES:
        assert [SCOPES[peer] in one and "keeps its span" in one for one in said] == [True]
    elif peer in {"otel", "prometheus"}:
        assert [f"LiteLLM's callback {peer} is on" in one for one in said] == [True]
    else:
        assert said == []


@pytest.mark.parametrize("peer", ["httpx", "aiohttp", "requests"])
def test_stock_http_spans_stand_beside_ours_in_one_line(peer: str, seen: dict[str, Any]) -> None:
    for name, call in seen[peer]["calls"].items():
        (span,) = [span for span in call["spans"] if is_call(span)]
        posts = [each for each in call["spans"] if each["name"] == "POST"]
        above = {each["id"]: each["parent"] for each in call["spans"]}
        for post in posts:
            around = post["id"] in {span["parent"], above.get(span["parent"])}
            assert post["parent"] == span["id"] or around, (peer, name)
        assert len(posts) == (0 if peer == "httpx" and name.startswith("router") else 1)


@pytest.mark.parametrize("peer", ["genai", "openinference"])
def test_by_the_rule_own_ours_are_made_too(peer: str, seen: dict[str, Any]) -> None:
    found = seen[f"{peer}:own"]
    for call in found["calls"].values():
        scopes = sorted(span["scope"] for span in call["spans"] if is_call(span))
        assert scopes == sorted([OURS, SCOPES[peer]])
        assert (call["counts"]["attempts"], call["counts"]["inference"], call["counts"]["tokens"]) == (1, 1, 15)
    assert ["OTEL_LLM_ROUTER_FOREIGN=own has ours made beside" in one for one in found["said"]] == [True]
