"""Leases in a cluster of three primaries: each shard is a world of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
import redis
from redis.crc import key_slot

from shared.errors import ConfigurationError, InterlockError, Unavailable
from shared.lease import keys
from shared.lease.commands import Cleared, Granted, Refusal, Refused, Renewed
from shared.lease.store import AsyncLeaseStore, LeaseStore, connect, connect_async
from shared.lease.timing import LeaseTiming
from shared.lease.view import LeaseView
from signing_proxy.push import listen
from tests.redis_world import World
from tests.servers import ValkeyCluster, ValkeyServer, wait_for

TIMING = LeaseTiming(ttl_ms=12_000, renew_ms=500, poll_ms=100, delta_ms=500, grace_ms=300, unknown_ms=500)


@pytest.fixture(scope="module")
def cluster() -> Iterator[ValkeyCluster]:
    """Three primaries without replicas, for tests that break nothing."""
    made = ValkeyCluster()
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def own_cluster() -> Iterator[ValkeyCluster]:
    """Three primaries with a replica each, of the test's own."""
    made = ValkeyCluster(replicas=1)
    try:
        yield made
    finally:
        made.close()


def slot_of(target: str) -> int:
    return key_slot(keys.target_keys(target).state.encode())


def target_on(cluster: ValkeyCluster, server: ValkeyServer, prefix: str = "web") -> str:
    """A target whose keys are on `server`."""
    names = (f"{prefix}.t{number}" for number in range(10_000))
    return next(name for name in names if cluster.owner(slot_of(name)) is server)


def grant(store: LeaseStore, target: str, epoch: int = 1) -> Granted:
    granted = store.acquire(target, epoch=epoch, acquire_id="a" * 32, ttl_ms=600_000, holder="h", run_id="r", node="n")
    assert isinstance(granted, Granted), granted
    return granted


def clear(store: LeaseStore, target: str) -> None:
    assert isinstance(store.clear(target, store.view(target).incarnation, 0), Cleared)


def test_leases_live_on_the_shard_of_their_slot_with_a_barrier_beside_them(cluster: ValkeyCluster) -> None:
    store = LeaseStore(connect(cluster.url))
    targets = [target_on(cluster, server, "own") for server in cluster.servers]
    for target, server in zip(targets, cluster.servers, strict=True):
        clear(store, target)
        granted = grant(store, target)
        assert store.durable(target, 5_000)
        assert store.confirm(target, granted.lease_id, granted.incarnation, 1)
        with server.client() as client:
            assert client.hget(keys.target_keys(target).state, "state") == "held"
            assert client.exists(keys.barrier_key(target)), "what WAIT covers was written on this very server"
    views = store.views(targets)
    assert len({view.incarnation for view in views if isinstance(view, LeaseView)}) == 3
    assert set(targets) <= set(store.targets())
    store.close()


def test_many_renewals_go_to_every_shard_and_each_is_confirmed_where_it_was_made(cluster: ValkeyCluster) -> None:
    store = LeaseStore(connect(cluster.url))
    leases = []
    for number in range(20):
        target = f"many.t{number}"
        clear(store, target)
        leases.append((target, grant(store, target).lease_id))
    assert all(isinstance(reply, Renewed) for reply in store.renew_many(leases, 5_000))
    views = store.views([target for target, _ in leases])
    assert [(view.seq, view.confirmed_seq) for view in views if isinstance(view, LeaseView)] == [(2, 2)] * 20
    store.close()


def test_hosts_are_found_whatever_shard_their_beat_is_on(cluster: ValkeyCluster) -> None:
    store = LeaseStore(connect(cluster.url))
    names = [f"host-{number}" for number in range(12)]
    for name in names:
        store.beat(name, {"name": name}, 60_000)
    assert store.nodes() == {name: {"name": name} for name in names}
    store.close()


