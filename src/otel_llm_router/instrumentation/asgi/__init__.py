"""ASGI: the HTTP side of a router, on top of OpenTelemetry's own ASGI middleware.

Room: `instrumentation`. Loaded by ``opentelemetry-instrument`` under the name ``llm_router_asgi``. The
web framework's instrumentation (FastAPI's, Starlette's) puts the middleware in place and makes the
SERVER span; this mends the middleware from outside and records our HTTP metrics.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import wrapt
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor
from opentelemetry.instrumentation.utils import unwrap

from otel_llm_router.telemetry.instrumenting import guard


class AsgiInstrumentor(BaseInstrumentor):
    """Mends and measures ``OpenTelemetryMiddleware``."""

    _active = False
    _patched: Any = None

    def instrumentation_dependencies(self) -> Collection[str]:
        """Return nothing: the middleware comes with the web framework's instrumentation."""
        return ()

    def _instrument(self, **kwargs: Any) -> None:  # noqa: ARG002  # options of other instrumentors
        self._active = True
        wrapt.when_imported("opentelemetry.instrumentation.asgi")(self._put_hook)

    def _put_hook(self, module: Any) -> None:
        with guard("asgi.instrument"):
            if self._active and self._patched is None:
                from otel_llm_router.instrumentation.asgi._hooks import call  # noqa: PLC0415  # for ASGI applications

                self._patched = module.OpenTelemetryMiddleware
                wrapt.wrap_function_wrapper(self._patched, "__call__", call)

    def _uninstrument(self, **kwargs: Any) -> None:  # noqa: ARG002
        self._active = False
        if self._patched is not None:
            unwrap(self._patched, "__call__")
            self._patched = None
