"""Usage that is nonsense: said once, counted, and nothing else is lost."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from otel_llm_router import testing

NONSENSE = [
    {"prompt_tokens": -5, "completion_tokens": 7, "total_tokens": 2},
    {"prompt_tokens": 2**70, "completion_tokens": 7, "total_tokens": 2**70},
]


@pytest.mark.parametrize("usage", NONSENSE)
async def test_nonsense(
    make_router: Any, ask: Any, captured: testing.Captured, caplog: pytest.LogCaptureFixture, usage: Any
) -> None:
    router = make_router(num_retries=0)
    with caplog.at_level(logging.WARNING, logger="otel_llm_router"):
        for _ in range(3):
            await router.acompletion("smart", ask(alpha=[{"usage": usage}]))
    said = [record.getMessage() for record in caplog.records if "cannot be a token count" in record.getMessage()]
    assert len(said) == 1
    assert "openai" in said[0]
    assert "prompt_tokens" in said[0]
    assert captured.value("llm_router.usage.missing", reason="invalid") == 3
    assert captured.value("llm_router.tokens", type="output", source="reported") == 21
    assert captured.value("llm_router.tokens", type="input") == 0
    assert captured.value("llm_router.inference", status="success") == 3


async def test_a_lone_surrogate_in_the_model_name(make_router: Any, captured: testing.Captured) -> None:
    router = make_router(num_retries=0)
    with pytest.raises(Exception):  # noqa: B017, PT011  # there is no such group
        await router.acompletion("bad \ud800 name", [{"role": "user", "content": "hello"}])
    (point,) = captured.points("llm_router.inference", status="error")
    point.labels["model"].encode("utf-8")
    assert captured.spans()[-1].name.encode("utf-8")