def test_every_event_is_heard_on_any_shard(cluster: ValkeyCluster) -> None:
    async def hear() -> None:
        store = AsyncLeaseStore(connect_async(cluster.url))
        targets = [target_on(cluster, server, "heard") for server in cluster.servers]
        seen: list[bytes] = []
        task = asyncio.get_running_loop().create_task(listen(store.servers.any, seen.append))
        async with asyncio.timeout(60):
            for target in targets:
                while not any(target.encode() in event for event in seen):
                    view = await store.view(target)
                    await store.clear(target, view.incarnation, 0)
                    await store.acquire(
                        target, epoch=1, acquire_id="a" * 32, ttl_ms=600_000, holder="h", run_id="r", node="n"
                    )
                    view = await store.view(target)
                    await store.release(target, view.lease_id)
                    if not any(target.encode() in event for event in seen):
                        # Said before anybody listened: begin again with an absent state.
                        await (await store.servers.owner(keys.barrier_key(target))).delete(
                            *keys.target_keys(target).as_list()
                        )
                        await asyncio.sleep(0.1)
        task.cancel()
        await asyncio.wait([task])
        await store.close()

    asyncio.run(hear())


def test_a_slot_that_was_moved_is_followed_and_its_target_embargoed(cluster: ValkeyCluster) -> None:
    store, later = LeaseStore(connect(cluster.url)), AsyncLeaseStore(connect_async(cluster.url))
    target = target_on(cluster, cluster.servers[0], "moving")
    clear(store, target)
    granted = grant(store, target)
    move(cluster, slot_of(target), cluster.servers[0], cluster.servers[1])
    (seen,) = store.views([target])
    assert isinstance(seen, LeaseView)
    assert (seen.lease_id, seen.embargoed) == (granted.lease_id, True)
    assert isinstance(store.renew(target, granted.lease_id), Renewed)
    assert store.durable(target, 5_000)
    assert not store.durable(target, 5_000, incarnation=granted.incarnation), "nothing is said of the first server"
    assert not store.confirm(target, granted.lease_id, granted.incarnation, 2), "that was another server's"
    move(cluster, slot_of(target), cluster.servers[1], cluster.servers[2])

    async def follow() -> None:
        assert isinstance(await later.renew(target, granted.lease_id), Renewed)
        (view,) = await later.views([target])
        assert isinstance(view, LeaseView)
        assert view.seq == 3
        await later.close()

    asyncio.run(follow())
    assert store.durable(target, 5_000), "WAIT follows too"
    store.close()


def move(cluster: ValkeyCluster, slot: int, source: ValkeyServer, destination: ValkeyServer) -> None:
    with source.client() as old, destination.client() as new:
        to, of = (str(client.execute_command("CLUSTER", "MYID")) for client in (new, old))
        new.execute_command("CLUSTER", "SETSLOT", slot, "IMPORTING", of)
        old.execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", to)
        names = old.execute_command("CLUSTER", "GETKEYSINSLOT", slot, 100)
        if names:
            old.execute_command("MIGRATE", "127.0.0.1", destination.port, "", 0, 5_000, "KEYS", *names)
        for client in (new, old):
            client.execute_command("CLUSTER", "SETSLOT", slot, "NODE", to)


def test_a_failover_of_one_shard_embargoes_its_targets_and_no_others(own_cluster: ValkeyCluster) -> None:
    cluster = own_cluster
    shards = [cluster.owner(slot) for slot in (0, 8_192, 16_383)]
    struck, spared = (target_on(cluster, shards[at]) for at in (0, 1))
    with (
        World(cluster.url, replicas=1, target=struck, timing=TIMING) as lost,
        World(cluster.url, replicas=1, target=spared, timing=TIMING) as kept,
    ):
        holders = [world.claim() for world in (lost, kept)]
        wait_for("both leases", lambda: all(holder.lease_id for holder in holders))
        proxies = [world.serve(holder) for world, holder in zip((lost, kept), holders, strict=True)]
        wait_for("both gates", lambda: all(proxy.open for proxy in proxies))

        shards[0].pause()
        confirmations = holders[1].confirmations
        wait_for("the failover", lambda: cluster.owner(slot_of(struck)) is not shards[0])
        wait_for("the observer to see it", lambda: len(lost.observer.first_seen_ms) == 2)
        second = lost.claim()
        wait_for("the embargo", lambda: Refusal.EMBARGOED in second.refusals)
        wait_for("renewals beside it", lambda: holders[1].confirmations > confirmations + 2)
        assert proxies[1].open
        assert len(kept.observer.first_seen_ms) == 1
        assert holders[1].refusals == set() or holders[1].refusals == {Refusal.EMBARGOED}

        shards[0].resume()  # it joins again, as the replica without which nothing is confirmed
        wait_for("the second grant", lambda: second.lease_id is not None)
        lost.serve(second)
        wait_for("the second one to sign", lambda: any(epoch == 2 for _, epoch in lost.signed))
        assert lost.overlaps() == []
        assert kept.overlaps() == []
        assert proxies[1].open


