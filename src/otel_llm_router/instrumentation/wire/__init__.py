"""The wire, outbound: calls to language models, seen at the HTTP client, whatever router makes them.

Room: `instrumentation`. Loaded by ``opentelemetry-instrument`` under the name ``llm_router_wire``. httpx,
httpx2, aiohttp and requests are not imported: the hooks are put in place when the application imports
one of them. A request that is no call to a language model passes after one look at its method and path.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Collection
from functools import partial
from typing import Any

import wrapt
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor
from opentelemetry.instrumentation.utils import unwrap

from otel_llm_router.instrumentation._protocols.providers import read, use
from otel_llm_router.signals import options
from otel_llm_router.telemetry.instrumenting import guard

_logger = logging.getLogger("otel_llm_router")

Place = tuple[Any, str, Callable[..., Any]]


class WireInstrumentor(BaseInstrumentor):
    """Watches the HTTP clients that calls to language models are made with."""

    _active = False
    _places: dict[str, list[tuple[Any, str]]]

    def instrumentation_dependencies(self) -> Collection[str]:
        """Return nothing: of the HTTP clients, those that the application imports are watched."""
        return ()

    def _instrument(self, **kwargs: Any) -> None:
        """Wait for the HTTP clients.

        Args:
            **kwargs: ``providers`` in place of the option.
        """
        named, problems = read(str(kwargs.get("providers", os.environ.get(options.PROVIDERS.env, ""))))
        for problem in problems:
            _logger.warning("otel-llm-router: %s; it is left out", problem)
        use(named)
        self._active = True
        self._places = {}
        for name, places in _LIBRARIES.items():
            wrapt.when_imported(name)(partial(self._put_hooks, name, places))

    def _put_hooks(self, name: str, places: Callable[[Any], list[Place]], module: Any) -> None:
        with guard(f"wire.{name}.instrument"):
            if not self._active or name in self._places:
                return
            put = self._places[name] = []
            for owner, method, hook in places(module):
                wrapt.wrap_function_wrapper(owner, method, hook)
                put.append((owner, method))

    def _uninstrument(self, **kwargs: Any) -> None:  # noqa: ARG002
        self._active = False
        for put in self._places.values():
            for owner, method in put:
                unwrap(owner, method)
        self._places = {}


def _httpx(module: Any) -> list[Place]:
    from otel_llm_router.instrumentation.wire._httpx import Hooks  # noqa: PLC0415  # when the library is there

    hooks = Hooks(module)
    return [(module.Client, "send", hooks.send), (module.AsyncClient, "send", hooks.async_send)]


def _aiohttp(module: Any) -> list[Place]:
    from otel_llm_router.instrumentation.wire._aiohttp import Hooks  # noqa: PLC0415  # when the library is there

    return [(module.ClientSession, "_request", Hooks(module).request)]


def _requests(module: Any) -> list[Place]:
    from otel_llm_router.instrumentation.wire._requests import send  # noqa: PLC0415  # when the library is there

    return [(module.Session, "send", send)]


def _stainless(module: Any) -> list[Place]:
    from otel_llm_router.instrumentation.wire import _sdks  # noqa: PLC0415  # when the library is there

    hooks = (("SyncAPIClient", _sdks.request), ("AsyncAPIClient", _sdks.async_request))
    return [
        (owner, "request", hook) for name, hook in hooks if hasattr(owner := getattr(module, name, None), "request")
    ]


_LIBRARIES: dict[str, Callable[[Any], list[Place]]] = {
    "httpx": _httpx,
    "httpx2": _httpx,
    "aiohttp": _aiohttp,
    "requests": _requests,
    **{f"{sdk}._base_client": _stainless for sdk in ("openai", "anthropic", "cerebras.cloud.sdk", "groq", "together")},
}
