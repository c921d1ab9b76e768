"""The connections that an address leads to; on real servers: tests/integration/test_redis_*."""

from __future__ import annotations

import asyncio
import threading

import pytest
import redis
import redis.asyncio
import redis.asyncio.sentinel
import redis.sentinel
from redis import exceptions as redis_errors

from shared.clock import ManualClock
from shared.redis_client import LOOK_MS, AsyncOnePrimary, OnePrimary, connect, connect_async
from shared.redis_cluster import AsyncCluster, Cluster

SENTINELS = "redis+sentinel://:pw@127.0.0.1:1,127.0.0.1:2/set/3"


def test_each_topology_gets_its_own_servers() -> None:
    assert isinstance(connect("unix:///none"), OnePrimary)
    assert isinstance(connect(SENTINELS), OnePrimary)
    assert isinstance(connect("redis+cluster://127.0.0.1:1"), Cluster)

    async def same() -> None:
        assert isinstance(connect_async("unix:///none"), AsyncOnePrimary)
        assert isinstance(connect_async(SENTINELS), AsyncOnePrimary)
        assert isinstance(connect_async("redis+cluster://127.0.0.1:1"), AsyncCluster)

    asyncio.run(same())


@pytest.mark.parametrize("url", ["redis://h:1/0", SENTINELS])
def test_every_wait_is_bounded(url: str) -> None:
    (client,) = connect(url, timeout_s=1.5).primaries()
    options = client.connection_pool.connection_kwargs
    assert (options["socket_timeout"], options["socket_connect_timeout"]) == (1.5, 1.5)
    (later,) = asyncio.run(connect_async(url, timeout_s=1.5).primaries())
    assert later.connection_pool.connection_kwargs["socket_timeout"] == 1.5


def test_one_server_owns_every_key_and_is_the_only_primary() -> None:
    servers = OnePrimary(redis.Redis())
    assert servers.owner("a") is servers.owner("b") is servers.any()
    assert servers.slot("a") == servers.slot("b")
    assert servers.known_replicas() == 0
    servers.close()


def test_sentinels_that_do_not_answer_are_no_primary_within_a_bound() -> None:
    servers = connect(SENTINELS, timeout_s=0.2)
    with pytest.raises(redis_errors.ConnectionError, match="No master found"):
        servers.owner("a").ping()
    with pytest.raises(redis_errors.ConnectionError, match="no Sentinel answered"):
        servers.known_replicas()
    servers.close()


@pytest.mark.parametrize(
    ("error", "asks_again"),
    [
        (redis_errors.ConnectionError("closed"), True),
        (redis_errors.ReadOnlyError("a replica now"), True),
        (redis_errors.TimeoutError("silent"), False),
        (redis.sentinel.MasterNotFoundError("none"), False),
        (redis_errors.ResponseError("wrong"), False),
    ],
)
def test_sentinels_are_asked_again_when_a_primary_hung_up_and_not_when_it_was_silent(
    error: Exception, asks_again: bool
) -> None:
    servers = connect(SENTINELS)
    assert servers.learn(servers.owner("a"), error) is asks_again
    servers.close()
    alone = connect("redis://127.0.0.1:1")
    assert not alone.learn(alone.owner("a"), error)

    async def same() -> None:
        later = connect_async(SENTINELS)
        assert later.learn(await later.owner("a"), error) is asks_again
        await later.close()

    asyncio.run(same())


def test_sentinels_are_asked_now_and_then_although_the_primary_answers() -> None:
    clock, asked = ManualClock(), threading.Event()

    class Pool:
        def get_master_address(self) -> tuple[str, int]:
            asked.set()
            return ("h", 1)

    client = redis.Redis()
    client.connection_pool = Pool()  # type: ignore[assignment]  # the used part
    servers = OnePrimary(client, sentinel=redis.sentinel.Sentinel([]), clock=clock)  # type: ignore[no-untyped-call]
    servers.owner("a")
    assert not asked.is_set()
    clock.advance(LOOK_MS)
    servers.owner("a")
    assert asked.wait(60)


async def test_a_primary_that_is_no_longer_named_is_left_although_its_connections_are_in_use() -> None:
    clock, closed = ManualClock(), []

    class Pool:
        master_address = ("old", 1)

        async def get_master_address(self) -> tuple[str, int]:
            self.master_address = ("new", 1)
            return self.master_address

        async def disconnect(self, *, inuse_connections: bool) -> None:
            closed.append(inuse_connections)

    client = redis.asyncio.Redis()
    client.connection_pool = Pool()  # type: ignore[assignment]  # the used part
    sentinel = redis.asyncio.sentinel.Sentinel([])
    servers = AsyncOnePrimary(client, sentinel=sentinel, clock=clock)
    for _ in range(2):
        clock.advance(LOOK_MS)
        await servers.owner("a")
        assert servers._looking is not None
        await servers._looking
    assert closed == [True], "once: the second look finds nothing new"
