"""Calls made with each HTTP client: counted once, measured to the last byte, handed on as they are."""

from __future__ import annotations

import asyncio
import gc
import threading
from typing import Any

import aiohttp
import httpx
import pytest
import requests

from otel_llm_router import testing
from otel_llm_router.instrumentation.wire import WireInstrumentor
from tests.instrumentation.wire import clients
from tests.instrumentation.wire.clients import STREAM, WHOLE, Way
from tests.instrumentation.wire.upstreams import Answer, Upstreams, events, whole

ASK = {"model": "gpt-4o", "messages": [{"role": "user", "content": "a secret"}]}
ASK_STREAM = {**ASK, "stream": True, "stream_options": {"include_usage": True}}
USAGE = {
    "prompt_tokens": 11,
    "completion_tokens": 7,
    "prompt_tokens_details": {"cached_tokens": 4},
    "completion_tokens_details": {"reasoning_tokens": 2},
}
CHAT = {
    "id": "chatcmpl-1",
    "model": "gpt-4o-2026",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
    "usage": USAGE,
}


def delta(content: str | None = None, finish: str | None = None, **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": {} if content is None else {"content": content}, "finish_reason": finish}
    return {"id": "chatcmpl-1", "model": "gpt-4o-2026", "choices": [choice], **more}


LAST: dict[str, Any] = {"id": "chatcmpl-1", "model": "gpt-4o-2026", "choices": [], "usage": USAGE}
STREAMED: tuple[dict[str, Any], ...] = (delta("one"), delta("two"), delta(finish="stop"), LAST)


def tokens(captured: testing.Captured) -> dict[tuple[str, str], float]:
    """Return the tokens by type and source."""
    points = captured.points("llm_router.tokens")
    return {(point.labels["type"], point.labels["source"]): point.value for point in points}


REPORTED = {
    ("input", "reported"): 11,
    ("output", "reported"): 7,
    ("cache_read", "reported"): 4,
    ("reasoning", "reported"): 2,
}


def outcomes(captured: testing.Captured, name: str = "llm_router.attempts") -> dict[tuple[str, str], float]:
    """Return what ended how: by status and error type."""
    return {
        (point.labels["status"], point.labels.get("error_type", "")): point.value for point in captured.points(name)
    }


def attributes(captured: testing.Captured, name: str = "chat gpt-4o") -> dict[str, Any]:
    """Return the attributes of the one span of that name."""
    (span,) = captured.spans(name)
    return dict(span.attributes or {})


@pytest.mark.parametrize("way", [*WHOLE, *STREAM], ids=lambda way: way.__name__)
async def test_an_answer_is_counted_once_with_its_usage(
    way: Way, upstream: Upstreams, captured: testing.Captured
) -> None:
    status, body = await way(f"{upstream.gives(whole(CHAT))}/v1/chat/completions", ASK)
    assert (status, body) == (200, whole(CHAT).body[0])
    assert outcomes(captured) == {("success", ""): 1}
    assert outcomes(captured, "llm_router.inference") == {("success", ""): 1}
    assert tokens(captured) == REPORTED
    seen = attributes(captured)
    assert (seen["gen_ai.response.model"], seen["gen_ai.response.id"]) == ("gpt-4o-2026", "chatcmpl-1")
    assert (seen["gen_ai.response.finish_reasons"], seen["http.response.status_code"]) == (("stop",), 200)
    assert captured.value("llm_router.attempts.in_flight") == 0


@pytest.mark.parametrize("way", [*WHOLE, *STREAM], ids=lambda way: way.__name__)
@pytest.mark.parametrize("encoding", ["", "gzip", "deflate"])
async def test_a_stream_is_counted_once_with_its_usage(
    way: Way, encoding: str, upstream: Upstreams, captured: testing.Captured
) -> None:
    sent = events(*STREAMED, encoding=encoding)
    _, body = await way(f"{upstream.gives(sent)}/v1/chat/completions", ASK_STREAM)
    assert body == b"".join(sent.body)
    assert outcomes(captured) == {("success", ""): 1}
    assert tokens(captured) == REPORTED
    seen = attributes(captured)
    assert (seen["gen_ai.request.stream"], seen["gen_ai.response.finish_reasons"]) == (True, ("stop",))
    # Of what httpx and requests read on their own, only the end is seen.
    timed = way in STREAM or way is clients.aiohttp_whole
    assert captured.count("llm_router.time_to_first_token") == int(timed)


@pytest.mark.parametrize("way", [*WHOLE, *STREAM], ids=lambda way: way.__name__)
async def test_the_trace_goes_on_in_the_provider(way: Way, upstream: Upstreams, captured: testing.Captured) -> None:
    await way(f"{upstream.gives(whole(CHAT))}/v1/chat/completions", ASK)
    (span,) = captured.spans("chat gpt-4o")
    assert span.context is not None
    (received,) = upstream.received
    traceparent = received.headers["traceparent"]
    assert traceparent.split("-")[1:3] == [f"{span.context.trace_id:032x}", f"{span.context.span_id:016x}"]


@pytest.mark.parametrize("way", [*WHOLE, *STREAM], ids=lambda way: way.__name__)
async def test_an_error_status_is_a_failed_attempt(way: Way, upstream: Upstreams, captured: testing.Captured) -> None:
    headers = {"retry-after": "7", "x-ratelimit-remaining-requests": "3", "x-ratelimit-remaining-tokens": "900"}
    answer = whole({"error": {"type": "tokens", "code": "rate_limit_exceeded"}}, status=429, headers=headers)
    status, body = await way(f"{upstream.gives(answer)}/v1/chat/completions", ASK_STREAM)
    assert (status, body) == (429, answer.body[0])
    assert outcomes(captured) == {("error", "rate_limit"): 1}
    assert captured.value("llm_router.rate_limit.hits") == 1
    assert captured.value("llm_router.rate_limit.remaining", kind="requests", model="gpt-4o") == 3
    assert captured.value("llm_router.rate_limit.remaining", kind="tokens", model="gpt-4o") == 900
    seen = attributes(captured)
    assert (seen["http.response.status_code"], seen["llm_router.retry_after"]) == (429, 7.0)


@pytest.mark.parametrize("way", [*WHOLE, *STREAM], ids=lambda way: way.__name__)
async def test_a_stream_that_breaks_off_is_an_interrupted_stream(
    way: Way, upstream: Upstreams, captured: testing.Captured
) -> None:
    sent = events(*STREAMED[:2], done=False, cut=True)
    with pytest.raises(
        (httpx.RemoteProtocolError, aiohttp.ClientPayloadError, requests.exceptions.ChunkedEncodingError)
    ):
        await way(f"{upstream.gives(sent)}/v1/chat/completions", ASK_STREAM)
    (ended,) = outcomes(captured)
    # What a client read to the end in one go was not there to be seen when it broke.
    assert ended in {("error", "stream_interrupted"), ("error", "connection")}
    assert ended == ("error", "stream_interrupted") or way in WHOLE
    assert captured.value("llm_router.attempts.in_flight") == 0


@pytest.mark.parametrize("way", [*WHOLE, *STREAM], ids=lambda way: way.__name__)
async def test_nobody_there_is_a_failed_connection(way: Way, captured: testing.Captured) -> None:
    with pytest.raises((httpx.ConnectError, aiohttp.ClientConnectionError, requests.exceptions.ConnectionError)):
        await way("http://127.0.0.1:1/v1/chat/completions", ASK)
    assert outcomes(captured) == {("error", "connection"): 1}


@pytest.mark.parametrize("way", [*WHOLE, *STREAM], ids=lambda way: way.__name__)
@pytest.mark.parametrize("encoding", ["", "gzip"])
async def test_the_same_bytes_and_headers_pass_with_and_without_us(
    way: Way, encoding: str, upstream: Upstreams, captured: testing.Captured
) -> None:
    url = f"{upstream.gives(events(*STREAMED, encoding=encoding))}/v1/chat/completions"
    watched = await way(url, ASK_STREAM)
    instrumentor = WireInstrumentor()
    instrumentor.uninstrument()
    try:
        plain = await way(url, ASK_STREAM)
    finally:
        instrumentor.instrument(skip_dep_check=True)
    assert watched == plain
    ours, theirs = upstream.received
    assert ours.body == theirs.body
    assert {name: value for name, value in ours.headers.items() if name != "traceparent"} == theirs.headers
    assert outcomes(captured) == {("success", ""): 1}


async def pieces_httpx(url: str, release: threading.Event) -> list[bytes]:
    async with httpx.AsyncClient(verify=False) as client, client.stream("POST", url, json=ASK_STREAM) as response:
        stream = response.aiter_raw()
        first = [await stream.__anext__()]
        release.set()
        return first + [piece async for piece in stream]


async def pieces_httpx_sync(url: str, release: threading.Event) -> list[bytes]:
    def call() -> list[bytes]:
        with httpx.Client(verify=False) as client, client.stream("POST", url, json=ASK_STREAM) as response:
            stream = response.iter_raw()
            first = [next(stream)]
            release.set()
            return first + list(stream)

    return await asyncio.to_thread(call)


async def pieces_aiohttp(url: str, release: threading.Event) -> list[bytes]:
    async with aiohttp.ClientSession() as session, session.post(url, json=ASK_STREAM) as response:
        first = [await response.content.readany()]
        release.set()
        return first + [piece async for piece in response.content.iter_any()]


async def pieces_requests(url: str, release: threading.Event) -> list[bytes]:
    def call() -> list[bytes]:
        with requests.post(url, json=ASK_STREAM, timeout=10, stream=True) as response:
            stream = response.iter_content(None)
            first = [next(stream)]
            release.set()
            return first + list(stream)

    return await asyncio.to_thread(call)


@pytest.mark.parametrize(
    "read", [pieces_httpx, pieces_httpx_sync, pieces_aiohttp, pieces_requests], ids=lambda read: read.__name__
)
async def test_a_piece_reaches_the_application_before_the_next_is_sent(
    read: Any, upstream: Upstreams, captured: testing.Captured
) -> None:
    release = threading.Event()
    sent = events(*STREAMED, hold=release)
    pieces = await read(f"{upstream.gives(sent)}/v1/chat/completions", release)
    assert pieces[0] == sent.body[0]
    assert b"".join(pieces) == b"".join(sent.body)
    assert outcomes(captured) == {("success", ""): 1}


async def leave_httpx(url: str) -> None:
    async with httpx.AsyncClient(verify=False) as client, client.stream("POST", url, json=ASK_STREAM) as response:
        async for _ in response.aiter_lines():
            break


async def leave_httpx_sync(url: str) -> None:
    def call() -> None:
        with httpx.Client(verify=False) as client, client.stream("POST", url, json=ASK_STREAM) as response:
            for _ in response.iter_lines():
                break

    await asyncio.to_thread(call)


async def leave_aiohttp(url: str) -> None:
    async with aiohttp.ClientSession() as session, session.post(url, json=ASK_STREAM) as response:
        await response.content.readany()


async def leave_requests(url: str) -> None:
    def call() -> None:
        with requests.post(url, json=ASK_STREAM, timeout=10, stream=True) as response:
            for _ in response.iter_content(None):
                break

    await asyncio.to_thread(call)


@pytest.mark.parametrize(
    "leave", [leave_httpx, leave_httpx_sync, leave_aiohttp, leave_requests], ids=lambda way: way.__name__
)
async def test_a_stream_that_is_given_up_is_aborted_with_what_had_come(
    leave: Any, upstream: Upstreams, captured: testing.Captured
) -> None:
    release = threading.Event()
    await leave(f"{upstream.gives(events(*STREAMED, hold=release))}/v1/chat/completions")
    release.set()
    assert outcomes(captured) == {("aborted", "client_disconnect"): 1}
    assert tokens(captured) == {("output", "estimated"): 1}
    assert captured.value("llm_router.attempts.in_flight") == 0
    assert captured.value("llm_router.requests.in_flight") == 0


def drop_httpx(url: str) -> None:
    client = httpx.Client(verify=False)
    next(client.send(client.build_request("POST", url, json=ASK_STREAM), stream=True).iter_raw())


def drop_requests(url: str) -> None:
    next(requests.post(url, json=ASK_STREAM, timeout=10, stream=True).iter_content(None))


@pytest.mark.filterwarnings("ignore")  # Python's own, of a socket that nobody closed
@pytest.mark.parametrize("drop", [drop_httpx, drop_requests], ids=lambda way: way.__name__)
async def test_a_stream_that_is_dropped_is_abandoned(
    drop: Any, upstream: Upstreams, captured: testing.Captured
) -> None:
    release = threading.Event()
    await asyncio.to_thread(drop, f"{upstream.gives(events(*STREAMED, hold=release))}/v1/chat/completions")
    gc.collect()
    release.set()
    assert outcomes(captured) in ({("aborted", "stream_abandoned"): 1}, {("aborted", "client_disconnect"): 1})


async def test_an_answer_of_aiohttp_that_nobody_reads_ends_with_its_session(
    upstream: Upstreams, captured: testing.Captured
) -> None:
    release = threading.Event()
    url = f"{upstream.gives(events(*STREAMED, hold=release))}/v1/chat/completions"
    async with aiohttp.ClientSession() as session:
        response = await session.post(url, json=ASK_STREAM)
        await response.content.readany()
    release.set()
    await asyncio.sleep(0)
    response.close()
    ((status, _),) = outcomes(captured)
    assert status in {"aborted", "error"}
    assert captured.value("llm_router.attempts.in_flight") == 0


async def slow_httpx(url: str) -> None:
    async with (
        httpx.AsyncClient(verify=False, timeout=0.2) as client,
        client.stream("POST", url, json=ASK_STREAM) as response,
    ):
        await response.aread()


async def slow_aiohttp(url: str) -> None:
    session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=0.2))
    async with session, session.post(url, json=ASK_STREAM) as response:
        await response.read()


