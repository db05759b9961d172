"""OpenTelemetry's middleware put in place where no other instrumentation does it: Starlette, and bare applications.

Room: `instrumentation`. Applications come in, as the framework or the server is about to use them; the same with
the middleware around them goes out, unless they have it already. FastAPI's own instrumentation comes first.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Awaitable, Callable, Iterable
from importlib import import_module
from typing import Any, Final

from otel_llm_router.instrumentation.asgi._hooks import PLACED
from otel_llm_router.telemetry.instrumenting import guard

_AROUND: Final = frozenset({"ProxyHeadersMiddleware", "MessageLoggerMiddleware"})
"""What uvicorn puts around an application."""

_NOT_FOR_US: Final = frozenset({"WSGIMiddleware"})

_Providers = dict[str, Any]


class _Application:
    """An application as the middleware asks for it: with an asynchronous call of three arguments.

    Args:
        app: The application.
    """

    def __init__(self, app: Callable[..., Awaitable[None]]) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self._app(scope, receive, send)


class Placing:
    """The hooks on Starlette and on servers.

    Args:
        providers: Where the middlewares record: ``tracer_provider``, ``meter_provider``; the global ones by default.
    """

    def __init__(self, providers: _Providers) -> None:
        self._providers = providers
        names = os.environ.get("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", "").split(",")
        self._disabled = {name.strip() for name in names}

    def starlette(self, wrapped: Callable[[], Any], instance: Any, args: Any, kwargs: Any) -> Any:
        """``Starlette.build_middleware_stack``, and FastAPI's, of applications that its instrumentation did not reach."""
        stack = wrapped(*args, **kwargs)
        with guard("asgi.starlette"):
            kind = "fastapi" if _is_a(instance, "fastapi.applications", "FastAPI") else "starlette"
            if kind not in self._disabled and not _instrumented(instance) and not _is_middleware(type(stack)):
                return self._around(stack, kind, _details_of_starlette)
        return stack

    def uvicorn(self, wrapped: Callable[[], Any], instance: Any, args: Any, kwargs: Any) -> Any:
        """``uvicorn.Config.load``."""
        result = wrapped(*args, **kwargs)
        with guard("asgi.uvicorn"):
            holder, name = instance, "loaded_app"
            while type(getattr(holder, name)).__name__ in _AROUND:
                holder, name = getattr(holder, name), "app"
            setattr(holder, name, self._bare(getattr(holder, name)))
        return result

    def hypercorn(self, wrapped: Callable[..., Any], instance: Any, args: Any, kwargs: Any) -> Any:
        """``hypercorn.app_wrappers.ASGIWrapper.__init__``."""
        result = wrapped(*args, **kwargs)
        with guard("asgi.hypercorn"):
            instance.app = self._bare(instance.app)
        return result

    def _bare(self, app: Any) -> Any:
        if "asgi" in self._disabled or type(app).__name__ in _NOT_FOR_US or _covered(app):
            return app
        return self._around(app, "asgi", _details_of_nothing)

    def _around(self, app: Any, kind: str, details: Callable[[Any], Any]) -> Any:
        from opentelemetry.util.http import get_excluded_urls  # noqa: PLC0415  # for ASGI applications

        asgi: Any = import_module("opentelemetry.instrumentation.asgi")
        middleware = asgi.OpenTelemetryMiddleware(
            _Application(app),
            excluded_urls=get_excluded_urls(kind.upper()),
            default_span_details=details,
            exclude_spans=["receive", "send"],
            **self._providers,
        )
        setattr(middleware, PLACED, True)
        return middleware


def _is_a(app: Any, module: str, name: str) -> bool:
    cls = getattr(sys.modules.get(module), name, None)
    return cls is not None and isinstance(app, cls)


def _is_middleware(cls: Any) -> bool:
    asgi: Any = sys.modules.get("opentelemetry.instrumentation.asgi")
    return asgi is not None and isinstance(cls, type) and issubclass(cls, asgi.OpenTelemetryMiddleware)


def _instrumented(app: Any) -> bool:
    """Whether somebody has put a middleware into a Starlette application, or is about to."""
    if getattr(app, "_is_instrumented_by_opentelemetry", False):
        return True
    return any(_is_middleware(getattr(each, "cls", None)) for each in getattr(app, "user_middleware", ()))


def _covered(app: Any) -> bool:
    """Whether an application needs none around: it is one, or it will have one of its framework's."""
    if _is_middleware(type(app)) or _is_a(app, "starlette.applications", "Starlette"):
        return True
    django = "opentelemetry.instrumentation.django" in sys.modules
    return django and _is_a(app, "django.core.handlers.asgi", "ASGIHandler")


# --- what the spans are called ------------------------------------------------------------------


def _details_of_nothing(scope: Any) -> tuple[str, dict[str, Any]]:
    """Return the name of a span whose route nobody knows: never the raw path."""
    return _method(scope), {}


def _details_of_starlette(scope: Any) -> tuple[str, dict[str, Any]]:
    route: str | None = None
    with guard("asgi.routes"):
        route = _template(getattr(scope.get("app"), "routes", ()), scope)
    return (f"{_method(scope)} {route}", {"http.route": route}) if route else (_method(scope), {})


def _method(scope: Any) -> str:
    asgi: Any = sys.modules["opentelemetry.instrumentation.asgi"]
    if scope["type"] == "websocket":
        return "WEBSOCKET"
    method: str = asgi.sanitize_method(scope.get("method", "").strip())
    return "HTTP" if method == "_OTHER" else method


def _template(routes: Iterable[Any], scope: Any) -> str | None:
    """Return the template of the route that a request goes to, of a mounted application's too."""
    partial: str | None = None
    for route in routes:
        matches = getattr(route, "matches", None)
        match, child = matches(scope) if matches is not None else (None, None)
        name = getattr(match, "name", "")
        path: str = getattr(route, "path", "")
        if name == "FULL":
            inner = getattr(route, "routes", None)
            return path + (_template(inner, {**scope, **(child or {})}) or "") if inner else path
        if name == "PARTIAL" and partial is None:
            partial = path
    return partial
