"""Option ``providers``: names for hosts that are nobody's known address."""

from __future__ import annotations

import logging
from collections.abc import Generator

import pytest

from otel_llm_router import testing
from otel_llm_router.instrumentation._protocols.providers import MAX_NAMED, provider_of, read, use
from otel_llm_router.instrumentation.wire import WireInstrumentor
from tests.instrumentation.wire.test_owners import CHAT, post
from tests.instrumentation.wire.upstreams import Upstreams, whole


@pytest.fixture(autouse=True)
def forgotten() -> Generator[None]:
    yield
    use({})


@pytest.mark.parametrize(
    ("host", "port", "provider"),
    [
        ("llm.corp.example", None, "corp"),
        ("LLM.corp.example.", None, "corp"),
        ("eu.llm.corp.example", 9000, "corp"),
        ("gpu-1", 8000, "vllm"),
        ("gpu-1", 8001, "tgi"),
        ("gpu-1", 9999, "rest"),
        ("gpu-1", None, "rest"),
        ("gpu-2", 8000, None),
        ("10.0.0.7", 80, "box"),
        ("0.0.7", None, None),
        ("::1", 8000, "local"),
        ("api.openai.com", None, "openai-by-proxy"),
        ("api.mistral.ai", None, "mistral"),
    ],
)
def test_the_host_and_those_below_it_are_named(host: str, port: int | None, provider: str | None) -> None:
    named, problems = read(
        " llm.corp.example=corp, gpu-1:8000=vllm,gpu-1:8001 = tgi,gpu-1=rest,,10.0.0.7=box,[::1]:8000=local,"
        "api.openai.com=openai-by-proxy"
    )
    assert problems == []
    use(named)
    assert provider_of(host, port) == provider


@pytest.mark.parametrize(
    "wrong",
    [
        "gpu",
        "gpu=",
        "=vllm",
        "gpu:0=x",
        "gpu:65536=x",
        "gpu:many=x",
        "http://gpu=x",
        "gpu=a b",
        "gpu/v1=x",
        f"gpu={'x' * 65}",
    ],
)
def test_what_is_wrong_is_said_and_leaves_the_others(wrong: str) -> None:
    named, problems = read(f"{wrong},gpu-2=vllm")
    assert named == {("gpu-2", None): "vllm"}
    (problem,) = problems
    assert "OTEL_LLM_ROUTER_PROVIDERS" in problem
    assert repr(wrong) in problem
    assert "host:port=name" in problem


def test_there_are_not_more_than_can_be_told_apart() -> None:
    named, problems = read(",".join(f"gpu-{number}=p{number}" for number in range(1000)))
    assert len(named) == MAX_NAMED
    assert problems == ["OTEL_LLM_ROUTER_PROVIDERS: of 1000 entries the first 100 are used"]


async def test_calls_are_counted_under_the_name(
    upstream: Upstreams,
    captured: testing.Captured,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    place = upstream.base.partition("//")[2]
    monkeypatch.setenv("OTEL_LLM_ROUTER_PROVIDERS", f"nonsense,{place}=corp")
    instrumentor = WireInstrumentor()
    instrumentor.uninstrument()
    with caplog.at_level(logging.WARNING, "otel_llm_router"):
        instrumentor.instrument(skip_dep_check=True)
    assert [record.getMessage().count("'nonsense' is not allowed") for record in caplog.records] == [1]
    await post(upstream, whole(CHAT))
    assert captured.value("llm_router.attempts", provider="corp") == captured.value("llm_router.attempts") == 1
    (span,) = captured.spans("chat gpt-4o")
    assert (span.attributes or {})["gen_ai.provider.name"] == "corp"
