"""redis-py: look-ups in caches that are known by their keys, and servers that are asked about themselves.

Room: `instrumentation`. Loaded by ``opentelemetry-instrument`` under the name ``llm_router_redis``. Options
``redis_cache_keys`` and ``redis_observe`` come in; without them nothing is hooked, because not every ``GET`` is a
look-up in a cache.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Collection
from typing import Any

import wrapt
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor
from opentelemetry.instrumentation.utils import unwrap

from otel_llm_router.instrumentation.redis._patterns import Pattern, read
from otel_llm_router.signals import Option, options
from otel_llm_router.telemetry.instrumenting import guard

_logger = logging.getLogger("otel_llm_router")

_CLIENTS = (
    ("redis.client", "Redis"),
    ("redis.cluster", "RedisCluster"),
    ("redis.asyncio.client", "Redis"),
    ("redis.asyncio.cluster", "RedisCluster"),
)


class RedisInstrumentor(BaseInstrumentor):
    """Counts look-ups in caches that are kept in Redis."""

    _active = False
    _put: list[tuple[Any, str]]
    _hooks: Any = None

    def instrumentation_dependencies(self) -> Collection[str]:
        """Return the releases of redis-py that are supported."""
        return ("redis >= 5, < 9",)

    def _instrument(self, **kwargs: Any) -> None:
        """Wait for redis-py.

        Args:
            **kwargs: ``cache_keys`` and ``observe`` in place of the options.
        """
        self._active, self._put = True, []
        keys = _read(options.REDIS_CACHE_KEYS, kwargs.get("cache_keys"))
        servers = _read(options.REDIS_OBSERVE, kwargs.get("observe"))
        if not keys and not servers:
            return
        for module, name in _CLIENTS:
            wrapt.when_imported(module)(lambda found, name=name: self._put_hooks(found, name, keys, servers))

    def _put_hooks(self, module: Any, name: str, keys: list[Pattern], servers: list[Pattern]) -> None:
        with guard("redis.instrument"):
            if not self._active:
                return
            from otel_llm_router.instrumentation.redis._hooks import Hooks  # noqa: PLC0415  # with the library

            owner, hooks = getattr(module, name), self._hooks or Hooks(keys, servers)
            self._hooks = hooks
            if keys:
                asynchronous = ".asyncio." in module.__name__
                self._wrap(owner, "execute_command", hooks.async_command if asynchronous else hooks.command)
            if servers and name == "Redis":
                self._wrap(owner, "__init__", hooks.created)

    def _wrap(self, owner: Any, name: str, hook: Any) -> None:
        if (owner, name) not in self._put:
            wrapt.wrap_function_wrapper(owner, name, hook)
            self._put.append((owner, name))

    def _uninstrument(self, **kwargs: Any) -> None:  # noqa: ARG002  # options of other instrumentors
        self._active = False
        for owner, name in self._put:
            unwrap(owner, name)
        self._put, self._hooks = [], None


def _read(option: Option, given: Any) -> list[Pattern]:
    found, problems = read(str(os.environ.get(option.env, "") if given is None else given))
    for problem in problems:
        _logger.warning("otel-llm-router: %s: %s (see docs/caches.md)", option.env, problem)
    return found


__all__ = ["RedisInstrumentor"]
