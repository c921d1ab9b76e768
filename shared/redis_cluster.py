"""A Redis or Valkey Cluster: which primary owns a key's slot, and a plain client for each.

redis-py's own cluster client is not used: it asks every node when it is made, answers the loss of one node by reading
the whole map again while others wait, and hides on which connection a command went, which WAIT depends on. Here a
server that does not answer costs only those who need it, and the map is read again when it was found wrong.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable
from typing import Any, Final

import redis
import redis.asyncio
from redis import exceptions as redis_errors
from redis.backoff import NoBackoff
from redis.crc import key_slot
from redis.retry import Retry

from shared.redis_address import Address, RedisAddress
from shared.redis_client import AsyncServers, Servers, bounds

SLOTS: Final = 16_384
MAX_NODES: Final = 1_000

_MAP_IS_WRONG: Final = (redis_errors.ConnectionError, redis_errors.TimeoutError, redis_errors.ClusterDownError)


class SlotMap:
    """Who owns which slot, as last told, and whom to ask next. Pure."""

    def __init__(self, seeds: Iterable[Address]) -> None:
        """Know nothing but the addresses in the URL."""
        self._seeds = tuple(seeds)
        self._ranges: list[tuple[int, int, Address]] = []
        self._others: set[Address] = set()
        self._silent: set[Address] = set()
        self._pointed_to: Address | None = None
        self.replicas = 0
        """Most replicas that a primary has."""
        self.stale = True
        """Whether it is to be read again before it is used."""

    def owner(self, slot: int) -> Address:
        """Return the primary of `slot`. Raises ClusterDownError when nobody owns it."""
        for first, last, address in self._ranges:
            if first <= slot <= last:
                return address
        self.stale = True
        raise redis_errors.ClusterDownError(f"no server of the cluster owns slot {slot}")

    def primaries(self) -> list[Address]:
        """Return every owner of a slot."""
        return sorted({address for _, _, address in self._ranges})

    def to_ask(self) -> list[Address]:
        """Return whom to ask for the map: whom another server pointed to, then those that answered last time."""
        known = dict.fromkeys([*self.primaries(), *sorted(self._others), *self._seeds])
        rest = sorted(known, key=lambda address: address in self._silent)
        return rest if self._pointed_to is None else list(dict.fromkeys([self._pointed_to, *rest]))

    def read(self, reply: Any, asked: Address) -> None:
        """Take the answer of `asked` to CLUSTER SLOTS. Raises ValueError for another format."""
        ranges, others, replicas = [], set(), 0
        for first, last, *servers in reply:
            primary, *rest = (_address(server, asked) for server in servers)
            ranges.append((int(first), int(last), primary))
            others |= set(rest)
            replicas = max(replicas, len(rest))
        if not ranges or len(ranges) > SLOTS or len(others) > MAX_NODES:
            raise ValueError(f"a map of {len(ranges)} ranges")
        self._ranges, self._others, self.replicas = ranges, others, replicas
        self._silent.discard(asked)
        self._pointed_to = None
        self.stale = False

    def learn(self, address: Address, error: Exception) -> bool:
        """Take note of an error of the server at `address`; true when the slot's owner is to be asked (again)."""
        if isinstance(error, redis_errors.MovedError):
            # Where one slot has moved others have; and the new owner knows more than a node that still has the old map.
            self._pointed_to = (error.host or address[0], int(error.port))
            self.stale = True
            return True
        if isinstance(error, _MAP_IS_WRONG):
            self._silent.add(address)
            self.stale = True
        # A connection that was lost may be an old one of the pool; silence has cost enough already.
        return isinstance(error, redis_errors.ConnectionError)

    def all_silent(self, problem: Exception | None) -> redis_errors.ConnectionError:
        """Forget who was silent; the error to raise when nobody told the map."""
        self._silent.clear()
        return redis_errors.ConnectionError(f"no server of the cluster told who owns which slot: {problem}")


