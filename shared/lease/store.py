"""The thin shell: sends the commands to Redis or Valkey and turns its errors into ours.

`LeaseStore` and `AsyncLeaseStore` have the same methods (`durable` and `check_server` are the worker's and the
start-up's, hence synchronous only). Every method raises `Unavailable` when the server cannot be reached, is loading,
is a replica or did not answer in time (the operation may have happened or not), and `PeerError` when it answers in a
way that the contract does not know.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Self, cast

import redis
import redis.asyncio
from redis import exceptions as redis_errors
from redis.backoff import NoBackoff
from redis.retry import Retry

from shared.errors import ConfigurationError, InterlockError, PeerError, Unavailable
from shared.lease import commands, keys
from shared.lease.commands import Attached, Cleared, Command, Granted, Refused, Renewed
from shared.lease.machine import State
from shared.lease.view import LeaseView
from shared.settings import Settings

TIMEOUT_S: Final = 2.0
"""For connecting and for each answer: well below any TTL, so that a silent server cannot eat the whole lease."""
MAX_NODES: Final = 10_000
BARRIER_TTL_MS: Final = 60_000
WAIT_SLICE_MS: Final = 1_000
"""Longest single wait for replicas or the disk: well below `TIMEOUT_S`, which ends a connection that is silent."""
NEEDED_COMMANDS: Final = ("EVALSHA", "HSET", "INFO", "PEXPIRE", "PTTL", "PUBLISH", "WAIT", "WAITAOF")


class LeaseStore:
    """The leases on one primary, synchronously. Safe to share between threads."""

    def __init__(self, client: redis.Redis, *, prelude: str | None = None, replicas: int = 0) -> None:
        """Use `client`. `prelude` replaces the Lua text that finds the incarnation (fakeredis has no INFO).

        `replicas` is the number of replicas that may be promoted; `durable` waits for at least that many, so that a
        primary that was cut off from them cannot confirm anything.
        """
        self.client = client
        self._replicas = replicas
        self._scripts = {
            name: client.register_script(commands.script_text(name, prelude or commands.info_prelude()))
            for name in commands.SCRIPTS
        }

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Connect lazily to the server of `settings`."""
        return cls(connect(settings.redis_url), replicas=settings.redis_replicas)

    def close(self) -> None:
        """Close all connections."""
        self.client.close()

    def acquire(
        self,
        target: str,
        *,
        epoch: int,
        acquire_id: str,
        ttl_ms: int,
        holder: str,
        run_id: str,
        node: str,
        credential_hash: str = "",
    ) -> Granted | Refused:
        """Ask for the lease. It counts only after `durable` said yes and `confirm` of its seq was taken."""
        return self._run(
            commands.acquire(
                target,
                epoch=epoch,
                acquire_id=acquire_id,
                ttl_ms=ttl_ms,
                holder=holder,
                run_id=run_id,
                node=node,
                credential_hash=credential_hash,
            )
        )

    def renew(self, target: str, lease_id: str) -> Renewed | Refused:
        """Prolong the lease by its recorded TTL; seq grows by one."""
        return self._run(commands.renew(target, lease_id))

    def confirm(self, target: str, lease_id: str, incarnation: str, seq: int) -> bool:
        """Say that `seq` is durable; false when the lease or the incarnation is no longer the same."""
        return self._run(commands.confirm(target, lease_id, incarnation, seq))

    def attach(self, target: str, lease_id: str, proxy_id: str, boot_id: str) -> Attached | Refused:
        """Put this boot on record; anew in every incarnation."""
        return self._run(commands.attach(target, lease_id, proxy_id, boot_id))

    def release(self, target: str, lease_id: str) -> State | Refused:
        """Begin to give the lease back; repeating it tells the state."""
        return self._run(commands.release(target, lease_id))

    def revoke(self, target: str, lease_id: str, reason: str) -> State | Refused:
        """Begin to take the lease from its holder; repeating it tells the state."""
        return self._run(commands.revoke(target, lease_id, reason))

    def acknowledge(self, target: str, lease_id: str, proxy_id: str, boot_id: str, in_flight: int) -> State | Refused:
        """Say that this boot's gate is shut and its connections are cut; repeat until a view shows it."""
        return self._run(commands.acknowledge(target, lease_id, proxy_id, boot_id, in_flight))

    def expire(self, target: str, incarnation: str, lease_id: str, seq: int) -> State | Refused:
        """End a lease that an observer saw unchanged for the whole window."""
        return self._run(commands.expire(target, incarnation, lease_id, seq))

    def clear(self, target: str, incarnation: str, epoch: int) -> Cleared | Refused:
        """End the embargo that an observer waited for; epochs below `epoch` are fenced off."""
        return self._run(commands.clear(target, incarnation, epoch))

    def view(self, target: str) -> LeaseView:
        """Look at one target."""
        return self._run(commands.view(target))

    def views(self, targets: Sequence[str]) -> list[LeaseView]:
        """Look at many targets in one round trip; each view is consistent in itself."""
        if not targets:
            return []
        batch = [commands.view(target) for target in targets]

        def send() -> list[Any]:
            with self.client.pipeline(transaction=False) as pipe:
                for command in batch:
                    call = command.call
                    self._scripts[call.script](keys=call.keys, args=call.args, client=pipe)
                return pipe.execute()

        return [command.parse(reply) for command, reply in zip(batch, _guarded(send), strict=True)]

    def beat(self, node: str, payload: dict[str, Any], ttl_ms: int) -> None:
        """Say that a worker host is alive, with what it is doing."""
        key = keys.node_key(node)
        _guarded(lambda: self.client.set(key, json.dumps(payload, sort_keys=True), px=ttl_ms))

    def nodes(self) -> dict[str, dict[str, Any]]:
        """Return the worker hosts that are alive, with their payloads. At most 10,000."""

        def read() -> dict[str, dict[str, Any]]:
            names: list[str] = []
            for key in self.client.scan_iter(match=keys.NODE_PATTERN, count=500):
                names.append(_decode(key))
                if len(names) >= MAX_NODES:
                    break
            values = cast("list[Any]", self.client.mget(names)) if names else []
            return _nodes(names, values)

        return _guarded(read)

    def durable(self, replicas_timeout_ms: int) -> bool:
        """Return whether everything written before is on all replicas, and on disk where the server persists.

        Waits at most `replicas_timeout_ms` for each of the two. What counts as all: the replicas that are connected,
        and never fewer than the configured number.
        """
        return _guarded(lambda: self._durable(replicas_timeout_ms))

    def check_server(self) -> None:
        """Raise ConfigurationError when the server must not hold leases, `Unavailable` when there is none."""
        _guarded(self._check_server)

    def _durable(self, timeout_ms: int) -> bool:
        replication = _info(self.client, "replication")
        if replication.get("role") != "master":
            return False
        replicas = max(self._replicas, int(replication.get("connected_slaves", 0)))
        on_disk = bool(int(_info(self.client, "persistence").get("aof_enabled", 0)))
        return any(
            self._reached(replicas, on_disk=on_disk, timeout_ms=min(WAIT_SLICE_MS, timeout_ms - waited_ms))
            for waited_ms in range(0, timeout_ms, WAIT_SLICE_MS)
        )

    def _reached(self, replicas: int, *, on_disk: bool, timeout_ms: int) -> bool:
        # WAIT covers what its own connection wrote, and on a connection that wrote nothing it says yes at once: sent
        # again by itself after a time-out, it would confirm what no replica has. In one batch a write of ours always
        # goes before it. That write, the barrier, is later in the stream than everything that any connection sent.
        with self.client.pipeline(transaction=False) as pipe:
            pipe.set(keys.BARRIER_KEY, "1", px=BARRIER_TTL_MS)
            pipe.wait(replicas, timeout_ms)
            if on_disk:
                pipe.waitaof(1, 0, timeout_ms)
            _, copies, *disks = pipe.execute()
        return int(copies) >= replicas and all(int(local) >= 1 for local, _ in disks)

    def _check_server(self) -> None:
        where = _where(self.client)
        replication = _info(self.client, "replication")
        if replication.get("role") != "master":
            raise ConfigurationError(
                f"{where} is a replica",
                hint="set INTERLOCK_REDIS_URL to the primary: leases are read and written there",
            )
        connected = int(replication.get("connected_slaves", 0))
        if connected > self._replicas:
            raise ConfigurationError(
                f"{where} has {connected} replicas, but redis_replicas is {self._replicas}",
                hint=f"set INTERLOCK_REDIS_REPLICAS={connected}: after a failover unconfirmed leases would come back",
            )
        policy = _info(self.client, "memory").get("maxmemory_policy", "noeviction")
        if policy != "noeviction":
            raise ConfigurationError(
                f"{where} may evict keys (maxmemory-policy {policy})", hint="set maxmemory-policy noeviction"
            )
        known = {str(name).upper() for name in self.client.command()}
        missing = [name for name in NEEDED_COMMANDS if name not in known]
        if missing:
            raise ConfigurationError(
                f"{where} lacks {', '.join(missing)}", hint="use Valkey 7.2 or Redis 7.2, or a later version"
            )
        try:
            self.view("interlock.check")
        except PeerError as error:
            raise ConfigurationError(
                f"{where} cannot run the lease scripts: {error}", hint="scripts must be allowed to call INFO"
            ) from error

    def _run[T](self, command: Command[T]) -> T:
        call = command.call
        script = self._scripts[call.script]
        return command.parse(_guarded(lambda: script(keys=call.keys, args=call.args)))