def test_a_shard_that_is_away_costs_only_its_own_targets(own_cluster: ValkeyCluster) -> None:
    cluster = own_cluster
    store = LeaseStore(connect(cluster.url, timeout_s=0.3), replicas=1)
    shards = [cluster.owner(slot) for slot in (0, 8_192, 16_383)]
    targets = [target_on(cluster, server) for server in shards]
    leases = []
    for target in targets:
        clear(store, target)
        leases.append((target, grant(store, target).lease_id))
    for server in cluster.servers:
        with server.client() as client:
            client.config_set("cluster-replica-no-failover", "yes")
    shards[0].stop()
    gone, *there = store.views(targets)
    assert isinstance(gone, Unavailable)
    assert all(isinstance(view, LeaseView) for view in there)
    gone_reply, *there_replies = store.renew_many(leases, 5_000)
    assert isinstance(gone_reply, Unavailable)
    assert all(isinstance(reply, Renewed) for reply in there_replies)
    with pytest.raises(Unavailable):
        store.view(targets[0])

    async def same() -> list[LeaseView | InterlockError]:
        later = AsyncLeaseStore(connect_async(cluster.url, timeout_s=0.3))
        try:
            return await later.views(targets)
        finally:
            await later.close()

    gone, *there = asyncio.run(same())
    assert isinstance(gone, Unavailable)
    assert all(isinstance(view, LeaseView) for view in there)
    store.close()


def test_a_shard_that_comes_back_empty_grants_nothing_at_first(cluster: ValkeyCluster) -> None:
    store = LeaseStore(connect(cluster.url))
    server = cluster.servers[2]
    target = target_on(cluster, server, "empty")
    clear(store, target)
    grant(store, target)
    server.restart()
    wait_for("the shard", lambda: isinstance(seen(store, target), LeaseView))
    refused = store.acquire(target, epoch=2, acquire_id="b" * 32, ttl_ms=1, holder="h", run_id="r", node="n")
    assert refused == Refused(reason=Refusal.EMBARGOED, last_epoch=0)
    store.close()


def seen(store: LeaseStore, target: str) -> LeaseView | InterlockError:
    try:
        return store.view(target)
    except InterlockError as error:
        return error


class TestAtStart:
    def test_a_cluster_of_good_primaries_is_accepted(self, cluster: ValkeyCluster) -> None:
        store = LeaseStore(connect(cluster.url))
        store.check_server()
        store.close()

    def test_each_primary_is_looked_at(self, cluster: ValkeyCluster) -> None:
        store = LeaseStore(connect(cluster.url))
        for server in cluster.servers:
            with server.client() as client:
                client.config_set("maxmemory-policy", "allkeys-lru")
                with pytest.raises(ConfigurationError, match=f"{server.port} may evict keys"):
                    store.check_server()
                client.config_set("maxmemory-policy", "noeviction")
        store.close()

    def test_more_replicas_than_are_waited_for_are_refused(self, own_cluster: ValkeyCluster) -> None:
        store = LeaseStore(connect(own_cluster.url))
        with pytest.raises(ConfigurationError, match="has 1 replicas, but redis_replicas is 0"):
            store.check_server()
        store.close()

    def test_a_server_that_is_in_no_cluster_is_unavailable_as_one(self, valkey_url: str) -> None:
        with redis.Redis.from_url(valkey_url) as client:
            assert client.ping()
        store = LeaseStore(connect("redis+cluster://127.0.0.1:1"))
        with pytest.raises(Unavailable, match="who owns which slot"):
            store.check_server()
        store.close()
