"""What is mended of OpenTelemetry's middleware, from outside: its spans' routes and queries, and where they are.

Room: `instrumentation`. Middlewares come in, whoever put them in place; each is mended once.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Final

from otel_llm_router.instrumentation.asgi._exchange import SEEN, Exchange
from otel_llm_router.telemetry.instrumenting import guard

_REDACTED: Final = "REDACTED"
_OLD_NAMES: Final = {"default", "http/dup"}
"""Values of ``OTEL_SEMCONV_STABILITY_OPT_IN`` with which a span has the whole URL."""


def mend(middleware: Any) -> None:
    """Mend a middleware, unless that has been done.

    The route that it finds for its span is left with the exchange (matching a path against all routes is not free,
    and frameworks differ in where they keep the result), the query's values are kept out of the span, and the
    context that the application will run in is remembered.
    """
    details = middleware.default_span_details
    if getattr(details, "remembers_route", False):
        return
    old_names = getattr(getattr(middleware, "_sem_conv_opt_in_mode", None), "value", "") in _OLD_NAMES

    def remembering(scope: Any) -> Any:
        found = details(scope)
        with guard("asgi.query"):
            if scope.get("query_string"):
                # The middleware takes what it is given here over what it has read itself.
                found[1]["url.query"] = _without_values(scope["query_string"])
                if old_names:
                    found[1]["http.url"] = url_of(scope)
        with guard("asgi.route"):
            _remember(scope, found[1].get("http.route"))
        return found

    remembering.remembers_route = True  # pyright: ignore[reportFunctionMemberAccess]
    middleware.server_request_hook = _remembering_context(middleware.server_request_hook)
    middleware.default_span_details = remembering


def adopt(middleware: Any, scope: Any, exchange: Exchange) -> None:
    """Let the span of a middleware of ours further out have the route that one further in finds."""
    name, attributes = middleware.default_span_details(scope)
    route = attributes.get("http.route")
    if exchange.span is not None and isinstance(route, str) and exchange.span.is_recording():
        exchange.span.update_name(f"{name.partition(' ')[0]} {exchange.route}" if exchange.route else name)
        exchange.span.set_attribute("http.route", exchange.route or route)


def _remember(scope: Any, route: Any) -> None:
    exchange = scope.get(SEEN)
    if isinstance(route, str) and isinstance(exchange, Exchange):
        # What a mount adds to root_path is part of the template; what a proxy strips is not.
        root = scope.get("root_path", "")
        exchange.route = root.removeprefix(scope.get("app_root_path", root)) + route


def _remembering_context(hook: Callable[..., Any] | None) -> Callable[..., Any]:
    def remembering(span: Any, scope: Any) -> None:
        with guard("asgi.context"):
            exchange = scope.get(SEEN)
            if isinstance(exchange, Exchange) and exchange.span is None:
                exchange.span = span
                if exchange.door is not None:
                    exchange.door.inbound.enter()  # the middleware has begun with an empty context again
        if hook is not None:
            hook(span, scope)

    return remembering


def _without_values(query: bytes) -> str:
    """Return the names of a query's parameters: prompts and keys may be among the values."""
    parts = (part.partition("=") for part in query.decode("latin-1").split("&"))
    return "&".join(f"{name}={_REDACTED}" if equals else _REDACTED for name, equals, _ in parts)


def url_of(scope: Any) -> str:
    """Return the URL without its query."""
    asgi: Any = sys.modules["opentelemetry.instrumentation.asgi"]  # it is loaded: we are called by it
    return asgi.get_host_port_url_tuple(scope)[2]
