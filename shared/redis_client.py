"""Connections to Redis or Valkey: the one place that makes them, for whatever `redis_url` names (`redis_address`).

`Servers` hides the difference: whoever has a key asks for the server that owns it. Only primaries are ever asked, every
wait is bounded, and what fails raises one of redis-py's own errors. A client that goes on talking to a deposed primary
is no danger: WAIT with the configured number of replicas confirms nothing there. It gets nowhere either, so the
Sentinels are asked again every few seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
from abc import ABC, abstractmethod
from typing import Any, Final

import redis
import redis.asyncio
import redis.asyncio.sentinel
import redis.sentinel
from redis import exceptions as redis_errors
from redis.backoff import NoBackoff
from redis.retry import Retry

from shared.clock import Clock, SystemClock
from shared.redis_address import Topology as Topology
from shared.redis_address import parse_address as parse_address

TIMEOUT_S: Final = 2.0
"""For connecting and for each answer: well below any TTL, so that a silent server cannot eat the whole lease."""
SENTINEL_TIMEOUT_S: Final = 1.0
"""The same for a Sentinel: the next one may know."""
LOOK_MS: Final = 5_000
"""How often the Sentinels are asked whether they name another primary now. A deposed one that they do not reach, but we
do, never hangs up: nothing would be confirmed any more, and the new one never found.
"""


class Servers(ABC):
    """The primaries that hold the leases. Safe to share between threads."""

    @abstractmethod
    def owner(self, key: str) -> redis.Redis:
        """Return the client of the primary that owns `key`."""

    @abstractmethod
    def primaries(self) -> list[redis.Redis]:
        """Return a client for each primary."""

    @abstractmethod
    def close(self) -> None:
        """Close all connections."""

    def learn(self, server: redis.Redis, error: Exception) -> bool:
        """Take note of `error` from `server`; true when another server is to be asked instead."""
        return False

    def known_replicas(self) -> int:
        """Return how many replicas a primary has, connected or not, as far as those who would promote them know."""
        return 0

    def slot(self, key: str) -> int:
        """Return the same number for keys that may go into one call."""
        return 0

    def any(self) -> redis.Redis:
        """Return the client of some primary: for what each of them can do, such as to subscribe."""
        return random.choice(self.primaries())  # noqa: S311 - spreads load, decides nothing


class AsyncServers(ABC):
    """The same for asyncio."""

    @abstractmethod
    async def owner(self, key: str) -> redis.asyncio.Redis:
        """See `Servers.owner`."""

    @abstractmethod
    async def primaries(self) -> list[redis.asyncio.Redis]:
        """See `Servers.primaries`."""

    @abstractmethod
    async def close(self) -> None:
        """See `Servers.close`."""

    def learn(self, server: redis.asyncio.Redis, error: Exception) -> bool:
        """See `Servers.learn`."""
        return False

    async def any(self) -> redis.asyncio.Redis:
        """See `Servers.any`."""
        return random.choice(await self.primaries())  # noqa: S311 - spreads load, decides nothing


class OnePrimary(Servers):
    """One server, or the one that the Sentinels name."""

    def __init__(
        self,
        client: redis.Redis,
        *,
        sentinel: redis.sentinel.Sentinel | None = None,
        name: str = "",
        clock: Clock | None = None,
    ) -> None:
        """Use `client`, which finds the primary by itself where `sentinel` knows it as `name`."""
        self._client = client
        self._sentinel = sentinel
        self._name = name
        self._looks = _Looks(clock or SystemClock())

    def owner(self, key: str) -> redis.Redis:
        """Return the client."""
        if self._sentinel is not None and self._looks.due():
            # Aside: Sentinels that are silent must not cost a renewal anything.
            threading.Thread(target=self._look, name="sentinel-look", daemon=True).start()
        return self._client

    def _look(self) -> None:
        """Connections to a server that is no longer named are closed when they are idle, or given back."""
        with contextlib.suppress(redis_errors.RedisError):
            pool: Any = self._client.connection_pool
            pool.get_master_address()

    def primaries(self) -> list[redis.Redis]:
        """Return the client alone."""
        return [self._client]

    def known_replicas(self) -> int:
        """Ask the Sentinels; without any nobody would promote a replica."""
        if self._sentinel is None:
            return 0
        for sentinel in self._sentinel.sentinels:
            try:
                found = sentinel.sentinel_master(self._name)
            except redis_errors.RedisError:
                continue  # the next one may answer
            return int(found["num-slaves"]) if isinstance(found, dict) else 0
        raise redis_errors.ConnectionError("no Sentinel answered")

    def learn(self, server: redis.Redis, error: Exception) -> bool:
        """With Sentinels: whether to ask them again, because the connection was lost rather than silent."""
        return self._sentinel is not None and _was_deposed(error)

    def close(self) -> None:
        """Close the client, and those of the Sentinels."""
        self._client.close()
        if self._sentinel is not None:
            self._sentinel.close()


class AsyncOnePrimary(AsyncServers):
    """See `OnePrimary`."""

    def __init__(
        self,
        client: redis.asyncio.Redis,
        *,
        sentinel: redis.asyncio.sentinel.Sentinel | None = None,
        clock: Clock | None = None,
    ) -> None:
        """See `OnePrimary`."""
        self._client = client
        self._sentinel = sentinel
        self._looks = _Looks(clock or SystemClock())
        self._looking: asyncio.Task[None] | None = None

    async def owner(self, key: str) -> redis.asyncio.Redis:
        """See `OnePrimary.owner`."""
        if self._sentinel is not None and self._looks.due() and (self._looking is None or self._looking.done()):
            self._looking = asyncio.create_task(self._look())  # noqa: TID251 - kept here, and it raises nothing
        return self._client

    async def _look(self) -> None:
        """See `OnePrimary._look`; this pool would keep those that are in use, so they are closed, too."""
        pool: Any = self._client.connection_pool
        before = pool.master_address
        with contextlib.suppress(redis_errors.RedisError):
            if await pool.get_master_address() != before and before is not None:
                await pool.disconnect(inuse_connections=True)

    async def primaries(self) -> list[redis.asyncio.Redis]:
        """Return the client alone."""
        return [self._client]

    def learn(self, server: redis.asyncio.Redis, error: Exception) -> bool:
        """See `OnePrimary.learn`."""
        return self._sentinel is not None and _was_deposed(error)

    async def close(self) -> None:
        """Close the client, and those of the Sentinels."""
        if self._looking is not None:
            self._looking.cancel()
        await self._client.aclose()
        if self._sentinel is not None:
            for sentinel in self._sentinel.sentinels:
                await sentinel.aclose()


class _Looks:
    """When the Sentinels are to be asked again."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._next_ms = clock.boot_ms() + LOOK_MS

    def due(self) -> bool:
        """Whether it is time; then the next time is later."""
        with self._lock:
            now_ms = self._clock.boot_ms()
            if now_ms < self._next_ms:
                return False
            self._next_ms = now_ms + LOOK_MS
            return True


