"""Bodies and answers that nobody should send: they pass as they are, are counted, and take bounded memory."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from otel_llm_router import testing
from otel_llm_router.instrumentation._protocols import decoders
from otel_llm_router.instrumentation.wire import _compression
from tests.instrumentation.wire.upstreams import Answer, Upstreams, events, whole

pytestmark = pytest.mark.parametrize("captured", [True], indirect=True, ids=["fast"])

ASK: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hello"}], "stream": True}
STREAM = "text/event-stream"
OPEN = b'data: {"id": "1", "model": "m", "choices": [{"delta": {"content": "a"}}]}\n\n'

ANSWERS: dict[str, Answer] = {
    "nothing": Answer([], content_type=STREAM),
    "no JSON": Answer([b"data: {nope\n\ndata: \xff\xfe\n\n", OPEN], content_type=STREAM),
    "no UTF-8": Answer([b"\xff\xfe\x00\x01" * 1000], content_type="application/json"),
    "wrong content type": Answer([OPEN, b"data: [DONE]\n\n"], content_type="text/plain"),
    "JSON said to be events": Answer([b'{"model": "m", "choices": []}'], content_type=STREAM),
    "events said to be gzip": Answer([OPEN], content_type=STREAM, headers={"content-encoding": "gzip"}),
    "unknown encoding": Answer([OPEN], content_type=STREAM, headers={"content-encoding": "rot13"}),
    "deep nesting": Answer([b'{"choices":' + b"[" * 200_000], content_type="application/json"),
    "not what it should be": whole(
        {"model": 7, "id": [], "choices": {"a": 1}, "usage": ["many"], "error": None}, content_type="application/json"
    ),
    "choices of nothing": events({"choices": [None, 3, {"delta": 4}, {"delta": {"content": ["x"]}}], "model": {}}),
    "a bad status line": whole([1, 2, {"usage": None}]),
    "null": Answer([b"null"]),
    "a line without end": Answer([b"data: " + b"x" * 3_000_000], content_type=STREAM),
    "an event without end": Answer([b"data: x\n" * 300_000], content_type=STREAM),
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS.keys())
async def test_an_answer_passes_as_it_is_and_is_counted(
    answer: Answer, upstream: Upstreams, captured: testing.Captured
) -> None:
    url = f"{upstream.gives(answer)}/v1/chat/completions"
    async with httpx.AsyncClient(verify=False) as client, client.stream("POST", url, json=ASK) as response:
        assert b"".join([piece async for piece in response.aiter_raw()]) == b"".join(answer.body)
    assert captured.value("llm_router.attempts", status="success") == 1
    assert captured.value("llm_router.usage.missing", reason="absent") == 1
    assert captured.value("llm_router.attempts.in_flight") == 0


@pytest.mark.parametrize("count", [-1, 2**70, "many", 1.5, True, [], {"a": 1}])
async def test_a_count_that_cannot_be_one_is_left_out_and_said(
    count: Any, upstream: Upstreams, captured: testing.Captured
) -> None:
    usage = {"prompt_tokens": 5, "completion_tokens": count}
    async with httpx.AsyncClient(verify=False) as client:
        await client.post(f"{upstream.gives(whole({'usage': usage}))}/v1/chat/completions", json=ASK)
    assert {point.labels["type"]: point.value for point in captured.points("llm_router.tokens")} == {"input": 5}
    assert captured.value("llm_router.usage.missing", reason="invalid") == 1


@pytest.mark.parametrize("order", ["model first", "model last"])
async def test_a_prompt_of_50_megabytes_is_recognised_without_being_parsed(
    order: str, upstream: Upstreams, captured: testing.Captured
) -> None:
    long = '"messages": [{"role": "user", "content": "' + '\\"model\\": \\"not it\\" ' * 2_500_000 + '"}]'
    model = '"model": "gpt-4o"'
    body = ("{" + ", ".join([model, long] if order == "model first" else [long, model]) + ', "stream": false}').encode()
    assert len(body) > 50_000_000
    upstream.gives(whole({"model": "gpt-4o-2026", "usage": {"prompt_tokens": 9}}))
    async with httpx.AsyncClient(verify=False, timeout=60) as client:
        request = client.build_request("POST", f"{upstream.base}/v1/chat/completions", content=body)
        await client.send(request)
    assert upstream.received[0].body == body
    assert captured.value("llm_router.tokens", type="input", model="gpt-4o") == 9


async def test_a_body_made_while_it_is_sent_is_not_touched(upstream: Upstreams, captured: testing.Captured) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield json.dumps(ASK).encode()

    async with httpx.AsyncClient(verify=False) as client:
        await client.post(f"{upstream.gives(whole({}))}/v1/chat/completions", content=body())
    assert upstream.received[0].body == json.dumps(ASK).encode()
    assert captured.spans() == []


@pytest.mark.parametrize("make", [decoders.EventStream, decoders.JsonLines, decoders.Whole])
@pytest.mark.parametrize("chunk", [b"x" * 65536, b"data: x\n" * 8192, b"\n" * 65536, b"data:\r" * 10000])
def test_memory_is_bounded_whatever_comes(make: Any, chunk: bytes, captured: testing.Captured) -> None:
    decoder = make()
    tracemalloc.start()
    for _ in range(64):  # four times what an event may be long
        decoder.feed(chunk)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 2 * decoders.MAX_EVENT


def test_what_expands_without_measure_is_no_longer_read(captured: testing.Captured) -> None:
    bomb = gzip.compress(b"\0" * 50_000_000)
    decompress = _compression.decompressor("gzip")
    assert decompress is not None
    with pytest.raises(_compression.ExpansionError):
        decompress(bomb)
