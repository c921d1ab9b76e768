"""The lease store on real Valkey servers: the same promises as in memory, and what only a real server can show."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterator

import pytest
import redis
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from shared.errors import ConfigurationError, Unavailable
from shared.lease.commands import Granted, Refusal, Refused
from shared.lease.machine import State
from shared.lease.store import AsyncLeaseStore, LeaseStore, connect, connect_async
from tests.lease_contract import LeaseContract, acquire, clear, grant
from tests.lease_world import LeaseWorld
from tests.servers import ValkeyServer, wait_for

Factory = Callable[..., ValkeyServer]
DEBUG = ("--enable-debug-command", "yes")


class RealBackend:
    """A running server; a new replid stands for another incarnation, so that a test needs no new process."""

    def __init__(self, server: ValkeyServer) -> None:
        self.server = server
        self.client = server.client()

    def store(self) -> LeaseStore:
        return LeaseStore(self.client)

    def restart(self, *, empty: bool) -> None:
        if empty:
            self.client.flushall()
        self.fail_over()

    def fail_over(self) -> None:
        self.client.execute_command("DEBUG", "CHANGE-REPL-ID")


@pytest.fixture(scope="module", params=[None, pytest.param("redis-server", marks=pytest.mark.debian)])
def backends(request: pytest.FixtureRequest) -> Iterator[tuple[RealBackend, RealBackend]]:
    """Two servers: the wheel's Valkey, and Debian's Redis."""
    servers = [ValkeyServer(*DEBUG, program=request.param), ValkeyServer(*DEBUG, program=request.param)]
    pair = (RealBackend(servers[0]), RealBackend(servers[1]))
    try:
        yield pair
    finally:
        for backend, server in zip(pair, servers, strict=True):
            backend.client.close()
            server.close()


class TestRealStore(LeaseContract):
    @pytest.fixture
    def backend(self, backends: tuple[RealBackend, RealBackend]) -> RealBackend:
        backends[0].restart(empty=True)
        return backends[0]


def test_the_protocol_holds_under_random_interleavings(backends: tuple[RealBackend, RealBackend]) -> None:
    class RealWorld(LeaseWorld):
        @staticmethod
        def make_backends() -> tuple[RealBackend, RealBackend]:
            for backend in backends:
                backend.restart(empty=True)
            return backends

    run_state_machine_as_test(
        RealWorld,
        settings=settings(
            max_examples=25, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


def test_a_real_restart_is_a_new_incarnation_with_nothing_granted(redis_server_factory: Factory) -> None:
    server = redis_server_factory()
    store = LeaseStore(connect(server.url))
    clear(store)
    first = grant(store)
    server.restart()
    seen = store.view("web.eu")
    assert seen.incarnation != first.incarnation
    assert (seen.state, seen.embargoed) == (None, True)
    assert acquire(store, 2) == Refused(reason=Refusal.EMBARGOED, last_epoch=0)
    store.close()


def test_a_lease_that_came_back_from_the_disk_is_embargoed_too(redis_server_factory: Factory) -> None:
    server = redis_server_factory("--appendonly", "yes", "--appendfsync", "always")
    store = LeaseStore(connect(server.url))
    clear(store)
    granted = grant(store)
    assert store.durable("web.eu", 30_000), "with an append-only file it waits for the disk"
    server.restart()
    seen = store.view("web.eu")
    assert (seen.state, seen.lease_id, seen.cleared) == (State.HELD, granted.lease_id, False)
    assert not store.confirm("web.eu", granted.lease_id, granted.incarnation, 1)
    store.close()


def replica_of(primary: ValkeyServer, factory: Factory) -> ValkeyServer:
    replica = factory("--replicaof", f"127.0.0.1 {primary.port}", "--repl-diskless-sync-delay", "0")
    with primary.client() as client:
        wait_for("the replica to be online", lambda: "online" in str(client.info("replication").get("slave0")))
    return replica


def test_a_primary_without_replicas_is_durable_at_once_and_with_one_only_with_it(
    redis_server_factory: Factory,
) -> None:
    primary = redis_server_factory("--repl-diskless-sync-delay", "0", tcp=True)
    alone, careful = LeaseStore(connect(primary.url)), LeaseStore(connect(primary.url), replicas=1)
    clear(alone)
    grant(alone)
    assert alone.durable("web.eu", 1)
    assert not careful.durable("web.eu", 1), "a deposed primary has no replicas either"
    replica = replica_of(primary, redis_server_factory)
    assert careful.durable("web.eu", 30_000)
    with replica.client() as client:
        assert client.hget("interlock:1:{web.eu}:state", "state") == "held"
    replica.stop()
    assert not careful.durable("web.eu", 1)
    alone.close()
    careful.close()


def test_a_replica_that_is_stopped_confirms_nothing_however_long_the_wait(redis_server_factory: Factory) -> None:
    """A wait that outlasts the connection's time-out is sent again; the second one must not say yes by itself."""
    primary = redis_server_factory("--repl-diskless-sync-delay", "0", tcp=True)
    store, hasty = (LeaseStore(connect(primary.url, timeout_s=limit_s), replicas=1) for limit_s in (2.0, 0.3))
    clear(store)
    grant(store)
    replica = replica_of(primary, redis_server_factory)
    assert store.durable("web.eu", 30_000)
    os.kill(replica.pid, signal.SIGSTOP)
    assert not store.durable("web.eu", 5_000)
    with pytest.raises(Unavailable):
        hasty.durable("web.eu", 5_000)
    with primary.client() as client:
        assert "online" in str(client.info("replication").get("slave0")), "the primary has not noticed yet"
    os.kill(replica.pid, signal.SIGCONT)
    assert store.durable("web.eu", 30_000)
    store.close()
    hasty.close()


