"""Which HTTP requests are routed requests, and who owns them."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

import httpx
import pytest
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from otel_llm_router import telemetry
from otel_llm_router.instrumentation.asgi import AsgiInstrumentor
from tests.instrumentation.asgi.gateways import ASK, CHAT, Gateway, post
from tests.instrumentation.wire.upstreams import whole


def answer(model: str = "small", **options: Any) -> Any:
    message = {"role": "assistant", "content": "x"}
    usage = {"prompt_tokens": 11, "completion_tokens": 7}
    return whole(
        {"model": model, "choices": [{"message": message, "finish_reason": "stop"}], "usage": usage}, **options
    )


async def reads(request: Request) -> Response:
    await request.body()
    return JSONResponse({})


async def test_a_retried_call_is_one_request_with_two_attempts(gateway: Gateway, eventually: Any) -> None:
    gateway.upstream.gives(whole({"error": {}}, status=500), answer())

    async def handler(request: Request) -> Response:
        await request.json()
        found = await gateway.call("small")
        assert gateway.value("requests.in_flight") == 1
        if found.status_code == 500:
            found = await gateway.call("small")
        return JSONResponse(found.json())

    gateway.handler = handler
    assert (await post(gateway)).status_code == 200
    assert await eventually(gateway.counted)
    assert gateway.counted() == {("small", "success"): 1}
    assert gateway.value("requests.in_flight") == 0
    assert gateway.value("attempts") == 2
    assert gateway.value("retries", model="smart", error_type="server_error") == 1
    assert gateway.value("tokens.generated") == 7
    (server,) = gateway.server_spans()
    routes: list[Any] = gateway.watched.spans("route smart")
    (route,) = routes
    attempts: Any = gateway.watched.spans("chat small")
    assert route.parent.span_id == server.context.span_id
    assert {span.parent.span_id for span in attempts} == {route.context.span_id}
    assert server.start_time <= route.start_time
    assert route.end_time <= server.end_time


@pytest.mark.parametrize(
    ("path", "body", "model"),
    [
        (CHAT, ASK, "smart"),
        ("/v1/completions", {"model": "smart", "prompt": "x"}, "smart"),
        ("/v1/responses", {"model": "smart", "input": "x"}, "smart"),
        ("/v1/embeddings", {"model": "smart", "input": ["x"]}, "smart"),
        ("/v1/messages", {"messages": [], "model": "claude"}, "claude"),
        ("/v1beta/models/gemini-x:generateContent", {"contents": []}, "gemini-x"),
        ("/v1beta/models/gemini-x:streamGenerateContent", {"contents": []}, "gemini-x"),
        ("/api/chat", {"model": "llama", "messages": []}, "llama"),
        ("/api/generate", {"model": "llama", "prompt": "x"}, "llama"),
        ("/ask", {"model": "smart", "prompt": "x"}, "smart"),
        ("/ask", {"messages": [], "model": "smart"}, "smart"),
        ("/ask", {"input": "x", "model": "smart"}, "smart"),
        ("/ask", {"model": "smart", "padding": "x" * 300_000, "input": "x"}, "smart"),
        (CHAT, {"padding": "x" * 300_000, "messages": [], "model": "smart"}, "smart"),
        (CHAT, "no JSON", "unknown"),
        (CHAT, b'{"model": "sm\xff\xfe", "messages": []}', "unknown"),
        (CHAT, "[" * 100_000, "unknown"),
        (CHAT, {"model": {"not": "text"}, "messages": []}, "unknown"),
    ],
)
async def test_what_asks_for_a_model_is_a_request_though_nobody_sees_a_call(
    gateway: Gateway, path: str, body: Any, model: str, eventually: Any
) -> None:
    gateway.handler = reads
    await post(gateway, path, body)
    assert await eventually(gateway.counted)
    assert gateway.counted() == {(model, "success"): 1}
    assert gateway.value("requests.in_flight") == 0
    assert gateway.value("tokens.generated") == 0  # nobody has reported any


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/orders", {"item": 1}),
        ("/orders", {"model": "a car", "colour": "red"}),
        ("/ask", "model and messages"),
        ("/ask", '{"model": "smart", "messages": '),
        ("/api/generate", {"prompt": "x"}),
        ("/v1/messages/count_tokens", ASK),
        ("/v1/moderations", {"model": "m", "input": "x"}),
    ],
)
async def test_what_asks_for_no_model_is_none(gateway: Gateway, path: str, body: Any, eventually: Any) -> None:
    gateway.handler = reads
    await post(gateway, path, body)
    async with httpx.AsyncClient() as client:
        await client.get(f"{gateway.base}{CHAT}")
    assert await eventually(lambda: gateway.value("http.requests") == 2)
    assert gateway.counted() == {}
    assert gateway.value("requests.in_flight") == 0


async def test_calls_made_in_one_http_request_are_one_request_whatever_its_path(
    gateway: Gateway, eventually: Any
) -> None:
    gateway.upstream.gives(whole({"error": {}}, status=503), answer(), answer())

    async def handler(request: Request) -> Response:
        await gateway.call("large")
        await gateway.call("small")
        with telemetry.attempt("another", "by-hand"):  # which the library below makes as it likes
            await gateway.call("by-hand")
        return Response("x")

    gateway.handler = handler
    await post(gateway, "/api/generate", {"prompt": "x"})
    async with httpx.AsyncClient() as client:
        await client.get(f"{gateway.base}/ask?prompt=x")
    assert await eventually(lambda: sum(gateway.counted().values()) == 2)
    assert gateway.counted() == {("by-hand", "success"): 2}
    assert gateway.value("attempts") == 6
    assert gateway.value("fallbacks", from_model="large", to_model="small") == 1


async def test_a_request_that_is_begun_inside_is_the_one(gateway: Gateway, eventually: Any) -> None:
    gateway.upstream.gives(answer())

    async def handler(request: Request) -> Response:
        await request.json()
        await gateway.call("embedder")  # before anybody speaks of a request
        for number in range(int(request.query_params.get("times", 1))):
            with telemetry.request(f"inner-{number}", strategy="mine"):
                await gateway.call("small")
        await gateway.call("judge")
        return Response("x")

    gateway.handler = handler
    await post(gateway)
    assert await eventually(gateway.counted)
    assert gateway.counted() == {("small", "success"): 1}
    assert gateway.value("inference", strategy="mine") == 1
    assert gateway.value("attempts") == 3
    await post(gateway, f"{CHAT}?times=2")
    assert await eventually(lambda: gateway.value("inference") == 3)
    assert gateway.value("inference", strategy="mine") == 3
    assert await eventually(lambda: gateway.value("requests.in_flight") == 0)
    assert gateway.value("attempts") == 7


async def test_a_decision_is_of_the_request_that_was_asked_for(gateway: Gateway, eventually: Any) -> None:
    gateway.upstream.gives(answer())

    async def handler(request: Request) -> Response:
        await request.json()
        with telemetry.decision(["small", "large"], strategy="cheapest") as decision:
            await gateway.call("judge")
            decision.select("small", reason="short")
        await gateway.call("small")
        return Response("x")

    gateway.handler = handler
    await post(gateway)
    assert await eventually(gateway.counted)
    assert gateway.value("inference", model="small", strategy="cheapest", status="success") == 1
    spans: list[Any] = [span for span in gateway.watched.spans() if "chat" in span.name]
    reasons = {span.attributes["llm_router.attempt.reason"] for span in spans}
    assert reasons == {"routing", "initial"}


async def test_a_call_after_the_answer_is_a_request_of_its_own(gateway: Gateway, eventually: Any) -> None:
    gateway.upstream.gives(answer())
    answered = threading.Event()

    async def later() -> None:
        await asyncio.to_thread(answered.wait, 10)
        await gateway.call("judge")

    async def handler(request: Request) -> Response:
        await request.json()
        await gateway.call("small")
        return JSONResponse({}, background=BackgroundTask(later))

    gateway.handler = handler
    await post(gateway)
    assert await eventually(lambda: gateway.counted() == {("small", "success"): 1})
    assert gateway.value("requests.in_flight") == 0  # while the task still waits
    assert await eventually(lambda: gateway.value("http.requests") == 1)
    assert gateway.value("active_connections") == 0
    answered.set()
    assert await eventually(lambda: gateway.value("inference") == 2)
    assert gateway.counted() == {("small", "success"): 1, ("judge", "success"): 1}
    assert gateway.value("attempts") == 2


async def test_a_call_that_goes_on_after_the_answer_stays_an_attempt(gateway: Gateway, eventually: Any) -> None:
    hold = threading.Event()
    gateway.upstream.gives(answer(hold=hold))
    running: set[Any] = set()

    async def handler(request: Request) -> Response:
        await request.json()
        running.add(asyncio.create_task(gateway.call("slow")))
        assert await eventually(lambda: gateway.upstream.received)
        return Response("x")

    gateway.handler = handler
    await post(gateway)
    assert await eventually(gateway.counted)
    assert gateway.value("attempts.in_flight") == 1
    hold.set()
    assert await eventually(lambda: gateway.value("attempts") == 1)
    assert gateway.counted() == {("smart", "success"): 1}
    assert gateway.value("attempts", status="success", model="slow") == 1
    assert gateway.value("attempts.in_flight") == 0


async def test_attempts_in_parallel_are_one_request(gateway: Gateway, eventually: Any) -> None:
    gateway.upstream.gives(answer())

    async def handler(request: Request) -> Response:
        await asyncio.gather(*(gateway.call("small") for _ in range(4)))
        threads = [asyncio.to_thread(_call_in_thread, gateway) for _ in range(4)]
        await asyncio.gather(*threads)
        return Response("x")

    gateway.handler = handler
    await post(gateway, "/ask", {"question": "x"})
    assert await eventually(gateway.counted)
    assert gateway.counted() == {("small", "success"): 1}
    assert gateway.value("attempts", status="success") == 8
    assert gateway.value("retries") == 0


def _call_in_thread(gateway: Gateway) -> None:
    with httpx.Client(verify=False) as client:
        client.post(f"{gateway.upstream.base}{CHAT}", json={"model": "small", "messages": []})


async def test_a_call_outside_any_http_request_is_one_of_its_own(gateway: Gateway) -> None:
    gateway.upstream.gives(answer())
    await gateway.call("warm-up")
    assert gateway.counted() == {("warm-up", "success"): 1}


@pytest.mark.parametrize(
    ("status", "error", "component"),
    [
        (400, "bad_request", "client"),
        (401, "authentication", "client"),
        (403, "permission", "client"),
        (404, "not_found", "client"),
        (422, "bad_request", "client"),
        (429, "rate_limit", "client"),
        (500, "server_error", "router"),
        (503, "server_error", "router"),
        (504, "timeout", "router"),
    ],
)
async def test_a_refused_request_is_an_error(
    gateway: Gateway, status: int, error: str, component: str, eventually: Any
) -> None:
    async def handler(request: Request) -> Response:
        await request.json()
        return JSONResponse({"error": "a secret"}, status_code=status)

    gateway.handler = handler
    assert (await post(gateway)).status_code == status
    assert await eventually(gateway.counted)
    assert gateway.counted() == {("smart", "error"): 1}
    assert gateway.value("errors", type=error, component=component) == 1
    assert gateway.value("errors") == 1


async def test_a_providers_error_that_is_handed_on_keeps_its_kind(gateway: Gateway, eventually: Any) -> None:
    refusal = {"error": {"code": "context_length_exceeded"}}
    gateway.upstream.gives(whole(refusal, status=400), whole({"error": {}}, status=429))

    async def handler(request: Request) -> Response:
        await request.json()
        found = await gateway.call("small")
        return Response(found.content, 502 if found.status_code == 429 else found.status_code)

    gateway.handler = handler
    await post(gateway)
    await post(gateway)
    assert await eventually(lambda: gateway.value("inference", status="error") == 2)
    assert gateway.value("errors", type="context_window", component="router") == 1
    assert gateway.value("errors", type="rate_limit", component="router") == 1


async def test_an_exception_is_an_error_and_stays_one(gateway: Gateway, eventually: Any) -> None:
    async def handler(request: Request) -> Response:
        await request.json()
        raise json.JSONDecodeError("a secret", "", 0)

    gateway.handler = handler
    assert (await post(gateway)).status_code == 500
    assert await eventually(gateway.counted)
    assert gateway.value("errors", type="invalid_response", component="router") == 1
    assert gateway.value("requests.in_flight") == 0


async def test_who_asks_for_what_is_not_served_is_no_client(gateway: Gateway, eventually: Any) -> None:
    async def handler(request: Request) -> Response:
        return Response("there is no such thing", 404)

    gateway.handler = handler
    await post(gateway)
    assert await eventually(lambda: gateway.value("http.requests", status_code="404") == 1)
    assert gateway.counted() == {}
    assert gateway.value("requests.in_flight") == 0


async def test_a_prompt_of_50_megabytes_passes_in_pieces(gateway: Gateway, eventually: Any) -> None:
    async def handler(request: Request) -> Response:
        size = 0
        async for piece in request.stream():
            size += len(piece)
        return Response(str(size))

    gateway.handler = handler
    body = json.dumps({"model": "smart", "messages": [{"role": "user", "content": "x" * 50_000_000}]})
    assert int((await post(gateway, "/ask", body)).text) == len(body)
    assert await eventually(gateway.counted)
    assert gateway.counted() == {("smart", "success"): 1}


async def test_nothing_is_read_that_the_application_does_not_read(gateway: Gateway, eventually: Any) -> None:
    seen: list[Any] = []

    async def handler(request: Request) -> Response:
        message = await request.receive()
        seen.append(message)
        return Response("enough", 413)

    gateway.handler = handler
    host, port = gateway.base.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n{")
    assert (await reader.readline()).split()[1] == b"413"
    writer.close()
    assert [(message["body"], message["more_body"]) for message in seen] == [(b"{", True)]
    assert await eventually(lambda: gateway.counted() == {("unknown", "error"): 1})


async def test_switched_off_again_nothing_is_recorded(gateway: Gateway) -> None:
    gateway.handler = reads
    AsgiInstrumentor().uninstrument()
    assert (await post(gateway)).status_code == 200
    assert gateway.counted() == {}
    AsgiInstrumentor().instrument(skip_dep_check=True)
