"""Look-ups in caches known by their keys, with the real redis-py and a real server."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportOptionalSubscript=false

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from typing import Any

import pytest
import redis
import redis.asyncio
import redis.asyncio.cluster
import redis.cluster

from otel_llm_router import telemetry as router
from otel_llm_router import testing
from otel_llm_router.instrumentation.redis import RedisInstrumentor
from redis_server import RedisServer

Instrument = Callable[..., None]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Generator[RedisServer]:
    found = RedisServer(tmp_path_factory.mktemp("redis"))
    yield found
    found.stop()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Generator[RedisServer]:
    """A cluster of one node that has all the slots."""
    found = RedisServer(tmp_path_factory.mktemp("cluster"), "--cluster-enabled", "yes")
    try:
        with redis.Redis(port=found.port) as client:
            client.execute_command("CLUSTER ADDSLOTS", *range(16384))
            while client.cluster("INFO")["cluster_state"] != "ok":
                pass
        yield found
    finally:
        found.stop()


@pytest.fixture
def instrument() -> Generator[Instrument]:
    instrumentor = RedisInstrumentor()

    def begin(keys: str = "", observe: str = "") -> None:
        instrumentor.instrument(cache_keys=keys, observe=observe)

    yield begin
    instrumentor.uninstrument()


@pytest.fixture
def captured() -> Generator[testing.Captured]:
    with testing.capture() as found:
        yield found


def counted(captured: testing.Captured) -> dict[str, tuple[float, float]]:
    """Hits and misses by cache type."""
    points = {kind: captured.points(f"llm_router.cache.{kind}") for kind in ("hits", "misses")}
    types = {point.labels["cache_type"] for found in points.values() for point in found}
    return {
        name: (
            captured.value("llm_router.cache.hits", cache_type=name),
            captured.value("llm_router.cache.misses", cache_type=name),
        )
        for name in types
    }


KEYS = "answers:*=answers, e?:*=embeddings"
EXPECTED = {"answers": (3, 3), "embeddings": (1, 1)}


def test_sync(server: RedisServer, instrument: Instrument, captured: testing.Captured) -> None:
    instrument(KEYS)
    with redis.Redis(port=server.port, protocol=2) as client:
        client.flushall()
        client.set("answers:1", "a")
        client.hset("e1:x", "field", "b")
        assert client.get("answers:1") == b"a"
        assert client.get(b"answers:2") is None
        assert client.mget("answers:1", "session:1", "answers:3", "answers:1") == [b"a", None, None, b"a"]
        assert client.hget("e1:x", "field") == b"b"
        assert client.hget("e1:x", "other") is None
        assert client.get("session:1") is None
        assert client.get(memoryview(b"answers:4")) is None
        with pytest.raises(redis.ResponseError):
            client.get("e1:x")
    assert counted(captured) == EXPECTED


async def test_async(server: RedisServer, instrument: Instrument, captured: testing.Captured) -> None:
    instrument(KEYS)
    async with redis.asyncio.Redis(port=server.port) as client:
        await client.flushall()
        await client.set("answers:1", "a")
        await client.hset("e1:x", "field", "b")  # pyright: ignore[reportGeneralTypeIssues]
        assert await client.get("answers:1") == b"a"
        assert await client.get(b"answers:2") is None
        assert await client.mget("answers:1", "session:1", "answers:3", "answers:1") == [b"a", None, None, b"a"]
        assert await client.hget("e1:x", "field") == b"b"  # pyright: ignore[reportGeneralTypeIssues]
        assert await client.hget("e1:x", "other") is None  # pyright: ignore[reportGeneralTypeIssues]
        assert await client.get("answers:4") is None
        with pytest.raises(redis.ResponseError):
            await client.get("e1:x")
    assert counted(captured) == EXPECTED


def test_a_cluster(cluster: RedisServer, instrument: Instrument, captured: testing.Captured) -> None:
    instrument(KEYS)
    with redis.cluster.RedisCluster(host="127.0.0.1", port=cluster.port) as client:
        client.flushall()
        client.set("answers:1", "a")
        assert client.get("answers:1") == b"a"
        assert client.get("answers:2") is None
    assert counted(captured) == {"answers": (1, 1)}


async def test_an_asynchronous_cluster(
    cluster: RedisServer, instrument: Instrument, captured: testing.Captured
) -> None:
    instrument(KEYS)
    async with redis.asyncio.cluster.RedisCluster(host="127.0.0.1", port=cluster.port) as client:
        await client.flushall()
        await client.set("answers:1", "a")
        assert await client.get("answers:1") == b"a"
        assert await client.get("answers:2") is None
    assert counted(captured) == {"answers": (1, 1)}


def test_the_request_in_flight_is_not_said_to_be_answered(
    server: RedisServer, instrument: Instrument, captured: testing.Captured
) -> None:
    instrument(KEYS)
    with redis.Redis(port=server.port) as client, router.request(model="m"):
        client.set("answers:1", "a")
        client.get("answers:1")
    assert counted(captured) == {"answers": (1, 0)}
    assert captured.points("llm_router.inference", cached="true") == []
    assert captured.value("llm_router.inference") == 1


def test_nothing_is_hooked_without_an_option(server: RedisServer, instrument: Instrument) -> None:
    before = redis.Redis.execute_command, redis.Redis.__init__
    instrument()
    assert (redis.Redis.execute_command, redis.Redis.__init__) == before


def test_what_is_no_pattern_is_said_and_left_out(
    server: RedisServer, instrument: Instrument, captured: testing.Captured, caplog: pytest.LogCaptureFixture
) -> None:
    instrument("answers:*, =x, a=, b:*=b")
    assert [record.args[1] for record in caplog.records if record.args] == [  # pyright: ignore[reportArgumentType]
        f"{part!r} is not allowed: it takes pattern=cache_type; it is left out" for part in ("answers:*", "=x", "a=")
    ]
    with redis.Redis(port=server.port) as client:
        client.get("b:1")
        client.get("answers:1")
    assert counted(captured) == {"b": (0, 1)}


async def test_servers_are_found(
    server: RedisServer,
    cluster: RedisServer,
    instrument: Instrument,
    captured: testing.Captured,
    caplog: Any,
    eventually: Callable[[Callable[[], object]], Awaitable[bool]],
) -> None:
    instrument(observe="127.0.0.1:*=redis")
    for _ in range(2):
        redis.Redis(host="127.0.0.1", port=server.port).close()
    redis.Redis(host="127.0.0.1", port=cluster.port).close()
    redis.Redis(host="localhost", port=cluster.port).close()
    assert await eventually(lambda: captured.value("llm_router.cache.server.up") == 1)
    assert len(captured.points("llm_router.cache.server.up", cache_type="redis")) == 1
    (said,) = (record.getMessage() for record in caplog.records if record.name == "otel_llm_router")
    assert f"Redis at 127.0.0.1:{cluster.port}/0 is not observed: cache type redis is the one at" in said