def test_a_failover_is_a_new_incarnation_and_the_deposed_primary_cannot_confirm(
    redis_server_factory: Factory,
) -> None:
    primary = redis_server_factory("--repl-diskless-sync-delay", "0", tcp=True)
    store = LeaseStore(connect(primary.url), replicas=1)
    clear(store)
    granted = grant(store)
    replica = replica_of(primary, redis_server_factory)
    assert store.durable("web.eu", 30_000)
    with replica.client() as client:
        client.replicaof("NO", "ONE")
    promoted = LeaseStore(connect(replica.url), replicas=1)
    seen = promoted.view("web.eu")
    assert (seen.state, seen.cleared) == (State.HELD, False)
    assert seen.incarnation != granted.incarnation
    assert not promoted.confirm("web.eu", granted.lease_id, granted.incarnation, 1)
    assert not store.durable("web.eu", 1), "the deposed primary still answers, but no replica follows it"
    store.close()
    promoted.close()


def test_a_stopped_server_is_unavailable_within_a_bound(redis_server_factory: Factory) -> None:
    server = redis_server_factory()
    store = LeaseStore(connect(server.url, timeout_s=0.2))
    store.view("web.eu")
    server.stop()
    with pytest.raises(Unavailable, match="did not answer"):
        store.view("web.eu")
    server.start()
    assert store.view("web.eu").embargoed, "and it comes back by itself"
    store.close()


def test_both_stores_see_the_same(valkey_url: str) -> None:
    target = "async.eu"

    async def work() -> Granted:
        store = AsyncLeaseStore(connect_async(valkey_url))
        view = await store.view(target)
        await store.clear(target, view.incarnation, 0)
        granted = await store.acquire(
            target, epoch=1, acquire_id="a" * 32, ttl_ms=600_000, holder="h", run_id="r", node="n"
        )
        assert isinstance(granted, Granted)
        await store.attach(target, granted.lease_id, "p", "b" * 32)
        assert [view.seq for view in await store.views([target])] == [1]
        await store.close()
        return granted

    granted = asyncio.run(work())
    store = LeaseStore(connect(valkey_url))
    assert store.view(target).lease_id == granted.lease_id
    store.close()


class TestCheckServer:
    def test_a_plain_primary_is_accepted(self, redis_server_factory: Factory) -> None:
        store = LeaseStore(connect(redis_server_factory().url))
        store.check_server()
        store.close()

    def refused(self, store: LeaseStore) -> str:
        with pytest.raises(ConfigurationError) as caught:
            store.check_server()
        store.close()
        assert caught.value.hint
        return str(caught.value)

    def test_a_server_that_evicts_is_refused(self, redis_server_factory: Factory) -> None:
        server = redis_server_factory("--maxmemory-policy", "allkeys-lru")
        assert "may evict keys (maxmemory-policy allkeys-lru)" in self.refused(LeaseStore(connect(server.url)))

    def test_a_replica_is_refused_and_answers_no_look(self, redis_server_factory: Factory) -> None:
        primary = redis_server_factory("--repl-diskless-sync-delay", "0", tcp=True)
        replica = replica_of(primary, redis_server_factory)
        store = LeaseStore(connect(replica.url))
        with pytest.raises(Unavailable, match="is a replica"):
            store.view("web.eu")
        assert "is a replica" in self.refused(store)
        assert "has 1 replicas, but redis_replicas is 0" in self.refused(LeaseStore(connect(primary.url)))
        store = LeaseStore(connect(primary.url), replicas=1)
        store.check_server()
        store.close()

    def test_a_server_without_the_needed_commands_is_refused(self, redis_server_factory: Factory) -> None:
        server = redis_server_factory("--rename-command", "WAIT", "")
        assert "lacks WAIT" in self.refused(LeaseStore(connect(server.url)))

    def test_no_server_is_unavailable(self, redis_server_factory: Factory) -> None:
        server = redis_server_factory()
        server.stop()
        store = LeaseStore(connect(server.url))
        with pytest.raises(Unavailable):
            store.check_server()


def test_scripts_survive_a_flush_of_the_script_cache(valkey_url: str) -> None:
    store = LeaseStore(redis.Redis.from_url(valkey_url))
    store.view("flush.eu")
    store.client.script_flush()
    assert store.view("flush.eu").embargoed
    store.client.script_flush()
    assert len(store.views(["flush.eu", "flush.us"])) == 2
    store.close()
