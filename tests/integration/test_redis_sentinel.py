"""Leases behind Sentinels: what a failover gives up, and what a primary that was deposed can never do."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from scheduler.celery_app import CeleryPublisher, create_app
from shared.celery_config import queue_name
from shared.errors import ConfigurationError, Unavailable
from shared.lease import keys
from shared.lease.commands import Granted, Refusal, Renewed
from shared.lease.store import AsyncLeaseStore, LeaseStore, connect, connect_async
from shared.lease.timing import LeaseTiming
from shared.settings import load_settings
from signing_proxy.push import listen
from tests.redis_world import World
from tests.servers import SentinelSet, role, wait_for

# A failover takes some three seconds here, well within the TTL: it is survived.
TIMING = LeaseTiming(ttl_ms=12_000, renew_ms=500, poll_ms=100, delta_ms=500, grace_ms=300, unknown_ms=500)


@pytest.fixture(params=[None])
def sentinels(request: pytest.FixtureRequest) -> Iterator[SentinelSet]:
    """One primary, one replica, three Sentinels: of the wheel's Valkey, and of Debian's Redis."""
    made = SentinelSet(program=request.param)
    try:
        yield made
    finally:
        made.close()


@pytest.mark.parametrize("sentinels", [None, pytest.param("redis-server", marks=pytest.mark.debian)], indirect=True)
def test_a_failover_embargoes_the_new_incarnation_and_the_lease_lives_on_in_it(sentinels: SentinelSet) -> None:
    with World(sentinels.url, replicas=1, timing=TIMING) as world:
        first = world.claim()
        wait_for("the lease", lambda: first.lease_id is not None)
        proxy = world.serve(first)
        wait_for("the gate", lambda: proxy.open)
        (before,) = first.incarnations

        old = sentinels.primary()
        old.stop()
        new = sentinels.wait_failed_over(old)
        second = world.claim()
        # With a replica again a primary can confirm again. The Sentinels would need ten seconds to make it one.
        old.options = (*old.options, "--replicaof", f"127.0.0.1 {new.port}")
        old.start()

        wait_for("a renewal in the new incarnation", lambda: len(first.incarnations) == 2)
        (after,) = first.incarnations - {before}
        wait_for("the observer to see it as well", lambda: after in world.observer.first_seen_ms)
        promoted_ms = world.observer.first_seen_ms[after]
        wait_for("the gate to be open by it", lambda: proxy.open and proxy.gate.deadline_ms == proxy.opened[-1])
        assert second.lease_id is None
        first.close()  # the host is gone: nobody renews, nobody releases
        wait_for("the second grant", lambda: second.lease_id is not None)
        assert Refusal.EMBARGOED in second.refusals
        cleared_ms = world.observer.cleared_ms[after]
        assert cleared_ms - promoted_ms >= TIMING.embargo_ms
        assert second.granted_ms is not None
        assert second.granted_ms >= cleared_ms
        world.serve(second)
        wait_for("the second one to sign", lambda: any(epoch == 2 for _, epoch in world.signed))
        assert world.overlaps() == []


def test_a_deposed_primary_that_goes_on_confirms_nothing_and_its_gates_shut(sentinels: SentinelSet) -> None:
    old = sentinels.primary()
    direct = f"redis://127.0.0.1:{old.port}/0"
    with World(sentinels.url, replicas=1, timing=TIMING) as world:
        first = world.claim(url=direct)  # this worker host sees nothing but the old primary
        wait_for("the lease", lambda: first.lease_id is not None)
        proxy = world.serve(first, url=direct)
        wait_for("the gate", lambda: proxy.open)
        free = world.store(direct)
        free.clear("web.free", free.view("web.free").incarnation, 0)

        old.pause()
        sentinels.wait_failed_over(old)
        wait_for("the observer to see the new one", lambda: len(world.observer.first_seen_ms) == 2)
        for server in sentinels.sentinels:
            server.stop()  # nobody tells it that it was deposed
        renewed, confirmed = first.renewals, first.confirmations
        (new,) = [server for server in sentinels.servers if server is not old]
        old.resume()

        wait_for("the deposed primary to take renewals", lambda: first.renewals > renewed)
        granted = free.acquire(
            "web.free", epoch=1, acquire_id="a" * 32, ttl_ms=60_000, holder="h", run_id="r", node="n"
        )
        assert isinstance(granted, Granted), "it grants, too"
        assert not free.durable("web.free", 300), "but no grant of it ever counts"
        free.close()
        wait_for("the gate to shut", lambda: not proxy.open)
        assert proxy.gate.reason
        # What was under way when it was stopped may have been on the replica; after that nothing is confirmed.
        assert first.confirmations <= confirmed + 1
        wait_for("the holder's own deadline", lambda: first.over)

        second = world.claim(url=f"redis://127.0.0.1:{new.port}/0")
        wait_for(
            "the embargo to be noticed", lambda: Refusal.EMBARGOED in second.refusals or second.lease_id is not None
        )
        assert world.last_signed_ms(1) < max(proxy.opened)
        with old.client() as client:
            assert role(client) == "master", "it was deposed all the time, and did not know it"
            client.replicaof("127.0.0.1", str(new.port))
        wait_for("the second grant", lambda: second.lease_id is not None)
        world.serve(second, url=f"redis://127.0.0.1:{new.port}/0")
        wait_for("the second one to sign", lambda: any(epoch == 2 for _, epoch in world.signed))
        assert world.overlaps() == []


@pytest.mark.parametrize("sentinels", [None, pytest.param("redis-server", marks=pytest.mark.debian)], indirect=True)
def test_a_renewal_is_confirmed_only_when_the_replica_has_it(sentinels: SentinelSet) -> None:
    store = LeaseStore(connect(sentinels.url), replicas=1)
    store.clear("web.eu", store.view("web.eu").incarnation, 0)
    granted = store.acquire("web.eu", epoch=1, acquire_id="a" * 32, ttl_ms=60_000, holder="h", run_id="r", node="n")
    assert isinstance(granted, Granted)
    (replica,) = sentinels.replicas()
    replica.pause()
    assert isinstance(store.renew("web.eu", granted.lease_id), Renewed)
    assert not store.durable("web.eu", 300)
    replica.resume()
    assert store.durable("web.eu", 30_000)
    with replica.client() as client:
        assert client.hget(keys.target_keys("web.eu").state, "seq") == "2"
    store.close()


def test_the_asynchronous_store_and_the_push_follow_a_failover(sentinels: SentinelSet) -> None:
    async def follow() -> None:
        store, seen = AsyncLeaseStore(connect_async(sentinels.url, timeout_s=1.0)), list[bytes]()
        before = (await store.view("web.eu")).incarnation
        task = asyncio.get_running_loop().create_task(listen(store.servers.any, seen.append))
        old = sentinels.primary()
        await asyncio.to_thread(old.stop)
        await asyncio.to_thread(sentinels.wait_failed_over, old)
        async with asyncio.timeout(60):
            while await incarnation(store) in (None, before):
                await asyncio.sleep(0.05)
            while b"after" not in seen:
                await (await store.servers.any()).publish(keys.EVENTS_CHANNEL, "after")
                await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.wait([task])
        await store.close()

    async def incarnation(store: AsyncLeaseStore) -> str | None:
        try:
            return (await store.view("web.eu")).incarnation
        except Unavailable:
            return None

    asyncio.run(follow())


def test_without_a_primary_everything_is_unavailable_within_a_bound(sentinels: SentinelSet) -> None:
    store = LeaseStore(connect(sentinels.url, timeout_s=0.2), replicas=1)
    store.view("web.eu")
    for server in sentinels.sentinels:
        server.stop()
    store.close()
    blind = LeaseStore(connect(sentinels.url, timeout_s=0.2), replicas=1)
    with pytest.raises(Unavailable, match="No master found"):
        blind.view("web.eu")
    blind.close()


def test_fewer_replicas_than_could_be_promoted_are_refused_even_while_they_are_away(sentinels: SentinelSet) -> None:
    (replica,) = sentinels.replicas()
    careless = LeaseStore(connect(sentinels.url))
    with pytest.raises(ConfigurationError, match="1 replicas, but redis_replicas is 0"):
        careless.check_server()
    replica.stop()
    with sentinels.primary().client() as client:
        wait_for("the replica to be missed", lambda: client.info("replication")["connected_slaves"] == 0)
    with pytest.raises(ConfigurationError, match="its primary has 1 replicas, but redis_replicas is 0") as caught:
        careless.check_server()
    assert "INTERLOCK_REDIS_REPLICAS=1" in caught.value.hint
    careless.close()
    careful = LeaseStore(connect(sentinels.url), replicas=1)
    careful.check_server()
    careful.close()


def test_hints_go_to_the_primary_that_the_sentinels_name(sentinels: SentinelSet, tmp_path: Path) -> None:
    publisher = CeleryPublisher(create_app(load_settings(home=tmp_path, redis_url=sentinels.url, redis_replicas=1)))
    publisher.publish(run_id="run-1", region="north")
    with sentinels.primary().client() as client:
        assert client.llen(queue_name("north")) == 1
