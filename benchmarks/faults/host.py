"""The host of row R8: a service, its calls to a provider and its own telemetry calls, over real sockets.

Each part answers what the application sees: bodies, statuses, types of exceptions. They must not depend on us.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false

from __future__ import annotations

import asyncio
import contextlib
import http.client
import importlib
import json
import logging
import socket
import threading
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any, Final

_USAGE: Final = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
_HEAD: Final = {"id": "chatcmpl-1", "created": 1, "model": "gpt-4o-2024-08-06"}
_BODY: Final = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hello"}]}
_PATH: Final = "/v1/chat/completions"


def _whole() -> dict[str, Any]:
    message = {"role": "assistant", "content": "hi there"}
    choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
    return {**_HEAD, "object": "chat.completion", "choices": choices, "usage": _USAGE}


def _chunks() -> Iterable[bytes]:
    for text, finish in (("hi", None), (" there", None), (None, "stop")):
        choices = [{"index": 0, "delta": {"content": text} if text else {}, "finish_reason": finish}]
        yield (
            b"data: " + json.dumps({**_HEAD, "object": "chat.completion.chunk", "choices": choices}).encode() + b"\n\n"
        )
    yield b"data: [DONE]\n\n"


class _Provider(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        fails = asked["messages"][-1]["content"] == "fail"
        stream = bool(asked.get("stream")) and not fails
        content = (
            b"".join(_chunks()) if stream else json.dumps({"error": {"message": "no"}} if fails else _whole()).encode()
        )
        self.send_response(500 if fails else 200)
        self.send_header("content-type", "text/event-stream" if stream else "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its name
        pass


def _provider() -> str:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Provider)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


def _failed(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except Exception as error:  # noqa: BLE001  # the host's own
        return type(error)


def _calls() -> Callable[[], Any]:
    """The public API, all of it."""
    from otel_llm_router import telemetry  # noqa: PLC0415
    from tests.telemetry.guarded_application import Application  # noqa: PLC0415

    def chunk(text: str) -> Any:
        choices = [SimpleNamespace(index=0, delta=SimpleNamespace(content=text), finish_reason=None)]
        return SimpleNamespace(id="1", model="gpt-4o", choices=choices, usage=None)

    def answer(prompt: int, completion: int) -> Any:
        choices = [SimpleNamespace(index=0, message=SimpleNamespace(content="hi"), finish_reason="stop")]
        usage = SimpleNamespace(prompt_tokens=prompt, completion_tokens=completion)
        return SimpleNamespace(id="1", model="gpt-4o", choices=choices, usage=usage)

    return Application(telemetry.default, chunk, answer).run


def _wire() -> Callable[[], Any]:
    """Calls of a provider's API through three HTTP clients: whole, streamed, refused by it, and nobody there."""
    import aiohttp  # noqa: PLC0415
    import httpx  # noqa: PLC0415
    import requests  # noqa: PLC0415

    url = _provider() + _PATH
    stream, fails = {**_BODY, "stream": True}, {**_BODY, "messages": [{"role": "user", "content": "fail"}]}
    nobody = f"http://127.0.0.1:1{_PATH}"
    client, session = httpx.Client(trust_env=False), requests.Session()
    session.trust_env = False

    def lines(client: Any) -> Any:
        with client.stream("POST", url, json=stream) as answer:
            return list(answer.iter_lines())

    async def asynchronous() -> Any:
        async with httpx.AsyncClient(trust_env=False) as one, aiohttp.ClientSession() as other:
            first = await one.post(url, json=_BODY)
            async with other.post(url, json=stream) as second:
                chunks = [line async for line in second.content]
            async with other.post(url, json=fails) as third:
                return first.content, chunks, third.status, await third.read()

    def run() -> Any:
        with session.post(url, json=stream, stream=True) as streamed:
            streamed_lines = list(streamed.iter_lines())
        return [
            client.post(url, json=_BODY).content,
            lines(client),
            client.post(url, json=fails).status_code,
            _failed(lambda: client.post(nobody, json=_BODY)),
            session.post(url, json=_BODY).content,
            streamed_lines,
            session.post(url, json=fails).status_code,
            _failed(lambda: session.post(nobody, json=_BODY)),
            asyncio.run(asynchronous()),
        ]

    return run


def _service() -> Callable[[], Any]:
    """A service of FastAPI's under uvicorn, with logs."""
    import fastapi  # noqa: PLC0415
    import structlog  # noqa: PLC0415
    import uvicorn  # noqa: PLC0415
    from fastapi.responses import StreamingResponse  # noqa: PLC0415

    app = fastapi.FastAPI()
    logger = logging.getLogger("host")
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    bound = structlog.get_logger()

    async def parts() -> AsyncGenerator[bytes]:
        yield b"one"
        await asyncio.sleep(0)
        yield b"two"

    @app.post("/v1/chat/completions")
    async def chat(asked: dict[str, Any]) -> Any:
        logger.warning("asked for %s", asked["model"])
        bound.info("asked")
        return _whole()

    @app.get("/stream")
    async def stream() -> Any:
        return StreamingResponse(parts())

    @app.get("/fail")
    async def fail() -> Any:
        raise ValueError("the host's own")

    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="critical"))
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    threading.Thread(target=server.run, daemon=True).start()
    while not server.started:
        time.sleep(0.01)

    def get(method: str, path: str, body: Any = None) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        with contextlib.closing(connection):
            connection.request(method, path, json.dumps(body), {"content-type": "application/json"})
            answer = connection.getresponse()
            return answer.status, answer.getheader("content-type"), answer.read()

    return lambda: [get("POST", _PATH, _BODY), get("GET", "/stream"), get("GET", "/fail"), get("GET", "/none?a=1")]


def _router() -> Callable[[], Any]:
    """LiteLLM's Router before the same provider."""
    litellm: Any = importlib.import_module("litellm")
    base = _provider() + "/v1"
    parameters = {"model": "openai/gpt-4o", "api_key": "none", "api_base": base}
    router = litellm.Router([{"model_name": "smart", "litellm_params": parameters}], num_retries=0)
    messages, fails = _BODY["messages"], [{"role": "user", "content": "fail"}]

    async def asynchronous() -> Any:
        whole = await router.acompletion("smart", messages)
        stream = await router.acompletion("smart", messages, stream=True)
        return whole.choices[0].message.content, [chunk.choices[0].delta.content async for chunk in stream]

    loop = asyncio.new_event_loop()

    def run() -> Any:
        whole = router.completion("smart", messages)
        return [
            (whole.id, whole.choices[0].message.content, whole.usage.total_tokens),
            [chunk.choices[0].delta.content for chunk in router.completion("smart", messages, stream=True)],
            _failed(lambda: litellm.completion(messages=fails, max_retries=0, **parameters)),
            loop.run_until_complete(asynchronous()),
        ]

    return run


_PARTS: Final[dict[str, Callable[[], Callable[[], Any]]]] = {
    "calls": _calls,
    "wire": _wire,
    "service": _service,
    "router": _router,
}


def parts(names: Sequence[str]) -> dict[str, Callable[[], Any]]:
    """Return the parts of these names, ready to run."""
    return {name: _PARTS[name]() for name in names}