def connect(url: str, *, timeout_s: float = TIMEOUT_S) -> Servers:
    """Return the servers that `url` names, with bounded waits; they are connected to when first used.

    One immediate second try covers a pooled connection that a restart of the server has closed. All operations bear
    repetition: at worst a renewal counts twice. Raises ValueError for a URL that cannot be right.
    """
    address = parse_address(url)
    if address.topology is Topology.ONE:
        return OnePrimary(redis.Redis.from_url(url, **bounds(timeout_s), retry=Retry(NoBackoff(), 1)))
    if address.topology is Topology.CLUSTER:
        from shared.redis_cluster import Cluster

        return Cluster(address, timeout_s=timeout_s)
    sentinel = redis.sentinel.Sentinel(  # type: ignore[no-untyped-call]  # redis-py's
        address.hosts,
        sentinel_kwargs=bounds(min(timeout_s, SENTINEL_TIMEOUT_S))
        | {"retry": Retry(NoBackoff(), 0)}
        | address.sentinel_options,
    )
    # No second try by redis-py: its Sentinel connection would make it at the old address. `learn` asks for it instead.
    client: redis.Redis = sentinel.master_for(  # type: ignore[no-untyped-call]  # redis-py's
        address.master_name, **bounds(timeout_s), retry=Retry(NoBackoff(), 0), **address.options
    )
    return OnePrimary(client, sentinel=sentinel, name=address.master_name)


def connect_async(url: str, *, timeout_s: float = TIMEOUT_S) -> AsyncServers:
    """Return the servers that `url` names, for asyncio, as `connect` does."""
    address = parse_address(url)
    if address.topology is Topology.ONE:
        return AsyncOnePrimary(redis.asyncio.Redis.from_url(url, **bounds(timeout_s), retry=_async_retry(1)))
    if address.topology is Topology.CLUSTER:
        from shared.redis_cluster import AsyncCluster

        return AsyncCluster(address, timeout_s=timeout_s)
    sentinel = redis.asyncio.sentinel.Sentinel(  # type: ignore[no-untyped-call]  # redis-py's
        address.hosts,
        sentinel_kwargs=bounds(min(timeout_s, SENTINEL_TIMEOUT_S))
        | {"retry": _async_retry(0)}
        | address.sentinel_options,
    )
    client = sentinel.master_for(address.master_name, **bounds(timeout_s), retry=_async_retry(0), **address.options)
    return AsyncOnePrimary(client, sentinel=sentinel)


def _async_retry(tries: int) -> redis.asyncio.retry.Retry:
    return redis.asyncio.retry.Retry(NoBackoff(), tries)


def _was_deposed(error: Exception) -> bool:
    """Whether a primary that the Sentinels named hung up or became a replica: they may name another now."""
    known = not isinstance(error, redis.sentinel.MasterNotFoundError)
    return known and isinstance(error, redis_errors.ConnectionError | redis_errors.ReadOnlyError)


def bounds(timeout_s: float) -> dict[str, Any]:
    """Return redis-py's arguments that bound every wait."""
    return {"socket_timeout": timeout_s, "socket_connect_timeout": timeout_s}
