"""The store, on a Redis in memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import redis

from shared.errors import ConfigurationError, PeerError, Unavailable
from shared.lease import keys
from shared.lease.commands import Command, Granted, Refused, Renewed
from shared.lease.machine import State
from shared.lease.store import AGREED_MS, LeaseStore, connect
from shared.lease.timing import LeaseTiming
from shared.testing import FakeServer
from tests.lease_contract import LeaseContract, hold_many

TIMING = LeaseTiming()


class TestFakeStore(LeaseContract):
    @pytest.fixture
    def backend(self) -> FakeServer:
        return FakeServer()


async def test_the_asynchronous_store_does_the_same() -> None:
    server = FakeServer()
    store = server.async_store()
    seen = await store.view("web.eu")
    await store.clear("web.eu", seen.incarnation, 0)
    granted = await store.acquire(
        "web.eu", epoch=1, acquire_id="a" * 32, ttl_ms=60_000, holder="h", run_id="r", node="n"
    )
    assert isinstance(granted, Granted)
    lease_id = granted.lease_id
    await store.renew("web.eu", lease_id)
    assert await store.confirm("web.eu", lease_id, granted.incarnation, 2)
    await store.attach("web.eu", lease_id, "p", "b" * 32)
    assert await store.revoke("web.eu", lease_id, "x") is State.REVOKING
    assert await store.release("web.eu", lease_id) is State.REVOKING
    assert await store.acknowledge("web.eu", lease_id, "p", "b" * 32, 1) is State.REVOKING
    assert await store.expire("web.eu", granted.incarnation, lease_id, 2, waited_unknown=True) is State.EXPIRED
    assert [view.state for view in await store.views(["web.eu", "web.us"])] == [State.EXPIRED, None]
    assert server.store().view("web.eu") == await store.view("web.eu")
    await store.close()


def test_a_server_that_is_not_there_is_unavailable(tmp_path: object) -> None:
    store = LeaseStore(connect(f"unix://{tmp_path}/none"))
    with pytest.raises(Unavailable, match="did not answer") as caught:
        store.view("web.eu")
    assert "INTERLOCK_REDIS_URL" in caught.value.hint


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (redis.exceptions.ReadOnlyError("x"), Unavailable, "is a replica"),
        (redis.exceptions.OutOfMemoryError("x"), Unavailable, "no memory"),
        (redis.exceptions.TimeoutError("x"), Unavailable, "did not answer"),
        (redis.exceptions.BusyLoadingError("x"), Unavailable, "did not answer"),
        (redis.exceptions.ResponseError("x"), PeerError, "refused a command"),
    ],
)
def test_errors_of_redis_become_ours(
    error: Exception, kind: type[Exception], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FakeServer().store()

    def fail(*args: object, **options: object) -> None:
        raise error

    monkeypatch.setattr(store.client, "set", fail)
    with pytest.raises(kind, match=message):
        store.beat("n1", {}, 1)


def test_a_node_that_says_no_json_is_a_peers_fault() -> None:
    server = FakeServer()
    server.client.set("interlock:1:node:n1", "oops")
    with pytest.raises(PeerError, match="n1 does not hold JSON"):
        server.store().nodes()


def test_of_many_renewals_none_counts_that_the_replicas_did_not_take() -> None:
    server = FakeServer()
    store = server.store()
    held = hold_many(store, 2)
    store.revoke(*held[1], "x")
    server.durable = False
    late, refused = store.renew_many(held, 1_000)
    assert isinstance(late, Unavailable)
    assert isinstance(refused, Refused)
    assert store.view(held[0][0]).confirmed_seq == 0


def test_a_server_that_is_away_is_an_error_for_each_of_many(tmp_path: object) -> None:
    store = LeaseStore(connect(f"unix://{tmp_path}/nothing"))
    assert [type(reply) for reply in store.renew_many([("web.eu", "1-a"), ("web.us", "1-a")], 1_000)] == [
        Unavailable
    ] * 2


def test_in_a_cluster_one_call_holds_leases_of_one_slot_only(monkeypatch: pytest.MonkeyPatch) -> None:
    store = FakeServer().store()
    held = hold_many(store, 4)
    slots = {keys.target_keys(target).state: number % 2 for number, (target, _) in enumerate(held)}
    monkeypatch.setattr(store.servers, "slot", slots.__getitem__)
    calls: list[list[tuple[str, ...]]] = []
    send = store._sender.run_all

    def run_all(batch: Sequence[Command[Any]]) -> list[Any]:
        calls.append([command.call.keys[1::2] for command in batch])
        return send(batch)

    monkeypatch.setattr(store._sender, "run_all", run_all)
    revoked = store.revoke(*held[2], "x")
    replies = store.renew_many(held, 1_000)
    assert revoked is State.SEVERED
    assert [type(reply) for reply in replies] == [Renewed, Renewed, Refused, Renewed], "each at its lease's place"
    states = list(slots)
    assert calls[0] == [(states[0], states[2]), (states[1], states[3])]


def test_who_speaks_first_about_the_durations_is_right_and_of_two_at_once_one_is_refused() -> None:
    server = FakeServer()
    first, second = server.store(), server.store()
    first.check_timing(TIMING, "host-a")
    first.agree(TIMING)
    other = TIMING.model_copy(update={"ttl_ms": 12_000})
    with pytest.raises(ConfigurationError, match="ttl_ms is 12000 here and 10000 there"):
        second.check_timing(other, "host-a")  # such as server and beat on one host: neither is among the nodes
    server.client.delete(keys.TIMING_KEY)
    second.agree(other)
    with pytest.raises(ConfigurationError, match="ttl_ms is 10000 here and 12000 there"):
        first.agree(TIMING)


def test_what_was_agreed_on_lapses_by_itself_unless_somebody_repeats_it() -> None:
    server = FakeServer()
    store = server.store()
    store.agree(TIMING)
    server.client.pexpire(keys.TIMING_KEY, 5)
    store.agree(TIMING)
    assert 5 < server.client.pttl(keys.TIMING_KEY) <= AGREED_MS
