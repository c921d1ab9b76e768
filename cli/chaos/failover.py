"""Replaces the Redis primary the way its own operators would: asks a Sentinel, or a replica of the cluster."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from shared.errors import Unavailable

if TYPE_CHECKING:
    import redis

    from shared.redis_address import RedisAddress

TIMEOUT_S = 5.0


def fail_over(url: str, target: str) -> str:
    """Make a replica the primary of `target`'s keys; returns what was asked of whom.

    Raises Unavailable when nobody can be asked, or when nobody is there to be promoted.
    """
    import redis

    from shared.redis_address import Topology, parse_address

    address = parse_address(url)
    try:
        if address.topology is Topology.SENTINEL:
            return _by_sentinel(address)
        return _by_replica(address, target)
    except redis.RedisError as error:
        raise Unavailable(f"the failover could not be begun: {error}", hint="does the set have a replica?") from error


def servers_behind(url: str) -> list[tuple[str, int]]:
    """The servers themselves, as Sentinels or cluster know them. Raises Unavailable when none of them answers."""
    import redis

    from shared.redis_address import Topology, parse_address

    address = parse_address(url)
    problem: Exception | None = None
    for client in _known(address):
        try:
            if address.topology is Topology.SENTINEL:
                primary: Any = client.sentinel_master(address.master_name)
                replicas: Any = client.sentinel_slaves(address.master_name)
                return [(str(one["ip"]), int(one["port"])) for one in (primary, *replicas)]
            return [_host_port(name) for name in _cluster_nodes(client)]
        except redis.RedisError as error:
            problem = error
        finally:
            client.close()
    raise Unavailable(f"nobody says which Redis servers there are: {problem}", hint="check INTERLOCK_REDIS_URL")


def replica_of(nodes: dict[str, dict[str, Any]]) -> str | None:
    """`ip:port` of a replica of the node that was asked, from its CLUSTER NODES. Pure."""
    myself = next((node for node in nodes.values() if "myself" in str(node["flags"])), None)
    if myself is None:
        return None
    return next((name for name, node in nodes.items() if node["master_id"] == myself["node_id"]), None)


def _by_sentinel(address: RedisAddress) -> str:
    import redis

    problem: redis.RedisError | None = None
    for client, (host, port) in zip(_known(address), address.hosts, strict=True):
        try:
            _command(client, "SENTINEL FAILOVER", address.master_name)
            return f"SENTINEL FAILOVER {address.master_name} to {host}:{port}"
        except redis.RedisError as error:
            problem = error
        finally:
            client.close()
    raise problem or redis.RedisError("no Sentinel is named")


def _by_replica(address: RedisAddress, target: str) -> str:
    import redis

    from shared.lease.keys import target_keys
    from shared.redis_client import bounds, connect

    servers = connect(address.url)
    try:
        name = replica_of(_cluster_nodes(servers.owner(target_keys(target).state)))
    finally:
        servers.close()
    if name is None:
        raise redis.RedisError(f"the primary of {target} has no replica")
    host, port = _host_port(name)
    with redis.Redis(host=host, port=port, **bounds(TIMEOUT_S), **address.options) as replica:
        _command(replica, "CLUSTER FAILOVER")
    return f"CLUSTER FAILOVER to {host}:{port}"


def _known(address: RedisAddress) -> Iterable[redis.Redis]:
    """A client of each Sentinel or node that the URL names."""
    import redis

    from shared.redis_address import Topology
    from shared.redis_client import bounds

    options = address.sentinel_options if address.topology is Topology.SENTINEL else address.options
    for host, port in address.hosts:
        yield redis.Redis(host=host, port=port, decode_responses=True, **bounds(TIMEOUT_S), **options)


def _command(client: redis.Redis, *words: str) -> Any:
    return client.execute_command(*words)  # type: ignore[no-untyped-call]  # redis-py publishes no type


def _cluster_nodes(client: redis.Redis) -> dict[str, dict[str, Any]]:
    """CLUSTER NODES by `ip:port`."""
    found: dict[str, dict[str, Any]] = _command(client, "CLUSTER NODES")
    return found


def _host_port(name: str) -> tuple[str, int]:
    host, _, port = str(name).partition("@")[0].rpartition(":")
    return host, int(port)
