"""Instruments of what a router holds: models, caches, queues, connections and its process."""

from __future__ import annotations

from typing import Final

from otel_llm_router.signals import attributes as a
from otel_llm_router.signals._model import Instrument, Kind, Stability

MODEL_LOAD_BUCKETS: Final = (1.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
CONNECTION_BUCKETS: Final = (1.0, 10.0, 30.0, 60.0, 300.0, 600.0, 1800.0, 3600.0)
QUEUE_BUCKETS: Final = (0.01, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0)
GC_PAUSE_BUCKETS: Final = (0.001, 0.01, 0.1, 1.0, 2.0, 5.0)
SIMILARITY_BUCKETS: Final = (0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.925, 0.95, 0.975, 0.99, 1.0)
"""Dense where thresholds of semantic caches are set."""

MODELS_LOADED = Instrument(
    name="llm_router.models.loaded",
    prometheus_name="llm_router_models_loaded",
    kind=Kind.OBSERVABLE_GAUGE,
    unit="{model}",
    description="Models that are loaded or served.",
    attributes=(a.FORMAT, a.SIZE_CATEGORY),
    stability=Stability.STABLE,
    source="A1",
)
MODEL_LOAD_DURATION = Instrument(
    name="llm_router.model.load.duration",
    prometheus_name="llm_router_model_load_duration_seconds",
    kind=Kind.HISTOGRAM,
    unit="s",
    description="Time a model took to load.",
    attributes=(a.MODEL, a.FORMAT),
    buckets=MODEL_LOAD_BUCKETS,
    stability=Stability.STABLE,
    source="A1",
)
MODEL_MEMORY = Instrument(
    name="llm_router.model.memory",
    prometheus_name="llm_router_model_memory_bytes",
    kind=Kind.OBSERVABLE_GAUGE,
    unit="By",
    description="Memory a loaded model takes; no series after it is unloaded.",
    attributes=(a.MODEL, a.FORMAT),
    stability=Stability.STABLE,
    source="A1",
)
CACHE_HITS = Instrument(
    name="llm_router.cache.hits",
    prometheus_name="llm_router_cache_hits_total",
    kind=Kind.COUNTER,
    unit="{hit}",
    description="Cache look-ups that found an answer.",
    attributes=(a.CACHE_TYPE,),
    stability=Stability.STABLE,
    source="A1",
)
CACHE_MISSES = Instrument(
    name="llm_router.cache.misses",
    prometheus_name="llm_router_cache_misses_total",
    kind=Kind.COUNTER,
    unit="{miss}",
    description="Cache look-ups that found none.",
    attributes=(a.CACHE_TYPE,),
    stability=Stability.STABLE,
    source="A1",
)
CACHE_SIZE = Instrument(
    name="llm_router.cache.size",
    prometheus_name="llm_router_cache_size_bytes",
    kind=Kind.OBSERVABLE_GAUGE,
    unit="By",
    description="Bytes a cache holds.",
    attributes=(a.CACHE_TYPE,),
    stability=Stability.STABLE,
    source="A1",
)
CACHE_ENTRIES = Instrument(
    name="llm_router.cache.entries",
    prometheus_name="llm_router_cache_entries",
    kind=Kind.OBSERVABLE_GAUGE,
    unit="{entry}",
    description="Entries a cache holds.",
    attributes=(a.CACHE_TYPE,),
    source="C cache: key count",
)
CACHE_EVICTIONS = Instrument(
    name="llm_router.cache.evictions",
    prometheus_name="llm_router_cache_evictions_total",
    kind=Kind.COUNTER,
    unit="{entry}",
    description="Entries a cache threw out to make room.",
    attributes=(a.CACHE_TYPE,),
    source="C cache: eviction rate",
)
CACHE_SIMILARITY = Instrument(
    name="llm_router.cache.similarity",
    prometheus_name="llm_router_cache_similarity",
    kind=Kind.HISTOGRAM,
    unit="",
    description="Similarity of the nearest entry of a semantic cache, for hits and for near misses.",
    attributes=(a.CACHE_TYPE, a.CACHE_RESULT),
    buckets=SIMILARITY_BUCKETS,
    source="wish: similarity of semantic caches",
)
CACHE_SERVER_HITS = Instrument(
    name="llm_router.cache.server.hits",
    prometheus_name="llm_router_cache_server_hits_total",
    kind=Kind.OBSERVABLE_COUNTER,
    unit="{hit}",
    description=(
        "Look-ups that found a key, of all clients of a cache server, by its own count since it started. Every router that "
        "observes the server reports the same: take the greatest, not the sum."
    ),
    attributes=(a.CACHE_TYPE,),
    source="C cache: hit rate",
)
CACHE_SERVER_MISSES = Instrument(
    name="llm_router.cache.server.misses",
    prometheus_name="llm_router_cache_server_misses_total",
    kind=Kind.OBSERVABLE_COUNTER,
    unit="{miss}",
    description="Look-ups that found no key, of all clients of a cache server, by its own count; see its hits.",
    attributes=(a.CACHE_TYPE,),
    source="C cache: miss rate",
)
CACHE_SERVER_EVICTIONS = Instrument(
    name="llm_router.cache.server.evictions",
    prometheus_name="llm_router_cache_server_evictions_total",
    kind=Kind.OBSERVABLE_COUNTER,
    unit="{entry}",
    description="Keys that a cache server threw out to make room, by its own count; see its hits.",
    attributes=(a.CACHE_TYPE,),
    source="C cache: eviction rate",
)
CACHE_SERVER_UP = Instrument(
    name="llm_router.cache.server.up",
    prometheus_name="llm_router_cache_server_up",
    kind=Kind.OBSERVABLE_GAUGE,
    unit="",
    description="Whether a cache server answers (1) or not (0).",
    attributes=(a.CACHE_TYPE,),
    source="C: health of Redis, connection state",
)
ACTIVE_CONNECTIONS = Instrument(
    name="llm_router.active_connections",
    prometheus_name="llm_router_active_connections",
    kind=Kind.UP_DOWN_COUNTER,
    unit="{connection}",
    description="Connections being served.",
    attributes=(a.CONNECTION_TYPE, a.PROTOCOL),
    stability=Stability.STABLE,
    source="A1",
)
CONNECTION_DURATION = Instrument(
    name="llm_router.connection.duration",
    prometheus_name="llm_router_connection_duration_seconds",
    kind=Kind.HISTOGRAM,
    unit="s",
    description="How long connections were served.",
    attributes=(a.CONNECTION_TYPE, a.PROTOCOL),
    buckets=CONNECTION_BUCKETS,
    stability=Stability.STABLE,
    source="A1",
)
UPSTREAM_CONNECTIONS = Instrument(
    name="llm_router.upstream.connections",
    prometheus_name="llm_router_upstream_connections",
    kind=Kind.OBSERVABLE_GAUGE,
    unit="{connection}",
    description="Pooled connections to a provider, by state.",
    attributes=(a.PROVIDER, a.CONNECTION_STATE),
    source="wish: upstream connection pools",
)
QUEUE_SIZE = Instrument(
    name="llm_router.queue.size",
    prometheus_name="llm_router_queue_size",
    kind=Kind.OBSERVABLE_GAUGE,
    unit="{request}",
    description="Requests waiting in a queue.",
    attributes=(a.QUEUE_TYPE,),
    stability=Stability.STABLE,
    source="A1",
)
QUEUE_CAPACITY = Instrument(
    name="llm_router.queue.capacity",
    prometheus_name="llm_router_queue_capacity",
    kind=Kind.OBSERVABLE_GAUGE,
    unit="{slot}",
    description="How many requests may be served at once behind the queue.",
    attributes=(a.QUEUE_TYPE,),
    source="wish: concurrency and queues for each deployment",
)
QUEUE_PROCESSING = Instrument(
    name="llm_router.queue.processing",
    prometheus_name="llm_router_queue_processing_seconds",
    kind=Kind.HISTOGRAM,
    unit="s",
    description="Time from leaving the queue to being done.",
    attributes=(a.QUEUE_TYPE,),
    buckets=QUEUE_BUCKETS,
    stability=Stability.STABLE,
    source="A1",
)
QUEUE_WAIT = Instrument(
    name="llm_router.queue.wait",
    prometheus_name="llm_router_queue_wait_seconds",
    kind=Kind.HISTOGRAM,
    unit="s",
    description="Time spent waiting in a queue or for a free slot.",
    attributes=(a.QUEUE_TYPE,),
    buckets=QUEUE_BUCKETS,
    source="design: queue wait; wish: concurrency and queues for each deployment",
)
PROCESS_CPU = Instrument(
    name="llm_router.process.cpu",
    prometheus_name="llm_router_process_cpu_seconds_total",
    kind=Kind.OBSERVABLE_COUNTER,
    unit="s",
    description="User and system CPU time of the process.",
    stability=Stability.STABLE,
    source="A1",
)
PROCESS_RESIDENT_MEMORY = Instrument(
    name="llm_router.process.resident_memory",
    prometheus_name="llm_router_process_resident_memory_bytes",
    kind=Kind.OBSERVABLE_GAUGE,
    unit="By",
    description="Resident memory of the process.",
    stability=Stability.STABLE,
    source="A1",
)
PROCESS_HEAP = Instrument(
    name="llm_router.process.heap",
    prometheus_name="llm_router_process_heap_bytes",
    kind=Kind.OBSERVABLE_GAUGE,
    unit="By",
    description=(
        "Heap of the process: what tracemalloc traces while it is on, else resident memory that is "
        "not shared with files or other processes."
    ),
    stability=Stability.STABLE,
    source="A1",
)
PROCESS_OPEN_FDS = Instrument(
    name="llm_router.process.open_fds",
    prometheus_name="llm_router_process_open_fds",
    kind=Kind.OBSERVABLE_GAUGE,
    unit="{file}",
    description="Open file descriptors (handles on Windows).",
    stability=Stability.STABLE,
    source="A1",
)
PROCESS_THREADS = Instrument(
    name="llm_router.process.threads",
    prometheus_name="llm_router_process_threads",
    kind=Kind.OBSERVABLE_GAUGE,
    unit="{thread}",
    description="Threads of the process.",
    stability=Stability.STABLE,
    source="A1",
)
PROCESS_START_TIME = Instrument(
    name="llm_router.process.start_time",
    prometheus_name="llm_router_process_start_time_seconds",
    kind=Kind.OBSERVABLE_GAUGE,
    unit="s",
    description="Start of the process, in seconds since the epoch.",
    stability=Stability.STABLE,
    source="A1",
)
PROCESS_GC_PAUSE = Instrument(
    name="llm_router.process.gc.pause",
    prometheus_name="llm_router_process_gc_pause_seconds",
    kind=Kind.HISTOGRAM,
    unit="s",
    description="Pauses of Python's cyclic garbage collector, by generation.",
    attributes=(a.GC_GENERATION,),
    buckets=GC_PAUSE_BUCKETS,
    stability=Stability.STABLE,
    source="A1",
)
