"""The SDK workload: what watches it must see each call, and its answers are checked."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks import sdk
from benchmarks.router import CHUNKS
from otel_llm_router import testing
from otel_llm_router.instrumentation.wire import WireInstrumentor


async def test_calls_reach_the_wire_and_are_counted() -> None:
    instrumentor = WireInstrumentor()
    instrumentor.instrument(skip_dep_check=True)
    try:
        with testing.capture(fast_path=True) as captured:
            load = sdk.SdkLoad()
            await load.plain()
            await load.stream()
    finally:
        instrumentor.uninstrument()
    assert captured.value("llm_router.attempts", status="success") == 2
    assert captured.value("llm_router.tokens", type="output", source="reported") == 2 * CHUNKS
    assert len(captured.spans()) == 4


async def test_an_answer_that_is_another_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    load: Any = sdk.SdkLoad()
    monkeypatch.setattr(sdk, "PLAIN", sdk.PLAIN.replace(b"word", b"mine"))
    with pytest.raises(RuntimeError, match="not what was sent"):
        await load.plain()
    monkeypatch.setattr(sdk, "STREAM", sdk.STREAM[5:])
    with pytest.raises(RuntimeError, match="chunks instead of"):
        await load.stream()