class Cluster(Servers):
    """The primaries of a cluster."""

    def __init__(self, address: RedisAddress, *, timeout_s: float) -> None:
        """Connect when first used."""
        self._options = address.options | bounds(timeout_s)
        self._map = SlotMap(address.hosts)
        self._clients: dict[Address, redis.Redis] = {}
        self._lock = threading.RLock()

    def owner(self, key: str) -> redis.Redis:
        """Return the client of the primary that owns the slot of `key`."""
        with self._lock:
            self._read_map()
            return self._client(self._map.owner(key_slot(key.encode())))

    def primaries(self) -> list[redis.Redis]:
        """Return a client for each primary."""
        with self._lock:
            self._read_map()
            return [self._client(address) for address in self._map.primaries()]

    def slot(self, key: str) -> int:
        """Return the hash slot of `key`."""
        return key_slot(key.encode())

    def known_replicas(self) -> int:
        """Return the most replicas of a primary that the cluster knows."""
        with self._lock:
            self._read_map()
            return self._map.replicas

    def learn(self, server: redis.Redis, error: Exception) -> bool:
        """Take note of a moved slot, or of a server that does not answer."""
        with self._lock:
            return self._map.learn(_address_of(server), error)

    def close(self) -> None:
        """Close all clients."""
        with self._lock:
            for client in self._clients.values():
                client.close()
            self._clients.clear()

    def _read_map(self) -> None:
        if not self._map.stale:
            return
        problem: Exception | None = None
        for address in self._map.to_ask():
            try:
                reply = self._client(address).execute_command("CLUSTER", "SLOTS")  # type: ignore[no-untyped-call]  # redis-py's
                self._map.read(reply, address)
                return
            except (redis_errors.RedisError, ValueError) as error:
                self._map.learn(address, error)
                problem = error
        raise self._map.all_silent(problem)

    def _client(self, address: Address) -> redis.Redis:
        client = self._clients.get(address)
        if client is None:
            host, port = address
            client = redis.Redis(host=host, port=port, retry=Retry(NoBackoff(), 0), **self._options)
            self._clients[address] = client
        return client


class AsyncCluster(AsyncServers):
    """The primaries of a cluster, for asyncio."""

    def __init__(self, address: RedisAddress, *, timeout_s: float) -> None:
        """Connect when first used."""
        self._options = address.options | bounds(timeout_s)
        self._map = SlotMap(address.hosts)
        self._clients: dict[Address, redis.asyncio.Redis] = {}
        self._lock = asyncio.Lock()

    async def owner(self, key: str) -> redis.asyncio.Redis:
        """See `Cluster.owner`."""
        await self._read_map()
        return self._client(self._map.owner(key_slot(key.encode())))

    async def primaries(self) -> list[redis.asyncio.Redis]:
        """See `Cluster.primaries`."""
        await self._read_map()
        return [self._client(address) for address in self._map.primaries()]

    def learn(self, server: redis.asyncio.Redis, error: Exception) -> bool:
        """See `Cluster.learn`."""
        return self._map.learn(_address_of(server), error)

    async def close(self) -> None:
        """Close all clients."""
        for client in self._clients.values():
            await client.aclose()
        self._clients.clear()

    async def _read_map(self) -> None:
        async with self._lock:
            if not self._map.stale:
                return
            problem: Exception | None = None
            for address in self._map.to_ask():
                try:
                    asked: Any = self._client(address).execute_command("CLUSTER", "SLOTS")  # type: ignore[no-untyped-call]
                    self._map.read(await asked, address)
                    return
                except (redis_errors.RedisError, ValueError) as error:
                    self._map.learn(address, error)
                    problem = error
            raise self._map.all_silent(problem)

    def _client(self, address: Address) -> redis.asyncio.Redis:
        client = self._clients.get(address)
        if client is None:
            host, port = address
            retry = redis.asyncio.retry.Retry(NoBackoff(), 0)
            client = redis.asyncio.Redis(host=host, port=port, retry=retry, **self._options)
            self._clients[address] = client
        return client


def _address(server: Any, asked: Address) -> Address:
    host, port = server[0], int(server[1])
    name = host.decode() if isinstance(host, bytes) else str(host or "")
    # Empty or unknown: the server means the address at which it was asked.
    return (asked[0] if name in ("", "?") else name), port


def _address_of(client: redis.Redis | redis.asyncio.Redis) -> Address:
    arguments = client.connection_pool.connection_kwargs
    return str(arguments["host"]), int(arguments["port"])
