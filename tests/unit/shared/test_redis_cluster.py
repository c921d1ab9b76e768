"""Which primary owns a slot, and whom to ask when the map is wrong."""

from __future__ import annotations

import asyncio

import pytest
from redis import exceptions as redis_errors

from shared.redis_address import parse_address
from shared.redis_cluster import AsyncCluster, Cluster, SlotMap

A, B, C = ("10.0.0.1", 1), ("10.0.0.2", 2), ("10.0.0.3", 3)
REPLY = [
    [0, 8000, [b"10.0.0.1", 1, b"id"], [b"10.0.0.3", 3, b"id"]],
    [8001, 16383, [b"10.0.0.2", 2, b"id"]],
]


@pytest.fixture
def known() -> SlotMap:
    slots = SlotMap([A])
    slots.read(REPLY, A)
    return slots


def test_a_map_that_was_never_read_is_stale_and_asks_the_addresses_of_the_url() -> None:
    slots = SlotMap([B, A])
    assert slots.stale
    assert slots.to_ask() == [B, A]
    with pytest.raises(redis_errors.ClusterDownError, match="owns slot 5"):
        slots.owner(5)


def test_each_slot_has_the_primary_that_the_cluster_told(known: SlotMap) -> None:
    assert (known.owner(0), known.owner(8000), known.owner(8001)) == (A, A, B)
    assert (known.primaries(), known.replicas, known.stale) == ([A, B], 1, False)


def test_a_server_without_a_name_is_where_it_was_asked() -> None:
    slots = SlotMap([A])
    slots.read([[0, 16383, [b"", 7, b"id"]]], A)
    assert slots.owner(1) == ("10.0.0.1", 7)


@pytest.mark.parametrize("reply", [[], [[0, 1]], ["x"]])
def test_an_answer_that_is_no_map_changes_nothing(known: SlotMap, reply: list[object]) -> None:
    with pytest.raises((ValueError, TypeError)):
        known.read(reply, A)
    assert known.owner(0) == A


def test_after_a_move_the_new_owner_is_asked_first(known: SlotMap) -> None:
    assert known.learn(A, redis_errors.MovedError("5 10.0.0.9:9"))
    assert known.stale
    assert known.to_ask()[0] == ("10.0.0.9", 9)


def test_a_silent_server_is_asked_last_until_it_answers(known: SlotMap) -> None:
    assert not known.learn(A, redis_errors.TimeoutError("silent"))
    assert known.stale
    assert known.to_ask() == [B, C, A]
    known.read(REPLY, A)
    assert known.to_ask() == [A, B, C]


@pytest.mark.parametrize(
    ("error", "again", "stale"),
    [
        (redis_errors.ConnectionError("closed"), True, True),
        (redis_errors.TimeoutError("silent"), False, True),
        (redis_errors.ClusterDownError("down"), False, True),
        (redis_errors.ResponseError("a command was wrong"), False, False),
    ],
)
def test_only_a_lost_connection_is_worth_another_try_at_once(
    known: SlotMap, error: Exception, again: bool, stale: bool
) -> None:
    assert (known.learn(A, error), known.stale) == (again, stale)


def test_when_nobody_answers_everybody_may_be_asked_again(known: SlotMap) -> None:
    for address in known.to_ask():
        known.learn(address, redis_errors.ConnectionError("refused"))
    assert "refused" in str(known.all_silent(redis_errors.ConnectionError("refused")))
    assert known.to_ask() == [A, B, C]


def test_a_cluster_that_is_not_there_is_a_connection_error_within_a_bound() -> None:
    address = parse_address("redis+cluster://127.0.0.1:1,127.0.0.1:2")
    cluster = Cluster(address, timeout_s=0.2)
    with pytest.raises(redis_errors.ConnectionError, match="who owns which slot"):
        cluster.owner("a")
    cluster.close()

    async def same() -> None:
        later = AsyncCluster(address, timeout_s=0.2)
        with pytest.raises(redis_errors.ConnectionError, match="who owns which slot"):
            await later.owner("a")
        await later.close()

    asyncio.run(same())


def test_keys_of_one_target_share_a_slot() -> None:
    cluster = Cluster(parse_address("redis+cluster://127.0.0.1:1"), timeout_s=0.2)
    assert cluster.slot("interlock:1:{web.eu}:state") == cluster.slot("interlock:1:{web.eu}:barrier")
    assert cluster.slot("interlock:1:{web.eu}:state") != cluster.slot("interlock:1:{web.us}:state")
