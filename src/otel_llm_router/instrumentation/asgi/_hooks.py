"""The hook around OpenTelemetry's ASGI middleware: one HTTP request or WebSocket connection.

Room: `instrumentation`. ASGI scopes and messages come in; HTTP and connection metrics go out. The
application's messages pass through unchanged.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from opentelemetry.context import Context

from otel_llm_router import telemetry
from otel_llm_router.telemetry.instrumenting import attached, guard

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]

_SEEN: Final = "otel_llm_router.seen"
_ROUTE: Final = "otel_llm_router.route"
_REDACTED: Final = "REDACTED"
_OLD_NAMES: Final = {"default", "http/dup"}
"""Values of ``OTEL_SEMCONV_STABILITY_OPT_IN`` with which a span has the whole URL."""


class _Exchange:
    """One request and its response.

    Args:
        scope: The ASGI scope, in which the middleware leaves the route that it found.
    """

    def __init__(self, scope: Message) -> None:
        self._scope = scope
        self._began = time.perf_counter_ns()
        self._status: int | None = None
        kind = "websocket" if scope["type"] == "websocket" else "http"
        self._connection = telemetry.connection(kind, f"http/{scope.get('http_version', '1.1')}").open()

    def sent(self, message: Message) -> None:
        """Take a message of the application's into account."""
        if message["type"] == "http.response.start":
            self._status = message["status"]
            for name, value in message.get("headers", ()):
                if name.lower() == b"content-type" and value.startswith(b"text/event-stream"):
                    self._connection.become("sse")

    def over(self, error: BaseException | None) -> None:
        """Record the exchange, which an exception of the application may have ended."""
        self._connection.close()
        if self._scope["type"] != "http":
            return
        status = self._status
        if status is None and isinstance(error, Exception):
            status = 500  # what the server answers when the application raised without answering
        telemetry.http_request(
            self._scope.get("method", ""),
            route=self._scope.get(_ROUTE, ""),
            status_code=status,
            seconds=(time.perf_counter_ns() - self._began) / 1e9,
        )


def _mend_details(middleware: Any) -> None:
    """Let a middleware leave the route that it finds for its span in the scope, and the query's values out of the span.

    Matching a path against all routes is not free, and frameworks differ in where they keep the result.
    """
    details = middleware.default_span_details
    if getattr(details, "remembers_route", False):
        return
    old_names = getattr(getattr(middleware, "_sem_conv_opt_in_mode", None), "value", "") in _OLD_NAMES

    def remembering(scope: Message) -> Any:
        found = details(scope)
        with guard("asgi.query"):
            if scope.get("query_string"):
                # The middleware takes what it is given here over what it has read itself.
                found[1]["url.query"] = _without_values(scope["query_string"])
                if old_names:
                    found[1]["http.url"] = _url(scope)
        with guard("asgi.route"):
            route = found[1].get("http.route")
            if isinstance(route, str):
                # What a mount adds to root_path is part of the template; what a proxy strips is not.
                root = scope.get("root_path", "")
                scope[_ROUTE] = root.removeprefix(scope.get("app_root_path", root)) + route
        return found

    remembering.remembers_route = True  # pyright: ignore[reportFunctionMemberAccess]
    middleware.default_span_details = remembering


def _without_values(query: bytes) -> str:
    """Return the names of a query's parameters: prompts and keys may be among the values."""
    parts = (part.partition("=") for part in query.decode("latin-1").split("&"))
    return "&".join(f"{name}={_REDACTED}" if equals else _REDACTED for name, equals, _ in parts)


def call(wrapped: Callable[..., Awaitable[None]], instance: Any, args: tuple[Any, ...], kwargs: Any) -> Awaitable[None]:
    """``OpenTelemetryMiddleware.__call__``."""
    parameters: dict[str, Any] = dict(zip(("scope", "receive", "send"), args, strict=False)) | kwargs
    # uvicorn takes for a factory what it can call without arguments.
    if len(parameters) != 3 or parameters["scope"]["type"] not in {"http", "websocket"}:  # noqa: PLR2004
        return wrapped(*args, **kwargs)
    return _measured(wrapped, instance, **parameters)


async def _measured(
    wrapped: Callable[..., Awaitable[None]], instance: Any, *, scope: Message, receive: Any, send: Send
) -> None:
    with guard("asgi.route"):
        _mend_details(instance)
    if _SEEN in scope:
        return await wrapped(scope, receive, send)
    # A mounted application has the middleware too; its requests are this one's, counted once.
    scope[_SEEN] = True
    exchange: _Exchange | None = None
    with guard("asgi.begin"):
        if not _excluded(instance, scope):
            exchange = _Exchange(scope)

    async def measured_send(message: Message) -> None:
        if exchange is not None:
            with guard("asgi.send"):
                exchange.sent(message)
        await send(message)

    error: BaseException | None = None
    # A server may start a request in the context of the one before it on the same connection; only an
    # empty context lets the caller's traceparent decide what the parent is.
    with attached(Context()):
        try:
            await wrapped(scope, receive, measured_send)
        except BaseException as raised:
            error = raised
            raise
        finally:
            if exchange is not None:
                with guard("asgi.end"):
                    exchange.over(error)
    return None


def _excluded(instance: Any, scope: Message) -> bool:
    """Whether the middleware itself leaves the request out (``OTEL_PYTHON_EXCLUDED_URLS`` and its like)."""
    urls = getattr(instance, "excluded_urls", None)
    if not urls or scope["type"] != "http":
        return False
    return bool(urls.url_disabled(_url(scope)))


def _url(scope: Message) -> str:
    """Return the URL without its query."""
    asgi: Any = sys.modules["opentelemetry.instrumentation.asgi"]  # it is loaded: we are called by it
    return asgi.get_host_port_url_tuple(scope)[2]
