"""The hooks around redis-py's clients.

Room: `instrumentation`. Commands and their answers come in; look-ups go out. Commands of a pipeline are not seen.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, cast

from opentelemetry.context import Context

from otel_llm_router import telemetry
from otel_llm_router.instrumentation.redis import _patterns
from otel_llm_router.instrumentation.redis._patterns import Pattern
from otel_llm_router.telemetry.instrumenting import attached, guard

_logger = logging.getLogger("otel_llm_router")

_ONE: Final = frozenset({"GET", "HGET"})
_MANY: Final = "MGET"
MAX_SERVERS: Final = 1000
"""Most servers whose addresses are remembered."""


class Hooks:
    """Hooks for caches known by ``keys`` and servers known by ``servers``."""

    def __init__(self, keys: Sequence[Pattern], servers: Sequence[Pattern]) -> None:
        self._keys = keys
        self._servers = servers
        self._observed: dict[str, str] = {}  # cache types, and the address of each one's server
        self._seen: set[str] = set()
        self._lock = threading.Lock()

    def command(self, wrapped: Callable[..., Any], instance: Any, args: tuple[Any, ...], kwargs: Any) -> Any:
        """``Redis.execute_command``."""
        answer = wrapped(*args, **kwargs)
        if args and (args[0] in _ONE or args[0] == _MANY):
            with guard("redis.command"):
                self._count(args, answer)
        return answer

    def async_command(
        self, wrapped: Callable[..., Awaitable[Any]], instance: Any, args: tuple[Any, ...], kwargs: Any
    ) -> Awaitable[Any]:
        """``execute_command`` of the asynchronous client."""
        if not args or (args[0] not in _ONE and args[0] != _MANY):
            return wrapped(*args, **kwargs)
        return self._awaited(wrapped, args, kwargs)

    async def _awaited(self, wrapped: Callable[..., Awaitable[Any]], args: tuple[Any, ...], kwargs: Any) -> Any:
        answer = await wrapped(*args, **kwargs)
        with guard("redis.command"):
            self._count(args, answer)
        return answer

    def created(self, wrapped: Callable[..., None], instance: Any, args: tuple[Any, ...], kwargs: Any) -> None:
        """``Redis.__init__``."""
        wrapped(*args, **kwargs)
        with guard("redis.created"):
            self._observe(instance)

    def _count(self, args: tuple[Any, ...], answer: object) -> None:
        if args[0] in _ONE:
            self._look_up(args[1], answer)
        elif isinstance(answer, list) and len(cast("list[Any]", answer)) == len(args) - 1:
            for key, value in zip(args[1:], cast("list[Any]", answer), strict=True):
                self._look_up(key, value)

    def _look_up(self, key: object, value: object) -> None:
        name = _patterns.named(self._keys, _text(key))
        if name is None:
            return
        with attached(Context()):  # whether the request in flight is answered with it is not known
            cache = telemetry.cache(name)
            if value is None:
                cache.miss()
            else:
                cache.hit()

    def _observe(self, client: Any) -> None:
        arguments = client.connection_pool.connection_kwargs
        if not isinstance(arguments, dict):
            return
        where = cast("dict[str, Any]", arguments)
        address = str(where.get("path") or f"{where.get('host', 'localhost')}:{where.get('port', 6379)}")
        name = _patterns.named(self._servers, address)
        if name is None:
            return
        address = f"{address}/{where.get('db') or 0}"
        with self._lock:
            if address in self._seen or len(self._seen) >= MAX_SERVERS:
                return
            self._seen.add(address)
            first = self._observed.setdefault(name, address)
        if first == address:
            telemetry.observe_redis(client, cache_type=name)
        else:
            _logger.warning(
                "otel-llm-router: Redis at %s is not observed: cache type %s is the one at %s already. Give each a name "
                "in OTEL_LLM_ROUTER_REDIS_OBSERVE (see docs/caches.md).",
                address,
                name,
                first,
            )


def _text(key: object) -> str:
    if isinstance(key, str):
        return key
    if isinstance(key, (bytes, bytearray, memoryview)):
        return bytes(cast("bytes", key)).decode("utf-8", "replace")
    return str(key)
