"""A failover asked of real Sentinels and of a real cluster."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from redis.crc import key_slot

from cli.chaos.failover import fail_over, replica_of, servers_behind
from shared.errors import Unavailable
from shared.lease.keys import target_keys
from tests.servers import SentinelSet, ValkeyCluster, wait_for

NODES = {
    "10.0.0.1:6379": {"node_id": "a", "flags": "myself,master", "master_id": "-"},
    "10.0.0.2:6379": {"node_id": "b", "flags": "master", "master_id": "-"},
    "10.0.0.3:6379": {"node_id": "c", "flags": "slave", "master_id": "b"},
    "10.0.0.4:6379": {"node_id": "d", "flags": "slave", "master_id": "a"},
}


@pytest.fixture(scope="module")
def sentinels() -> Iterator[SentinelSet]:
    made = SentinelSet(replicas=1)
    try:
        yield made
    finally:
        made.close()


def test_the_servers_behind_sentinels_are_primary_and_replicas(sentinels: SentinelSet) -> None:
    found = servers_behind(sentinels.url)
    assert set(found) == {("127.0.0.1", server.port) for server in sentinels.servers}


def test_sentinels_promote_the_replica(sentinels: SentinelSet) -> None:
    before = sentinels.primary()
    assert fail_over(sentinels.url, "shop.eu").startswith(f"SENTINEL FAILOVER {SentinelSet.NAME} to ")
    assert sentinels.wait_failed_over(before) is not before


def test_in_a_cluster_the_replica_of_the_targets_primary_is_promoted() -> None:
    cluster = ValkeyCluster(primaries=3, replicas=1)
    try:
        slot = key_slot(target_keys("shop.eu").state.encode())
        before = cluster.owner(slot)
        assert set(servers_behind(cluster.url)) == {("127.0.0.1", server.port) for server in cluster.servers}
        assert fail_over(cluster.url, "shop.eu").startswith("CLUSTER FAILOVER to 127.0.0.1:")
        wait_for("another primary", lambda: cluster.owner(slot) is not before)
    finally:
        cluster.close()


def test_nobody_to_ask_is_unavailable() -> None:
    url = "redis+sentinel://127.0.0.1:9/leases/0"
    with pytest.raises(Unavailable):
        servers_behind(url)
    with pytest.raises(Unavailable, match="could not be begun"):
        fail_over(url, "shop.eu")


def test_of_a_cluster_the_replica_of_the_node_that_was_asked_is_promoted() -> None:
    assert replica_of(NODES) == "10.0.0.4:6379"
    assert replica_of({name: node for name, node in NODES.items() if node["node_id"] != "d"}) is None
    assert replica_of({}) is None
