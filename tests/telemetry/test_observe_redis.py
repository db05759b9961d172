"""A real Redis server that is asked about itself, and what becomes of it."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportOptionalSubscript=false

from __future__ import annotations

import signal
import threading
from collections.abc import Awaitable, Callable, Generator
from pathlib import Path
from typing import Any

import cachetools
import pytest
import redis
import redis.asyncio

from otel_llm_router import telemetry as router
from otel_llm_router import testing
from redis_server import RedisServer

NAMES = ("size", "entries", "server.hits", "server.misses", "server.evictions")


@pytest.fixture
def server(tmp_path: Path) -> Generator[RedisServer]:
    found = RedisServer(tmp_path, "--requirepass", "secret", "--unixsocket", str(tmp_path / "redis.sock"))
    yield found
    found.stop()


def values(captured: testing.Captured) -> dict[str, float]:
    """Each number that is said of the cache, but for its memory."""
    return {
        name: captured.value(f"llm_router.cache.{name}", cache_type="redis")
        for name in NAMES
        if captured.points(f"llm_router.cache.{name}", cache_type="redis") and name != "size"
    }


def fill(server: RedisServer) -> None:
    with redis.Redis(port=server.port, password="secret", db=2) as client:
        client.mset({"a": 1, "b": 2, "c": 3})
        client.get("a")
        client.mget("b", "x")


@pytest.mark.parametrize("kind", ["sync", "async", "socket", "url"])
async def test_what_it_says(
    kind: str,
    server: RedisServer,
    captured: testing.Captured,
    tmp_path: Path,
    eventually: Callable[[Callable[[], object]], Awaitable[bool]],
) -> None:
    fill(server)
    clients = {
        "sync": lambda: redis.Redis(port=server.port, password="secret", db=2),
        "async": lambda: redis.asyncio.Redis(port=server.port, password="secret", db=2),
        "socket": lambda: redis.Redis(unix_socket_path=str(tmp_path / "redis.sock"), password="secret", db=2),
        "url": lambda: redis.asyncio.from_url(f"redis://:secret@127.0.0.1:{server.port}/2"),
    }
    router.observe_redis(clients[kind]())
    assert await eventually(lambda: captured.value("llm_router.cache.server.up", cache_type="redis") == 1)
    assert values(captured) == {"entries": 3, "server.hits": 2, "server.misses": 1, "server.evictions": 0}
    assert captured.value("llm_router.cache.size", cache_type="redis") > 100_000


async def test_a_server_that_goes_and_comes_back(
    server: RedisServer, captured: testing.Captured, eventually: Callable[[Callable[[], object]], Awaitable[bool]]
) -> None:
    fill(server)
    router.observe_redis(redis.Redis(port=server.port, password="secret", db=2))

    def up() -> float:
        return captured.value("llm_router.cache.server.up", cache_type="redis")

    assert await eventually(lambda: up() == 1)
    server.stop()
    assert await eventually(lambda: up() == 0)
    assert values(captured) == {}
    server.start_again()
    assert await eventually(lambda: up() == 1)
    assert values(captured)["server.hits"] == 0


async def test_a_server_that_hangs_delays_nothing(
    server: RedisServer, captured: testing.Captured, eventually: Callable[[Callable[[], object]], Awaitable[bool]]
) -> None:
    router.observe_redis(redis.Redis(port=server.port, password="secret"))
    assert await eventually(lambda: captured.value("llm_router.cache.server.up") == 1)
    server.process.send_signal(signal.SIGSTOP)
    assert await eventually(lambda: captured.value("llm_router.cache.server.up") == 0)
    for _ in range(20):
        assert captured.value("llm_router.cache.server.up") == 0
        # Nobody waits for it but one thread.
        assert [thread.name for thread in threading.enumerate()].count("otel-llm-router-redis") <= 1
    server.process.send_signal(signal.SIGCONT)
    assert await eventually(lambda: captured.value("llm_router.cache.server.up") == 1)


def test_a_server_that_does_not_let_us_ask(server: RedisServer, captured: testing.Captured) -> None:
    router.observe_redis(redis.Redis(port=server.port, password="wrong"))
    assert captured.value("llm_router.cache.server.up") == 0
    assert len(captured.points("llm_router.cache.server.up")) == 1
    assert values(captured) == {}


def test_what_is_no_client_of_one_server(captured: testing.Captured, caplog: pytest.LogCaptureFixture) -> None:
    router.observe_redis(object(), cache_type="answers")
    assert "object cannot be observed as cache answers" in caplog.text
    assert captured.points("llm_router.cache.server.up") == []


def test_caches_of_cachetools(captured: testing.Captured) -> None:
    cache: cachetools.LRUCache[int, str] = cachetools.LRUCache(maxsize=2)
    timed: Any = cachetools.TTLCache(maxsize=10, ttl=60)
    sized: cachetools.LRUCache[int, str] = cachetools.LRUCache(maxsize=100, getsizeof=len)
    router.observe_cache("lru", cache=cache)
    router.observe_cache("ttl", cache=timed)
    router.observe_cache("sized", cache=sized, bytes=lambda: sized.currsize)
    for number in range(5):
        cache[number] = timed[number] = sized[number] = "x" * 40
    found = {point.labels["cache_type"]: point.value for point in captured.points("llm_router.cache.entries")}
    assert found == {"lru": 2, "ttl": 5, "sized": 2}
    assert captured.value("llm_router.cache.size", cache_type="sized") == 80