class AsyncLeaseStore:
    """The leases on one primary, for asyncio."""

    def __init__(self, client: redis.asyncio.Redis, *, prelude: str | None = None) -> None:
        """Use `client`; `prelude` as for `LeaseStore`."""
        self.client = client
        self._scripts = {
            name: client.register_script(commands.script_text(name, prelude or commands.info_prelude()))
            for name in commands.SCRIPTS
        }

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Connect lazily to the server of `settings`."""
        return cls(connect_async(settings.redis_url))

    async def close(self) -> None:
        """Close all connections."""
        await self.client.aclose()

    async def acquire(
        self,
        target: str,
        *,
        epoch: int,
        acquire_id: str,
        ttl_ms: int,
        holder: str,
        run_id: str,
        node: str,
        credential_hash: str = "",
    ) -> Granted | Refused:
        """See `LeaseStore.acquire`."""
        return await self._run(
            commands.acquire(
                target,
                epoch=epoch,
                acquire_id=acquire_id,
                ttl_ms=ttl_ms,
                holder=holder,
                run_id=run_id,
                node=node,
                credential_hash=credential_hash,
            )
        )

    async def renew(self, target: str, lease_id: str) -> Renewed | Refused:
        """See `LeaseStore.renew`."""
        return await self._run(commands.renew(target, lease_id))

    async def confirm(self, target: str, lease_id: str, incarnation: str, seq: int) -> bool:
        """See `LeaseStore.confirm`."""
        return await self._run(commands.confirm(target, lease_id, incarnation, seq))

    async def attach(self, target: str, lease_id: str, proxy_id: str, boot_id: str) -> Attached | Refused:
        """See `LeaseStore.attach`."""
        return await self._run(commands.attach(target, lease_id, proxy_id, boot_id))

    async def release(self, target: str, lease_id: str) -> State | Refused:
        """See `LeaseStore.release`."""
        return await self._run(commands.release(target, lease_id))

    async def revoke(self, target: str, lease_id: str, reason: str) -> State | Refused:
        """See `LeaseStore.revoke`."""
        return await self._run(commands.revoke(target, lease_id, reason))

    async def acknowledge(
        self, target: str, lease_id: str, proxy_id: str, boot_id: str, in_flight: int
    ) -> State | Refused:
        """See `LeaseStore.acknowledge`."""
        return await self._run(commands.acknowledge(target, lease_id, proxy_id, boot_id, in_flight))

    async def expire(self, target: str, incarnation: str, lease_id: str, seq: int) -> State | Refused:
        """See `LeaseStore.expire`."""
        return await self._run(commands.expire(target, incarnation, lease_id, seq))

    async def clear(self, target: str, incarnation: str, epoch: int) -> Cleared | Refused:
        """See `LeaseStore.clear`."""
        return await self._run(commands.clear(target, incarnation, epoch))

    async def view(self, target: str) -> LeaseView:
        """See `LeaseStore.view`."""
        return await self._run(commands.view(target))

    async def views(self, targets: Sequence[str]) -> list[LeaseView]:
        """See `LeaseStore.views`."""
        if not targets:
            return []
        batch = [commands.view(target) for target in targets]

        async def send() -> list[Any]:
            async with self.client.pipeline(transaction=False) as pipe:
                for command in batch:
                    call = command.call
                    await self._scripts[call.script](keys=call.keys, args=call.args, client=pipe)
                return await pipe.execute()

        replies = await _guarded_async(send)
        return [command.parse(reply) for command, reply in zip(batch, replies, strict=True)]

    async def beat(self, node: str, payload: dict[str, Any], ttl_ms: int) -> None:
        """See `LeaseStore.beat`."""
        key = keys.node_key(node)
        await _guarded_async(lambda: self.client.set(key, json.dumps(payload, sort_keys=True), px=ttl_ms))

    async def nodes(self) -> dict[str, dict[str, Any]]:
        """See `LeaseStore.nodes`."""

        async def read() -> dict[str, dict[str, Any]]:
            names: list[str] = []
            async for key in self.client.scan_iter(match=keys.NODE_PATTERN, count=500):
                names.append(_decode(key))
                if len(names) >= MAX_NODES:
                    break
            values = cast("list[Any]", await self.client.mget(names)) if names else []
            return _nodes(names, values)

        return await _guarded_async(read)

    async def _run[T](self, command: Command[T]) -> T:
        call = command.call
        script = self._scripts[call.script]
        return command.parse(await _guarded_async(lambda: script(keys=call.keys, args=call.args)))


def connect(url: str, *, timeout_s: float = TIMEOUT_S) -> redis.Redis:
    """Return a client for `url` with bounded waits; it connects when first used.

    One immediate second try covers a pooled connection that a restart of the server has closed. All operations bear
    repetition: at worst a renewal counts twice.
    """
    return redis.Redis.from_url(
        url, socket_timeout=timeout_s, socket_connect_timeout=timeout_s, retry=Retry(NoBackoff(), 1)
    )


def connect_async(url: str, *, timeout_s: float = TIMEOUT_S) -> redis.asyncio.Redis:
    """Return an asyncio client for `url`, as `connect` does."""
    return redis.asyncio.Redis.from_url(
        url,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        retry=redis.asyncio.retry.Retry(NoBackoff(), 1),
    )


def _guarded[T](work: Callable[[], T]) -> T:
    try:
        return work()
    except redis_errors.RedisError as error:
        raise _ours(error) from error


async def _guarded_async[T](work: Callable[[], Awaitable[T]]) -> T:
    try:
        return await work()
    except redis_errors.RedisError as error:
        raise _ours(error) from error


def _ours(error: redis_errors.RedisError) -> InterlockError:
    if isinstance(error, redis_errors.ReadOnlyError):
        return Unavailable(f"Redis is a replica: {error}", hint="point INTERLOCK_REDIS_URL at the primary")
    if isinstance(error, redis_errors.OutOfMemoryError):
        return Unavailable(f"Redis has no memory left: {error}", hint="raise its maxmemory")
    if isinstance(error, redis_errors.ConnectionError | redis_errors.TimeoutError):
        return Unavailable(f"Redis did not answer: {error}", hint="is it running, and is INTERLOCK_REDIS_URL right?")
    return PeerError(f"Redis refused a command: {error}", hint="`interlock doctor` checks the server")


def _info(client: redis.Redis, section: str) -> dict[str, Any]:
    return client.info(section)


def _where(client: redis.Redis) -> str:
    arguments = client.connection_pool.connection_kwargs
    path = arguments.get("path")
    return f"Redis at {path}" if path else f"Redis at {arguments.get('host')}:{arguments.get('port')}"


def _decode(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _nodes(names: Sequence[str], values: Sequence[Any]) -> dict[str, dict[str, Any]]:
    prefix = len(keys.NODE_PATTERN) - 1
    found: dict[str, dict[str, Any]] = {}
    for name, value in zip(names, values, strict=True):
        if value is None:
            continue  # it expired between SCAN and MGET
        try:
            payload = json.loads(_decode(value))
        except ValueError as error:
            raise PeerError(f"{name} does not hold JSON", hint="which process writes there?") from error
        if not isinstance(payload, dict):
            raise PeerError(f"{name} does not hold a JSON object", hint="which process writes there?")
        found[name[prefix:]] = payload
    return found
