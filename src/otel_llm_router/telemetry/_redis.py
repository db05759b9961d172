"""A Redis server that is asked about itself.

Room: `telemetry`. A client of redis-py comes in; questions for collection go out. The answers are those of INFO,
asked for in a thread and over a connection of its own: the application's connections, event loops and retries
are not touched, and a server that does not answer delays no collection but the first.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from opentelemetry.instrumentation.utils import suppress_instrumentation

from otel_llm_router import _sanitize
from otel_llm_router.signals.instruments import resources
from otel_llm_router.telemetry import _guard
from otel_llm_router.telemetry._gauges import Gauges

_logger = logging.getLogger("otel_llm_router")

TIMEOUT: Final = 1.0
"""Seconds that connecting may take, and an answer."""
PATIENCE: Final = 0.25
"""Seconds that a collection waits for a server that has answered so far."""
FRESH: Final = 1.0
"""Seconds that an answer serves for: a collection asks for several numbers, and there may be two doors."""

_KEPT: Final = frozenset({"host", "port", "db", "username", "password", "path", "credential_provider", "protocol"})
"""Arguments of connections that say where a server is and who asks; and all that begin with ``ssl_``."""


def observe(gauges: Gauges, client: Any, name: str) -> None:
    """Ask the server of ``client`` at each collection."""
    pool = getattr(client, "connection_pool", None)
    if pool is None or "Sentinel" in type(pool).__name__:
        _logger.warning(
            "otel-llm-router: %s cannot be observed as cache %s: observe_redis takes a client of one server, not of a "
            "cluster or of sentinels (see docs/caches.md)",
            type(client).__name__,
            _sanitize.text(name),
        )
        return
    server = Server(partial(connect, pool.connection_class, dict(pool.connection_kwargs)))
    database = f"db{pool.connection_kwargs.get('db') or 0}"
    gauges.ask(resources.CACHE_SERVER_UP, server.up, name)
    gauges.ask(resources.CACHE_SIZE, server.field("used_memory"), name)
    gauges.ask(resources.CACHE_ENTRIES, partial(server.keys, database), name)
    gauges.ask(resources.CACHE_SERVER_HITS, server.field("keyspace_hits"), name)
    gauges.ask(resources.CACHE_SERVER_MISSES, server.field("keyspace_misses"), name)
    gauges.ask(resources.CACHE_SERVER_EVICTIONS, server.field("evicted_keys"), name)


def connect(kind: type[Any], arguments: Mapping[str, Any]) -> Any:
    """Return a synchronous client of the server that connections of class ``kind`` with these arguments reach."""
    import redis  # noqa: PLC0415  # it is the application's
    from redis.backoff import NoBackoff  # noqa: PLC0415
    from redis.retry import Retry  # noqa: PLC0415

    # An asynchronous connection's class has a sibling of the same name.
    own: Any = getattr(redis, "SSLConnection" if "SSL" in kind.__name__ else "Connection")
    if "path" in arguments:
        own = redis.UnixDomainSocketConnection
    kept = {key: value for key, value in arguments.items() if key in _KEPT or key.startswith("ssl_")}
    if "path" not in arguments:
        kept["socket_connect_timeout"] = TIMEOUT
    pool = redis.ConnectionPool(
        connection_class=own, max_connections=1, socket_timeout=TIMEOUT, retry=Retry(NoBackoff(), 0), **kept
    )
    return redis.Redis(connection_pool=pool)


class Server:
    """One server and its last answer.

    Args:
        connect: Returns a client with an ``info()``, which may raise and takes bounded time.
    """

    def __init__(self, connect: Callable[[], Any]) -> None:
        self._connect = connect
        self._client: Any = None
        self._info: dict[str, Any] = {}
        self._begin()

    def _begin(self) -> None:
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._answered = threading.Event()
        self._answered.set()
        self._asked = 0.0
        self._patient = True

    def up(self) -> float:
        """Whether the last question was answered."""
        return 1.0 if self._latest() else 0.0

    def keys(self, database: str) -> float | None:
        """Return the number of keys in a database, such as ``db0``."""
        info = self._latest()
        if not info:
            return None
        return _sanitize.finite(info.get(database, {}).get("keys", 0))

    def field(self, name: str) -> Callable[[], float | None]:
        """Return a question for one field of INFO."""
        return lambda: _sanitize.finite(self._latest().get(name))

    def _latest(self) -> dict[str, Any]:
        """Return the last answer, which is empty when there was none; see that the next one is asked for."""
        if self._process != os.getpid():
            self._begin()  # of what was under way, a forked child has nothing
        with self._lock:
            now = time.monotonic()
            if self._answered.is_set() and (not self._asked or now - self._asked >= FRESH):
                self._asked = now
                self._answered.clear()
                threading.Thread(target=self._ask, name="otel-llm-router-redis", daemon=True).start()
            patient = self._patient
        if patient and not self._answered.wait(PATIENCE):
            self._patient, self._info = False, {}
        return self._info

    def _ask(self) -> None:
        info: dict[str, Any] = {}
        try:
            with suppress_instrumentation():
                if self._client is None:
                    self._client = self._connect()
                info = self._client.info()
        except Exception as error:  # noqa: BLE001  # whatever a client of any version raises: it does not answer
            if not _expected(error):
                _guard.caught("observe_redis", error)
        finally:
            self._info = info
            self._patient = bool(info)
            self._answered.set()


def _expected(error: Exception) -> bool:
    """Whether a server can be the reason: it is gone, loading, or does not let us ask."""
    return isinstance(error, OSError) or any(one.__module__.startswith("redis.") for one in type(error).__mro__)
