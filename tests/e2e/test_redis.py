"""Caches in Redis under the real ``opentelemetry-instrument``: nothing of the application's says that they are caches."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

from otel_llm_router.cli.demo._receiver import Receiver
from redis_server import RedisServer

CODE = """
import sys, redis
client = redis.Redis(port=int(sys.argv[1]))
client.set("answers:1", "a")
client.mget("answers:1", "answers:2", "session:1")
"""


def test_look_ups_and_the_server(
    python: Callable[..., subprocess.CompletedProcess[str]], receiver: tuple[Receiver, str], tmp_path: Path
) -> None:
    found, endpoint = receiver
    server = RedisServer(tmp_path)
    try:
        done = python(
            CODE.replace("sys.argv[1]", str(server.port)),
            "--llm_router_redis_cache_keys",
            "answers:*=answers",
            OTEL_LLM_ROUTER_REDIS_OBSERVE="localhost:*=redis",
            OTEL_METRICS_EXPORTER="otlp",
            OTEL_EXPORTER_OTLP_ENDPOINT=endpoint,
        )
    finally:
        server.stop()
    assert done.returncode == 0, done.stderr
    samples = found.samples()
    assert samples.sum("llm_router_cache_hits_total", cache_type="answers") == 1
    assert samples.sum("llm_router_cache_misses_total", cache_type="answers") == 1
    assert samples.sum("llm_router_cache_server_up", cache_type="redis") == 1
    assert samples.sum("llm_router_cache_entries", cache_type="redis") == 1
    assert samples.sum("llm_router_cache_server_misses_total", cache_type="redis") == 2
