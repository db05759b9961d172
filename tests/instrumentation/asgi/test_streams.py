"""Streams to clients: when their first token comes, how they end, and that nothing about them is changed."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterable
from typing import Any

import httpx
import pytest
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse

from tests.instrumentation.asgi.gateways import ASK, CHAT, Gateway, client, post
from tests.instrumentation.wire.upstreams import events

DONE = b"data: [DONE]\n\n"


def event(data: Any, *, end: bytes = b"\n\n") -> bytes:
    return b"data: " + json.dumps(data).encode() + end


def delta(text: str, finish: str | None = None) -> dict[str, Any]:
    return {"choices": [{"delta": {"content": text} if text else {}, "finish_reason": finish}]}


def begun(text: str = "") -> dict[str, Any]:
    return {"choices": [{"delta": {"role": "assistant", "content": text}, "finish_reason": None}]}


def streamed(parts: Iterable[bytes], kind: str = "text/event-stream", **headers: str) -> Response:
    async def stream() -> AsyncIterator[bytes]:
        for part in parts:
            yield part
            await asyncio.sleep(0)

    return StreamingResponse(stream(), media_type=kind, headers=headers)


def serves(gateway: Gateway, parts: list[bytes], kind: str = "text/event-stream", **headers: str) -> None:
    async def handler(request: Request) -> Response:
        await request.json()
        return streamed(parts, kind, **headers)

    gateway.handler = handler


WHOLE = [event(begun()), event(delta("a")), event(delta("b")), event(delta("c")), event(delta("", "stop")), DONE]


async def ended(gateway: Gateway, eventually: Any) -> dict[tuple[str, str], float]:
    assert await eventually(gateway.counted)
    assert gateway.value("requests.in_flight") == 0
    return gateway.counted()


@pytest.mark.parametrize(
    ("path", "kind", "parts"),
    [
        (CHAT, "text/event-stream", WHOLE),
        (CHAT, "text/event-stream", [b"".join(WHOLE)]),
        (CHAT, "text/event-stream", [bytes([byte]) for byte in b"".join(WHOLE)]),
        (CHAT, "text/event-stream; charset=utf-8", [part.replace(b"\n", b"\r\n") for part in WHOLE]),
        ("/ask", "text/event-stream", WHOLE),
        (
            "/v1/messages",
            "text/event-stream",
            [
                b"event: message_start\n" + event({"type": "message_start", "message": {}}),
                *(
                    b"event: content_block_delta\n" + event({"type": "content_block_delta", "delta": {"text": "x"}})
                    for _ in range(3)
                ),
                b"event: message_stop\n" + event({"type": "message_stop"}),
            ],
        ),
        (
            "/v1/responses",
            "text/event-stream",
            [
                event({"type": "response.created", "response": {"status": "in_progress"}}),
                *(event({"type": "response.output_text.delta", "delta": "error"}) for _ in range(3)),
                event({"type": "response.completed", "response": {"status": "completed"}}),
            ],
        ),
        (
            "/v1beta/models/m:streamGenerateContent",
            "text/event-stream",
            [event({"candidates": [{"content": {"parts": [{"text": "x"}]}}]}) for _ in range(3)],
        ),
        (
            "/api/chat",
            "application/x-ndjson",
            [
                *(b'{"model":"m","message":{"content":"x"},"done":false}\n' for _ in range(3)),
                b'{"model":"m","message":{"content":""},"done":true}\n',
            ],
        ),
        ("/ask", "text/event-stream", [b": hello\n\n", b"data: a\n\n", b"data: b\n\n", b"data: c\n\n", DONE]),
        ("/ask", "text/event-stream", [event({"token": text}) for text in "abc"]),
        ("/ask", "text/plain", [b"a", b"b", b"c"]),
    ],
)
async def test_first_token_and_time_per_token_are_the_clients(
    gateway: Gateway, path: str, kind: str, parts: list[bytes], eventually: Any
) -> None:
    serves(gateway, parts, kind)
    body: Any = {"contents": []} if "Content" in path else {**ASK, "input": "x"}
    answer = await post(gateway, path, body)
    assert answer.content == b"".join(parts)
    ((_, status),) = await ended(gateway, eventually)
    assert status == "success"
    assert gateway.watched.count("llm_router.time_to_first_token") == 1
    if len(parts) > 1:
        assert gateway.watched.count("llm_router.time_per_output_token") == 1


async def test_an_answer_that_is_no_stream_has_no_first_token(gateway: Gateway, eventually: Any) -> None:
    serves(gateway, [b'{"choices": ', b"[]}"], "application/json")
    await post(gateway)
    assert await ended(gateway, eventually) == {("smart", "success"): 1}
    assert gateway.watched.count("llm_router.time_to_first_token") == 0


@pytest.mark.parametrize(
    ("parts", "error"),
    [
        ([event(delta("a")), event({"error": {"type": "rate_limit_error"}}), DONE], "rate_limit"),
        ([event({"error": "a secret"})], "server_error"),
        ([event(delta("a")), b"event: error\ndata: a secret\n\n"], "server_error"),
        ([event(delta("a")), b'event: error\ndata: {"error": {"code": 429}}\n\n'], "rate_limit"),
        ([event(delta("a")), b'data: {"err', b'or": {"code": "invalid_api_key"}}\n', b"\n", DONE], "authentication"),
        ([event(delta("a")) + event({"error": {"code": 504}}) + event(delta("b"))], "timeout"),
        ([event(delta("a")), event({"error": {"code": 0}}, end=b"")], "server_error"),
    ],
)
async def test_an_error_behind_a_200_is_an_error(
    gateway: Gateway, parts: list[bytes], error: str, eventually: Any
) -> None:
    serves(gateway, parts)
    answer = await post(gateway)
    assert (answer.status_code, answer.content) == (200, b"".join(parts))
    assert await ended(gateway, eventually) == {("smart", "error"): 1}
    assert gateway.value("errors", type=error, component="router") == 1


@pytest.mark.parametrize(
    "parts",
    [
        [event(delta('{"error": 1}')), event(delta("event: error\n")), event(delta("error")), DONE],
        [event(delta("a"))],  # without an end: as the client sees it, this is all
        [event({**delta("a"), "error": None}), DONE],
        [b"\xff\xfe\x00", b"data: {\n\n", b"data: " + b"x" * 3_000_000 + b"\n\n", b"\n\n\n", b"data:"],
    ],
)
async def test_what_only_looks_like_an_error_is_none(gateway: Gateway, parts: list[bytes], eventually: Any) -> None:
    serves(gateway, parts)
    assert (await post(gateway)).content == b"".join(parts)
    assert await ended(gateway, eventually) == {("smart", "success"): 1}


async def test_a_stream_whose_provider_broke_off_is_an_error_though_it_ends_well(
    gateway: Gateway, eventually: Any
) -> None:
    gateway.upstream.gives(events(delta("a"), delta("b"), done=False, cut=True))
    serves_what_the_provider_gives(gateway)
    answer = await post(gateway)
    assert answer.content.count(b"data:") == 2
    assert await ended(gateway, eventually) == {("small", "error"): 1}
    assert gateway.value("errors", type="stream_interrupted", component="router") == 1
    assert gateway.value("attempts", error_type="stream_interrupted") == 1


def serves_what_the_provider_gives(gateway: Gateway) -> None:
    async def stream() -> AsyncIterator[bytes]:
        body: Any = {"model": "small", "messages": [], "stream": True}
        async with (
            httpx.AsyncClient(verify=False) as http,
            http.stream("POST", f"{gateway.upstream.base}{CHAT}", json=body) as answer,
        ):
            try:
                async for part in answer.aiter_raw():
                    yield part
            except httpx.TransportError:
                return

    async def handler(request: Request) -> Response:
        await request.json()
        return StreamingResponse(stream(), media_type="text/event-stream")

    gateway.handler = handler


async def test_a_stream_that_raises_is_an_error(gateway: Gateway, eventually: Any) -> None:
    async def stream() -> AsyncIterator[bytes]:
        yield event(delta("a"))
        raise TimeoutError("a secret")

    async def handler(request: Request) -> Response:
        await request.json()
        return StreamingResponse(stream(), media_type="text/event-stream")

    gateway.handler = handler
    with pytest.raises(httpx.TransportError):
        await post(gateway)
    assert (await ended(gateway, eventually)).popitem() == (("smart", "error"), 1)
    assert gateway.value("errors", type="timeout") == 1


async def test_the_first_byte_is_not_held_back_and_a_client_that_goes_is_an_abort(
    gateway: Gateway, eventually: Any
) -> None:
    hold = threading.Event()
    gateway.upstream.gives(events(delta("a"), delta("b"), hold=hold))
    serves_what_the_provider_gives(gateway)
    async with client(gateway) as http, http.stream("POST", CHAT, json=ASK) as answer:
        async for part in answer.aiter_raw():
            assert b'"a"' in part  # while the provider waits for us
            break
    assert await ended(gateway, eventually) == {("small", "aborted"): 1}
    hold.set()
    assert gateway.value("stream.aborts", side="client", phase="mid_stream") == 1
    assert gateway.value("attempts", status="aborted") == 1
    assert gateway.value("tokens.generated") == 1
    assert await eventually(lambda: gateway.value("active_connections") == 0)
    assert gateway.watched.count("llm_router.connection.duration", type="sse") == 1


async def test_a_client_that_goes_with_the_last_word_has_had_all(gateway: Gateway, eventually: Any) -> None:
    release = threading.Event()

    async def stream() -> AsyncIterator[bytes]:
        yield event(delta("a", "stop")) + DONE
        await asyncio.to_thread(release.wait, 10)

    async def handler(request: Request) -> Response:
        await request.json()
        return StreamingResponse(stream(), media_type="text/event-stream")

    gateway.handler = handler
    async with client(gateway) as http, http.stream("POST", CHAT, json=ASK) as answer:
        async for _ in answer.aiter_raw():
            break
    release.set()
    assert (await ended(gateway, eventually)).popitem() == (("smart", "success"), 1)


async def test_a_client_that_goes_before_any_answer_is_an_abort(gateway: Gateway, eventually: Any) -> None:
    """An application that answers at once asks nobody whether its client is still there; uvicorn knows."""
    gone, entered = threading.Event(), threading.Event()

    async def handler(request: Request) -> Response:
        if request.method == "GET":
            return Response("x")
        await request.json()
        entered.set()
        await asyncio.to_thread(gone.wait, 10)
        return Response("{}")

    gateway.handler = handler
    host, port = gateway.base.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    body = json.dumps(ASK).encode()
    writer.write(f"POST {CHAT} HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)
    assert await eventually(entered.is_set)
    writer.close()
    await writer.wait_closed()
    async with client(gateway) as http:  # what comes later, the server hears of later
        await http.get("/docs")
    gone.set()
    assert await ended(gateway, eventually) == {("smart", "aborted"): 1}


async def test_a_client_that_goes_while_it_asks_is_an_abort(gateway: Gateway, eventually: Any) -> None:
    raised: list[BaseException] = []

    async def handler(request: Request) -> Response:
        try:
            await request.body()
        except ClientDisconnect as error:
            raised.append(error)
            raise
        return Response("never")

    gateway.handler = handler
    host, port = gateway.base.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"POST {CHAT} HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n".encode() + b'{"model": ')
    await writer.drain()
    writer.close()
    assert await ended(gateway, eventually) == {("unknown", "aborted"): 1}
    assert len(raised) == 1


async def test_a_compressed_stream_is_left_alone(gateway: Gateway, eventually: Any) -> None:
    serves(gateway, [b"data: no gzip error\n\n"], **{"content-encoding": "x-own"})
    assert (await post(gateway)).content == b"data: no gzip error\n\n"
    assert await ended(gateway, eventually) == {("smart", "success"): 1}
