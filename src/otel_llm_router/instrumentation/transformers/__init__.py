"""transformers: models that a router loads into its own process.

Room: `instrumentation`. Loaded by ``opentelemetry-instrument`` under the name ``llm_router_transformers``. The library
is not imported: the hook is put in place when the application makes it load its models' base class. ``AutoModel``
and ``pipeline`` come by there.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import wrapt
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor

from otel_llm_router.telemetry.instrumenting import guard

_METHOD = "from_pretrained"


class TransformersInstrumentor(BaseInstrumentor):
    """Accounts for each model that ``from_pretrained`` loads, until it is collected."""

    _active = False
    _patched: Any = None
    _before: Any = None

    def instrumentation_dependencies(self) -> Collection[str]:
        """Return the releases of transformers that are supported."""
        return ("transformers >= 4.40, < 6",)

    def _instrument(self, **kwargs: Any) -> None:  # noqa: ARG002  # options of other instrumentors
        self._active = True
        wrapt.when_imported("transformers.modeling_utils")(self._put_hooks)

    def _put_hooks(self, module: Any) -> None:
        with guard("transformers.instrument"):
            if self._active and self._patched is None:
                from otel_llm_router.instrumentation.transformers._hooks import Hooks  # noqa: PLC0415  # with the library

                self._patched = module.PreTrainedModel
                self._before = vars(self._patched)[_METHOD]
                wrapt.wrap_function_wrapper(self._patched, _METHOD, Hooks().from_pretrained)

    def _uninstrument(self, **kwargs: Any) -> None:  # noqa: ARG002
        self._active = False
        if self._patched is not None:
            setattr(self._patched, _METHOD, self._before)  # a class method: unwrapped, it would be bound to this class
            self._patched = self._before = None


__all__ = ["TransformersInstrumentor"]
