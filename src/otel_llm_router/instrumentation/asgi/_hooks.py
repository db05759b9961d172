"""The hook around OpenTelemetry's ASGI middleware: one HTTP request or WebSocket connection.

Room: `instrumentation`. ASGI scopes and messages come in, and are told to an `Exchange`; they pass unchanged.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from opentelemetry.context import Context

from otel_llm_router.instrumentation.asgi._exchange import SEEN, Exchange
from otel_llm_router.instrumentation.asgi._mending import adopt, mend, url_of
from otel_llm_router.telemetry.instrumenting import attached, guard, stopped

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

PLACED: Final = "_otel_llm_router_placed"
"""What a middleware has that we put in place."""


def call(wrapped: Callable[..., Awaitable[None]], instance: Any, args: tuple[Any, ...], kwargs: Any) -> Awaitable[None]:
    """``OpenTelemetryMiddleware.__call__``."""
    parameters: dict[str, Any] = dict(zip(("scope", "receive", "send"), args, strict=False)) | kwargs
    # uvicorn takes for a factory what it can call without arguments.
    if len(parameters) != 3:  # noqa: PLR2004
        return wrapped(*args, **kwargs)
    kind = parameters["scope"]["type"]
    if kind == "lifespan":
        return wrapped(parameters["scope"], parameters["receive"], _until_stopped(parameters["send"]))
    if kind not in {"http", "websocket"}:
        return wrapped(*args, **kwargs)
    return _measured(wrapped, instance, **parameters)


def _until_stopped(send: Send) -> Send:
    """Return ``send`` of a lifespan: what is buffered leaves before the server hears that the application has ended."""

    async def told(message: Message) -> None:
        if message["type"] in {"lifespan.shutdown.complete", "lifespan.shutdown.failed"}:
            await stopped()
        await send(message)

    return told


async def _measured(
    wrapped: Callable[..., Awaitable[None]], instance: Any, *, scope: Message, receive: Receive, send: Send
) -> None:
    with guard("asgi.mend"):
        mend(instance)
    if SEEN in scope:
        # A mounted application has the middleware too; its requests are this one's, counted once.
        return await _inner(wrapped, instance, scope)(scope, receive, send)
    exchange: Exchange | None = None
    with guard("asgi.begin"):
        if not _excluded(instance, scope):
            exchange = Exchange(scope, receive, placed=getattr(instance, PLACED, False))
    scope[SEEN] = exchange
    context = Context()
    if exchange is not None:
        if exchange.door is not None:
            context = exchange.door.inbound.context
            receive = _receiving(receive, exchange)
        send = _sending(send, exchange)

    error: BaseException | None = None
    # A server may start a request in the context of the one before it on the same connection; only an
    # empty context lets the caller's traceparent decide what the parent is.
    with attached(context):
        try:
            await wrapped(scope, receive, send)
        except BaseException as raised:
            error = raised
            raise
        finally:
            if exchange is not None:
                with guard("asgi.end"):
                    exchange.over(error)
    return None


def _inner(wrapped: Callable[..., Awaitable[None]], instance: Any, scope: Message) -> Callable[..., Awaitable[None]]:
    """Return what to call where another middleware has seen the request: one span is enough if one of both is ours."""
    exchange = scope[SEEN]
    ours = getattr(instance, PLACED, False)
    if exchange is None or not (ours or exchange.placed):
        return wrapped
    with guard("asgi.adopt"):
        adopt(instance, scope, exchange)
    return instance.app


def _receiving(receive: Receive, exchange: Exchange) -> Receive:
    door: Any = exchange.door

    async def measured_receive() -> Message:
        message = await receive()
        with guard("asgi.receive"):
            door.received(message)
        return message

    return measured_receive


def _sending(send: Send, exchange: Exchange) -> Send:
    async def measured_send(message: Message) -> None:
        kind = message["type"]
        if kind == "http.response.start":
            with guard("asgi.answering"):
                exchange.answering(message)
        try:
            await send(message)
        except OSError:
            with guard("asgi.unsent"):
                if exchange.door is not None:
                    exchange.door.unsent()
            raise
        if kind == "http.response.body":
            with guard("asgi.send"):
                exchange.sent(message)

    return measured_send


def _excluded(instance: Any, scope: Message) -> bool:
    """Whether the middleware itself leaves the request out (``OTEL_PYTHON_EXCLUDED_URLS`` and its like)."""
    urls = getattr(instance, "excluded_urls", None)
    if not urls or scope["type"] != "http":
        return False
    return bool(urls.url_disabled(url_of(scope)))