async def slow_aiohttp_socket(url: str) -> None:
    session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(sock_read=0.2))
    async with session, session.post(url, json=ASK_STREAM) as response:
        await response.read()


async def slow_requests(url: str) -> None:
    await asyncio.to_thread(requests.post, url, json=ASK, timeout=0.2)


@pytest.mark.parametrize(
    "slow", [slow_httpx, slow_aiohttp, slow_aiohttp_socket, slow_requests], ids=lambda way: way.__name__
)
@pytest.mark.parametrize("pieces", [STREAMED, ()], ids=["in the middle", "before the first"])
async def test_an_answer_that_takes_too_long_is_a_timeout(
    slow: Any, pieces: Any, upstream: Upstreams, captured: testing.Captured
) -> None:
    release = threading.Event()
    answer = events(*pieces, hold=release) if pieces else Answer([b" "], hold=release)
    with pytest.raises((httpx.ReadTimeout, asyncio.TimeoutError, requests.exceptions.RequestException)):
        await slow(f"{upstream.gives(answer)}/v1/chat/completions")
    release.set()
    assert outcomes(captured) in ({("error", "timeout"): 1}, {("error", "connection"): 1})
    if slow is not slow_requests:  # which calls a slow body a broken connection
        assert outcomes(captured) == {("error", "timeout"): 1}


@pytest.mark.parametrize("way", [*WHOLE, *STREAM], ids=lambda way: way.__name__)
async def test_what_is_no_call_to_a_model_is_not_touched(
    way: Way, upstream: Upstreams, captured: testing.Captured
) -> None:
    for path in ("/orders", "/api/chat", "/v1/threads/t1/messages", "/v1/messages"):
        await way(f"{upstream.gives(whole({'ok': True}))}{path}", {"content": "no model here"})
    assert all("traceparent" not in received.headers for received in upstream.received)
    assert captured.points("llm_router.attempts") == []
    assert captured.spans() == []


def test_taking_it_out_leaves_the_libraries_as_they_were() -> None:
    WireInstrumentor().uninstrument()
    try:
        for method in (
            httpx.Client.send,
            httpx.AsyncClient.send,
            vars(aiohttp.ClientSession)["_request"],
            requests.Session.send,
        ):
            assert not hasattr(method, "__wrapped__")
    finally:
        WireInstrumentor().instrument(skip_dep_check=True)
    assert hasattr(httpx.Client.send, "__wrapped__")
