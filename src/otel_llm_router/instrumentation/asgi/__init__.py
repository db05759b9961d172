"""ASGI: the inbound side of a router, on top of OpenTelemetry's own ASGI middleware.

Room: `instrumentation`. Loaded by ``opentelemetry-instrument`` under the name ``llm_router_asgi``. FastAPI's
instrumentation puts the middleware in place; where none does (Starlette, bare applications), we do. The
middleware makes the SERVER span; this mends it from outside, records our HTTP metrics, and makes a routed
request of what asks for a model.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Final

import wrapt
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor
from opentelemetry.instrumentation.utils import unwrap

from otel_llm_router.telemetry.instrumenting import guard

_PLACES: Final = (
    ("starlette.applications", "Starlette", "build_middleware_stack", "starlette"),
    ("fastapi.applications", "FastAPI", "build_middleware_stack", "starlette"),
    ("uvicorn.config", "Config", "load", "uvicorn"),
    ("hypercorn.app_wrappers", "ASGIWrapper", "__init__", "hypercorn"),
)
"""Module, class and method behind which an application is about to be used, and our hook on it."""


class AsgiInstrumentor(BaseInstrumentor):
    """Puts ``OpenTelemetryMiddleware`` in place where nobody does, mends it and measures what it sees."""

    _active = False
    _undo: dict[str, Callable[[], None]] = {}  # noqa: RUF012  # there is one instrumentor
    _providers: dict[str, Any] = {}  # noqa: RUF012  # the same

    def instrumentation_dependencies(self) -> Collection[str]:
        """Return nothing: the middleware comes with us, and frameworks are looked for when they are imported."""
        return ()

    def _instrument(self, **kwargs: Any) -> None:
        self._active = True
        self._providers = {name: kwargs[name] for name in ("tracer_provider", "meter_provider") if name in kwargs}
        wrapt.when_imported("opentelemetry.instrumentation.asgi")(self._measure)
        for module, _, _, _ in _PLACES:
            wrapt.when_imported(module)(self._place)

    def _measure(self, module: Any) -> None:
        with guard("asgi.instrument"):
            if self._active and module.__name__ not in self._undo:
                from otel_llm_router.instrumentation.asgi._hooks import call  # noqa: PLC0415  # for ASGI applications

                self._wrap(module.__name__, module.OpenTelemetryMiddleware, "__call__", call)

    def _place(self, module: Any) -> None:
        with guard("asgi.place"):
            if not self._active or module.__name__ in self._undo:
                return
            from otel_llm_router.instrumentation.asgi._placing import Placing  # noqa: PLC0415  # for ASGI applications

            placing = Placing(self._providers)
            for name, cls, method, hook in _PLACES:
                holder = getattr(module, cls) if name == module.__name__ else None
                if holder is not None and method in vars(holder):  # older FastAPIs inherit Starlette's
                    self._wrap(name, holder, method, getattr(placing, hook))

    def _wrap(self, key: str, holder: Any, name: str, hook: Callable[..., Any]) -> None:
        wrapt.wrap_function_wrapper(holder, name, hook)
        self._undo[key] = lambda: unwrap(holder, name)

    def _uninstrument(self, **kwargs: Any) -> None:  # noqa: ARG002  # options of other instrumentors
        self._active = False
        while self._undo:
            self._undo.popitem()[1]()
