"""LiteLLM's Router and proxy: requests, decisions, attempts, retries, fallbacks, cool-downs, cache, streams, cost.

Room: `instrumentation`. Loaded by ``opentelemetry-instrument`` under the name ``llm_router_litellm``.
LiteLLM itself is not imported: the hooks are imported and put in place when the application imports it.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from typing import Any

import wrapt
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor
from opentelemetry.instrumentation.utils import unwrap

from otel_llm_router.telemetry.instrumenting import guard

_logger = logging.getLogger("otel_llm_router")

_SUPPORTED = "litellm >= 1.80, < 2"


class LiteLLMInstrumentor(BaseInstrumentor):
    """Instruments LiteLLM's Router."""

    _active = False
    _places: list[tuple[Any, str]]
    _watch: Any = None
    _proxied = False

    def instrumentation_dependencies(self) -> Collection[str]:
        """Return the releases of LiteLLM that are supported."""
        return (_SUPPORTED,)

    def _instrument(self, **kwargs: Any) -> None:  # noqa: ARG002  # options of other instrumentors
        self._places = []
        self._active = True
        wrapt.when_imported("litellm.router")(self._put_hooks)
        wrapt.when_imported("litellm.proxy.utils")(self._put_proxy_hooks)

    def _put_hooks(self, _module: Any) -> None:
        with guard("litellm.instrument"):
            if not self._active or self._places:
                return
            from otel_llm_router.instrumentation.litellm import _targets  # noqa: PLC0415
            from otel_llm_router.instrumentation.litellm._hooks import Hooks  # noqa: PLC0415
            from otel_llm_router.instrumentation.litellm._watch import Watch  # noqa: PLC0415

            self._watch = Watch()
            self._put(_targets.probe(), Hooks(self._watch))

    def _put_proxy_hooks(self, _module: Any) -> None:
        self._put_hooks(None)  # the proxy's are more of the same instrumentation
        with guard("litellm.instrument"):
            if not self._active or self._proxied:
                return
            from otel_llm_router.instrumentation.litellm import _targets  # noqa: PLC0415
            from otel_llm_router.instrumentation.litellm._proxy import ProxyHooks  # noqa: PLC0415

            self._proxied = True
            self._put(_targets.probe(_targets.PROXY), ProxyHooks())

    def _put(self, found: Any, hooks: Any) -> None:
        for hook, (owner, name) in found.owners.items():
            wrapt.wrap_function_wrapper(owner, name, getattr(hooks, hook))
            self._places.append((owner, name))
        self._watch.installed(found.owners, found.missing, _version())
        _logger.debug("otel-llm-router: LiteLLM hooks in place: %s", ", ".join(found.owners))

    def _uninstrument(self, **kwargs: Any) -> None:  # noqa: ARG002
        self._active = self._proxied = False
        if not self._places:
            return
        from otel_llm_router.instrumentation.litellm import _streams  # noqa: PLC0415

        for owner, name in self._places:
            unwrap(owner, name)
        self._places = []
        _streams.unwrap_classes()


def _version() -> str:
    from importlib import metadata  # noqa: PLC0415

    try:
        return metadata.version("litellm")
    except metadata.PackageNotFoundError:
        return "unknown"
