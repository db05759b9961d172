"""llama-cpp-python: models that a router loads into its own process.

Room: `instrumentation`. Loaded by ``opentelemetry-instrument`` under the name ``llm_router_llama_cpp``. The library
is not imported: the hooks are put in place when the application imports it.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import wrapt
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor
from opentelemetry.instrumentation.utils import unwrap

from otel_llm_router.telemetry.instrumenting import guard


class LlamaCppInstrumentor(BaseInstrumentor):
    """Accounts for each ``Llama`` that is made, closed or collected."""

    _active = False
    _patched: Any = None

    def instrumentation_dependencies(self) -> Collection[str]:
        """Return the releases of llama-cpp-python that are supported."""
        return ("llama-cpp-python >= 0.3, < 1",)

    def _instrument(self, **kwargs: Any) -> None:  # noqa: ARG002  # options of other instrumentors
        self._active = True
        wrapt.when_imported("llama_cpp.llama")(self._put_hooks)

    def _put_hooks(self, module: Any) -> None:
        with guard("llama_cpp.instrument"):
            if self._active and self._patched is None:
                from otel_llm_router.instrumentation.llama_cpp._hooks import Hooks  # noqa: PLC0415  # with the library

                hooks, self._patched = Hooks(), module.Llama
                wrapt.wrap_function_wrapper(self._patched, "__init__", hooks.made)
                wrapt.wrap_function_wrapper(self._patched, "close", hooks.close)

    def _uninstrument(self, **kwargs: Any) -> None:  # noqa: ARG002
        self._active = False
        if self._patched is not None:
            unwrap(self._patched, "__init__")
            unwrap(self._patched, "close")
            self._patched = None


__all__ = ["LlamaCppInstrumentor"]
