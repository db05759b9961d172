"""What a router holds: caches, queues, connections, models; told of, or asked about at collection.

Room: `telemetry`. These are methods of `Telemetry`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from otel_llm_router import _sanitize
from otel_llm_router.signals import attributes
from otel_llm_router.signals.instruments import resources
from otel_llm_router.telemetry import _guard, _observed
from otel_llm_router.telemetry._accounts import Accounts
from otel_llm_router.telemetry._cache import Cache
from otel_llm_router.telemetry._connection import Connection
from otel_llm_router.telemetry._models import ModelLoad, Models
from otel_llm_router.telemetry._queue import Queue
from otel_llm_router.telemetry._recorder import Recorder


class Holdings(Accounts):
    """What a router holds, beside what it accounts for."""

    def use(self, recorder: Recorder) -> None:
        """Record on ``recorder`` from now on, with nothing remembered of before."""
        super().use(recorder)
        self.models = Models(self)

    def cache(self, name: str) -> Cache:
        """Return one cache: look-ups as a context manager, or `Cache.hit`, `Cache.miss`, `Cache.set_size`."""
        return Cache(self, name)

    def queue(self, name: str) -> Queue:
        """Return one queue: `Queue.wait` around waiting, or `Queue.set_size` and `Queue.processed`."""
        return Queue(self, name)

    def connection(self, kind: str = "http", protocol: str = "http/1.1") -> Connection:
        """Return one connection: a context manager, or `Connection.open` and `Connection.close`."""
        return Connection(self, kind, protocol)

    def model_load(self, name: str, *, format: str = attributes.UNKNOWN) -> ModelLoad:  # noqa: A002  # the label's name
        """Measure the loading of a model, as a context manager; set its ``size_bytes`` inside."""
        return ModelLoad(self.models, name, format)

    def model_loaded(
        self,
        name: str,
        *,
        format: str = attributes.UNKNOWN,  # noqa: A002  # the label's name
        size_bytes: float | None = None,
        seconds: float | None = None,
    ) -> None:
        """Account for a model that has been loaded."""
        with _guard.guard("model_loaded"):
            self.models.loaded(name, format=format, size_bytes=size_bytes, seconds=_sanitize.finite(seconds))

    def model_unloaded(self, name: str) -> None:
        """Account for a model that has been unloaded; its series end."""
        with _guard.guard("model_unloaded"):
            self.models.unloaded(name)

    # --- what is asked at collection ------------------------------------------------------------

    def observe_queue(
        self, name: str, *, depth: Callable[[], float | None] | None = None, capacity: float | None = None
    ) -> None:
        """Ask ``depth`` how many requests wait whenever metrics are collected."""
        with _guard.guard("observe_queue"):
            self.gauges.ask(resources.QUEUE_SIZE, depth, name)
            self.gauges.set(resources.QUEUE_CAPACITY, capacity, name)

    def observe_cache(
        self,
        name: str,
        *,
        bytes: Callable[[], float | None] | None = None,  # noqa: A002  # what it answers
        entries: Callable[[], float | None] | None = None,
        evictions: Callable[[], float | None] | None = None,
        cache: Any = None,
    ) -> None:
        """Ask a cache about itself whenever metrics are collected.

        Args:
            name: Which cache: label ``cache_type``.
            bytes: Answers how many bytes it holds.
            entries: Answers how many entries it holds.
            evictions: Answers how many entries it has ever thrown out, counted from its first answer on.
            cache: The cache itself, for its entries: anything with a length, or with a ``cache_info()``.
        """
        with _guard.guard("observe_cache"):
            if entries is None and cache is not None:
                entries = _observed.entries_of(cache)
            if evictions is not None:
                entries = _observed.asking(_observed.growth(evictions, self.cache(name).evicted), entries)
            self.gauges.ask(resources.CACHE_SIZE, bytes, name)
            self.gauges.ask(resources.CACHE_ENTRIES, entries, name)

    def observe_redis(self, client: Any, *, cache_type: str = "redis") -> None:
        """Ask the Redis server of a client about itself whenever metrics are collected.

        Memory, keys, hits, misses, evictions, and whether it answers. It is asked over a connection of its own, and
        a collection does not wait for a server that is gone.

        Args:
            client: Of redis-py, synchronous or asynchronous; it is not kept, and not used.
            cache_type: Which cache: label ``cache_type``.
        """
        with _guard.guard("observe_redis"):
            from otel_llm_router.telemetry import _redis  # noqa: PLC0415  # for routers that have one

            _redis.observe(self.gauges, client, cache_type)

    def observe_connections(
        self,
        provider: str,
        *,
        open: Callable[[], float | None] | None = None,  # noqa: A002  # the state's name
        idle: Callable[[], float | None] | None = None,
        waiting: Callable[[], float | None] | None = None,
    ) -> None:
        """Ask about a connection pool to a provider whenever metrics are collected."""
        with _guard.guard("observe_connections"):
            for state, question in (("open", open), ("idle", idle), ("waiting", waiting)):
                self.gauges.ask(resources.UPSTREAM_CONNECTIONS, question, provider, state)
